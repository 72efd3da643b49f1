//! Ends every session of a user, at the word of one of them. A session that is started at the same time may come after.

use super::{
    BatchedStatement, Sent,
    column::{Column, Value},
    decode::place,
    end_session::SETTLE,
};
use crate::{
    account::{SessionId, UserId},
    postgres::link::{Link, LinkError, Sql},
};
use std::{cmp::Ordering, time::Instant};
use tokio_postgres::types::Type;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// The session that asks.
    pub current: SessionId,
    /// Whose sessions are to end.
    pub user: UserId,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllEnded {
    /// None is left, durably; there were as many, the asking one among them.
    Ended(u32),
    /// `current` is no live session of that user, and nothing has changed.
    NotAuthenticated,
}

/// Sessions are locked in the order of their ids, as everywhere. Those that have expired are deleted too, and not
/// counted.
static END: Sql = Sql {
    name: "end_all_sessions",
    text: "WITH item AS MATERIALIZED (
    SELECT item.ordinal, item.bucket, item.user_id
    FROM unnest($1::smallint[], $2::uuid[], $3::uuid[]) WITH ORDINALITY AS item (bucket, current, user_id, ordinal)
    JOIN sessions AS current ON current.id = item.current AND current.bucket = item.bucket
        AND current.user_id = item.user_id AND current.expires_at > now()
), locked AS MATERIALIZED (
    SELECT session.id, session.bucket
    FROM (SELECT DISTINCT bucket, user_id FROM item) AS item
    JOIN sessions AS session ON session.user_id = item.user_id AND session.bucket = item.bucket
    ORDER BY session.id
    FOR UPDATE OF session
), ended AS (
    DELETE FROM sessions AS session USING locked
    WHERE session.id = locked.id AND session.bucket = locked.bucket
    RETURNING session.user_id, session.expires_at > now() AS is_live
)
SELECT item.ordinal, (SELECT count(*) FROM ended WHERE ended.user_id = item.user_id AND ended.is_live) FROM item",
    types: &[Type::INT2_ARRAY, Type::UUID_ARRAY, Type::UUID_ARRAY],
};

/// The statement.
pub struct EndAllSessions;

impl BatchedStatement for EndAllSessions {
    type Item = Item;
    type Outcome = AllEnded;

    const NAME: &'static str = "end_all_sessions";
    const METRIC: usize = 10;
    const PREPARED: &'static [&'static Sql] = &[];

    fn lock_order(a: &Item, b: &Item) -> Ordering {
        a.user.cmp(&b.user)
    }

    fn outcome_metric(outcome: &AllEnded) -> usize {
        match outcome {
            AllEnded::Ended(_) => 0,
            AllEnded::NotAuthenticated => 1,
        }
    }

    async fn execute(link: &Link, batch: &[Sent<'_, Item>], deadline: Instant) -> Result<Vec<AllEnded>, LinkError> {
        let bucket =
            Column { items: batch, element: Type::INT2, value: |item| Value::Int2(item.user.bucket().as_i16()) };
        let current = Column { items: batch, element: Type::UUID, value: |item| Value::Uuid(item.current.as_bytes()) };
        let user = Column { items: batch, element: Type::UUID, value: |item| Value::Uuid(item.user.as_bytes()) };
        let rows = link.query_planned_anew(&END, &[&bucket, &current, &user], deadline).await?;
        // An earlier attempt that went through has left no session to ask with, and has done what was asked.
        let absent = |sent: &Sent<'_, Item>| match sent.uncertain {
            true => AllEnded::Ended(0),
            false => AllEnded::NotAuthenticated,
        };
        let mut outcomes: Vec<_> = batch.iter().map(absent).collect();
        for row in &rows {
            let count: i64 = row.get(1);
            outcomes[place(row)] = AllEnded::Ended(u32::try_from(count).unwrap_or(u32::MAX));
        }
        if batch.iter().any(|sent| sent.uncertain) {
            let settled = link.query_planned_anew(&SETTLE, &[&bucket, &user], deadline).await;
            settled.map_err(LinkError::after_an_effect)?;
        }
        Ok(outcomes)
    }
}
