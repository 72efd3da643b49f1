//! Deletes sessions that have expired, one step at a time along the primary key: no index holds their ends, so that
//! rotations stay in place. Keeps no state: each step says where the next one begins. Several nodes may walk at once.

use super::{
    BatchedStatement, Sent,
    decode::{RawUuid, id},
};
use crate::{
    account::SessionId,
    limits::SESSIONS_PER_EXPIRY_STEP,
    postgres::link::{Link, LinkError, Sql},
};
use std::{cmp::Ordering, time::Instant};
use tokio_postgres::types::Type;

/// One step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// Where the step before has ended; `None` begins anew.
    pub after: Option<SessionId>,
}

/// Sessions in use are passed over: a request must never wait for this.
static EXPIRE: Sql = Sql {
    name: "expire_sessions",
    text: "WITH step AS MATERIALIZED (
    SELECT id, bucket, expires_at FROM sessions WHERE id > $1 ORDER BY id, bucket LIMIT $2
), expired AS MATERIALIZED (
    SELECT session.id, session.bucket
    FROM step JOIN sessions AS session ON session.id = step.id AND session.bucket = step.bucket
    WHERE step.expires_at <= now() AND session.expires_at <= now()
    FOR UPDATE OF session SKIP LOCKED
), deleted AS (
    DELETE FROM sessions AS session USING expired
    WHERE session.id = expired.id AND session.bucket = expired.bucket
)
SELECT id FROM step ORDER BY id DESC LIMIT (SELECT (count(*) = $2)::integer FROM step)",
    types: &[Type::UUID, Type::INT8],
};

/// The statement; an item is one step, its outcome where the next one begins, or `None` at the end.
pub struct ExpireSessions;

impl BatchedStatement for ExpireSessions {
    type Item = Step;
    type Outcome = Option<SessionId>;

    const NAME: &'static str = "expire_sessions";
    const METRIC: usize = 12;
    const PREPARED: &'static [&'static Sql] = &[];

    fn lock_order(_: &Step, _: &Step) -> Ordering {
        Ordering::Equal
    }

    fn outcome_metric(outcome: &Option<SessionId>) -> usize {
        usize::from(outcome.is_some())
    }

    async fn execute(
        link: &Link,
        batch: &[Sent<'_, Step>],
        deadline: Instant,
    ) -> Result<Vec<Option<SessionId>>, LinkError> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for sent in batch {
            let after = RawUuid(sent.item.after.map_or([0; 16], |after| *after.as_bytes()));
            let rows = link.query_planned_anew(&EXPIRE, &[&after, &SESSIONS_PER_EXPIRY_STEP], deadline).await?;
            outcomes.push(rows.first().map(|row| id(row, 0)));
        }
        Ok(outcomes)
    }
}
