//! Forgets idempotency keys that have come to the end of their life, some at a time, so that the table stays bounded.

use super::{BatchedStatement, Sent};
use crate::{
    limits::{EXPIRED_KEYS_PER_STEP, IDEMPOTENCY_KEY_LIFE_S},
    postgres::link::{Link, LinkError, Sql},
};
use std::{cmp::Ordering, time::Instant};
use tokio_postgres::types::Type;

/// Keys in use are passed over: a request must never wait for this.
static DELETE: Sql = Sql {
    name: "expire_keys",
    text: "WITH expired AS (
    SELECT key_hash, bucket FROM idempotency_keys
    WHERE created_at < now() - make_interval(secs => $1)
    ORDER BY created_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
), deleted AS (
    DELETE FROM idempotency_keys AS key USING expired
    WHERE key.key_hash = expired.key_hash AND key.bucket = expired.bucket
    RETURNING 1
)
SELECT count(*) FROM deleted",
    types: &[Type::FLOAT8, Type::INT8],
};

/// The statement; an item is one step.
pub struct ExpireKeys;

impl BatchedStatement for ExpireKeys {
    type Item = ();
    /// Whether there is more to do.
    type Outcome = bool;

    const NAME: &'static str = "expire_keys";
    const METRIC: usize = 2;
    const PREPARED: &'static [&'static Sql] = &[];

    fn lock_order((): &(), (): &()) -> Ordering {
        Ordering::Equal
    }

    fn outcome_metric(more: &bool) -> usize {
        usize::from(*more)
    }

    async fn execute(link: &Link, batch: &[Sent<'_, ()>], deadline: Instant) -> Result<Vec<bool>, LinkError> {
        let rows = link.query(&DELETE, &[&IDEMPOTENCY_KEY_LIFE_S, &EXPIRED_KEYS_PER_STEP], deadline).await?;
        let deleted: i64 = rows[0].get(0);
        Ok(vec![deleted == EXPIRED_KEYS_PER_STEP; batch.len()])
    }
}
