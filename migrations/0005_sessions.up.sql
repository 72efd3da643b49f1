-- Log-ins that go on. One that has ended is deleted: no row means that its tokens are worth nothing any more.
--
-- Column order: as in users. Nothing that a rotation changes is in an index, expires_at neither: rotations then stay in
-- place, and the clean-up walks over the primary key instead.
--
-- Fill factor: a page needs room for the new versions of the rows that rotate on it before the old ones can be pruned.
-- Measured with 100,000 sessions that all rotate three times, 50 a transaction (share of in-place updates; table and
-- indexes afterwards; WAL per rotation), in random order, as clients come:
--   100: 97 %, 32 MB, 292 B    90: 100 %, 33 MB, 260 B    80: 100 %, 36 MB, 260 B
-- Rotating in the order of the table, which nobody does, leaves 33 %, 50 % and 67 % in place.

CREATE TABLE sessions (
    created_at timestamptz NOT NULL,
    rotated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    id         uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    generation integer     NOT NULL DEFAULT 0,
    bucket     smallint    NOT NULL,
    seed       bytea       NOT NULL CHECK (octet_length(seed) = 16),
    ip         inet,
    user_agent text        CHECK (octet_length(user_agent) <= 512),

    PRIMARY KEY (id, bucket)
) WITH (
    fillfactor = 90
);

-- A user's sessions, to list or end them and to keep them few.
CREATE INDEX sessions_user_id_idx ON sessions (user_id, bucket);

COMMENT ON TABLE sessions IS
    'Log-ins that go on; deleted when they end. Rows past expires_at count for nothing and are cleaned up in the background.';
COMMENT ON COLUMN sessions.rotated_at IS
    'When the present generation came to be: the last time that the session was used to get tokens.';
COMMENT ON COLUMN sessions.expires_at IS
    'The earlier of created_at plus the absolute limit and rotated_at plus the idle limit, as configured at the rotation.';
COMMENT ON COLUMN sessions.id IS
    'UUID version 7. Its 12 rand_a bits are the bucket, so that a token tells where the session is.';
COMMENT ON COLUMN sessions.user_id IS 'A users.id in the same bucket.';
COMMENT ON COLUMN sessions.generation IS
    'Which refresh token is the present one: 0 at first, and one more with each rotation. Changed only by compare-and-set.';
COMMENT ON COLUMN sessions.bucket IS 'The bucket of the user.';
COMMENT ON COLUMN sessions.seed IS
    'Goes into the secret of each refresh token, together with a key that is not in the database. Worth nothing alone.';
COMMENT ON COLUMN sessions.ip IS 'Where the session was started or last rotated from; without a port.';
COMMENT ON COLUMN sessions.user_agent IS 'What the client called itself then, cut to 512 bytes.';

-- Statements that find users by key keep their plan until the table is analysed. A table that was never analysed is
-- taken for ten pages at least and searched by index. One that was analysed while it had a handful of rows is searched
-- from end to end, even when a flood of registrations has made it huge since: not before it has some size. Sessions
-- need no such care: they become no more than passwords are hashed.
ALTER TABLE users SET (
    autovacuum_analyze_threshold = 1000,
    autovacuum_vacuum_threshold = 1000
);
