-- Accounts.
--
-- Column order: fixed-width columns that are never null come first, widest alignment first, so that no byte is padding
-- and each is read at a constant offset.
--
-- Fill factor: soon after its insertion every row is updated once, when the hardened hash (about 130 bytes) takes the
-- place of the weak one (about 90). A page needs room for the new versions of the rows that one transaction hardens,
-- else they move to another page and both indexes grow. Measured with 100,000 rows inserted and then hardened in order
-- of id by 32 a transaction (share of in-place updates; table and indexes afterwards; WAL per hardened row):
--   100: 55 %, 45.4 MB, 713 B    90: 61 %, 47.0 MB, 694 B    80: 72 %, 47.4 MB, 668 B
--    70: 86 %, 46.0 MB, 627 B    60: 99 %, 44.8 MB, 569 B    50: 100 %, 51.0 MB, 501 B
-- WAL per inserted row and, within noise, the rate of insertion are the same for all. 60 is the smallest in the end
-- and leaves next to nothing to move.

CREATE TABLE users (
    created_at    timestamptz      NOT NULL,
    updated_at    timestamptz      NOT NULL,
    id            uuid             NOT NULL,
    bucket        smallint         NOT NULL,
    status        smallint         NOT NULL DEFAULT 0 CHECK (status BETWEEN 0 AND 3),
    email         text COLLATE "C" NOT NULL,
    username      text             NOT NULL,
    password_hash text,

    PRIMARY KEY (id, bucket),
    UNIQUE (email, bucket)
) WITH (
    fillfactor = 60
);

COMMENT ON TABLE users IS
    'Accounts. Hot statements name the bucket, and no index holds a column that changes, so that updates stay in place.';
COMMENT ON COLUMN users.id IS
    'UUID version 7. Its 12 rand_a bits are the bucket, so that an id alone tells where its rows are.';
COMMENT ON COLUMN users.bucket IS
    'Routing bucket, 0 to 4095: HMAC of the normalised email under deployment.routing_key. The same email has the same '
    'bucket, so unique (email, bucket) means that the email is unique.';
COMMENT ON COLUMN users.status IS '0 pending, 1 active, 2 blocked, 3 deleted.';
COMMENT ON COLUMN users.email IS 'Normalised; compared byte by byte.';
COMMENT ON COLUMN users.username IS 'Shown to people, as they wrote it; identifies nobody.';
COMMENT ON COLUMN users.password_hash IS
    'A PHC string, weak or hardened; null for an account without a password. Changed only by compare-and-set.';
