-- What makes the retry of a registration safe: the Idempotency-Key a client sent, and what came of it.

CREATE TABLE idempotency_keys (
    created_at  timestamptz NOT NULL,
    user_id     uuid        NOT NULL,
    bucket      smallint    NOT NULL,
    user_bucket smallint    NOT NULL,
    key_hash    bytea       NOT NULL,
    fingerprint bytea       NOT NULL,

    PRIMARY KEY (key_hash, bucket)
) WITH (
    -- Rows are only inserted and deleted.
    fillfactor = 100,
    -- Expiry deletes in small steps all the time: clean up after a twentieth rather than after a fifth.
    autovacuum_vacuum_scale_factor = 0.05
);

-- Expiry takes the oldest first. Rows come in this order, so that the index is appended to at its right end.
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);

COMMENT ON TABLE idempotency_keys IS
    'One row for each Idempotency-Key. A request first claims its key here with the id its user would get, then inserts '
    'the user, both in one statement. Who finds the key taken compares fingerprint: another one is misuse of the key, the '
    'same one is answered by looking for user_id in users. Found: created then. Not found: the email was taken then.';
COMMENT ON COLUMN idempotency_keys.created_at IS 'When the key was claimed; the row expires a fixed time later.';
COMMENT ON COLUMN idempotency_keys.user_id IS
    'The id offered to the user of the first request; points to no row of users if that email was taken.';
COMMENT ON COLUMN idempotency_keys.bucket IS
    'The bucket of the key itself, 12 bits of its hash: a key that comes again with another email has to be found too.';
COMMENT ON COLUMN idempotency_keys.user_bucket IS 'The bucket of user_id.';
COMMENT ON COLUMN idempotency_keys.key_hash IS 'Hash of the key; the key itself is not kept.';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'Keyed hash of the request''s meaning, the password included.';
