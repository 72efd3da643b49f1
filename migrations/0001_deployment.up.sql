-- What belongs to the deployment as a whole: every node that uses this database must agree on it.

CREATE TABLE deployment (
    created_at  timestamptz NOT NULL DEFAULT now(),
    only_row    boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    routing_key bytea       NOT NULL CHECK (octet_length(routing_key) = 32)
);

COMMENT ON TABLE deployment IS
    'One row. Changing it moves every account to another bucket, where it is not found: never update it.';
COMMENT ON COLUMN deployment.routing_key IS
    'Keys the HMAC that gives an email its routing bucket. Not a secret that protects passwords or tokens.';

-- Version 4 UUIDs have six fixed bits each; hashing two of them spreads their 244 random bits over the whole key
-- without needing an extension.
INSERT INTO deployment (routing_key)
VALUES (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));
