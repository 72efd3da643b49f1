-- Passwords that still have to be hardened: durable, for whatever the way through memory has dropped.
--
-- No column says who works on a row. A worker claims rows with FOR UPDATE SKIP LOCKED and deletes them in the
-- transaction that writes the hardened hash: a claim ends with its worker, however that ends, and is never held longer
-- than needed.

CREATE TABLE password_upgrade_queue (
    user_id uuid     NOT NULL,
    bucket  smallint NOT NULL,

    PRIMARY KEY (user_id, bucket)
) WITH (
    -- Rows are only inserted and deleted.
    fillfactor = 100,
    -- Every row that was ever here dies soon, and workers read from the oldest end, where the dead are: clean up after a
    -- number of them, not after a share of a table that is nearly empty and then suddenly not, and do not dawdle.
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_cost_delay = 0
);

COMMENT ON TABLE password_upgrade_queue IS
    'Users whose password_hash is still weak. May name users that are hardened already or gone: such rows are dropped.';
COMMENT ON COLUMN password_upgrade_queue.user_id IS
    'A users.id (version 7): the order of ids is the order of age, and the time in the first one is the age of the backlog.';
COMMENT ON COLUMN password_upgrade_queue.bucket IS 'The bucket of that user.';
