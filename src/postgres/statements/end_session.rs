//! Ends one session of a user, at the word of a live session of the same user: itself (log-out) or another.
//! Items of one batch happen at once: two that end the same session, or each other's, have both ended it.

use super::{
    BatchedStatement, Sent,
    column::{Column, Value},
    decode::place,
};
use crate::{
    account::{SessionId, UserId},
    postgres::link::{Link, LinkError, Sql},
};
use std::{cmp::Ordering, time::Instant};
use tokio_postgres::types::{ToSql, Type};

/// Which session is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// The session that asks.
    pub current: SessionId,
    /// Whose sessions both are.
    pub user: UserId,
    /// The session that is to end.
    pub target: SessionId,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It has ended, durably.
    Ended,
    /// That user has no such live session.
    NoSuchSession,
    /// `current` is no live session of that user, and nothing has changed.
    NotAuthenticated,
}

/// One that has expired is deleted too, but was none that could still end.
static END: Sql = Sql {
    name: "end_session",
    text: "WITH item AS MATERIALIZED (
    SELECT item.*, EXISTS (
        SELECT FROM sessions AS current
        WHERE current.id = item.current AND current.bucket = item.bucket AND current.user_id = item.user_id
            AND current.expires_at > now()
    ) AS is_authenticated
    FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], $4::uuid[]) WITH ORDINALITY
        AS item (bucket, current, user_id, target, ordinal)
), locked AS MATERIALIZED (
    SELECT session.id, session.bucket, session.expires_at > now() AS is_live
    FROM item JOIN sessions AS session ON session.id = item.target AND session.bucket = item.bucket
        AND session.user_id = item.user_id
    WHERE item.is_authenticated
    ORDER BY session.id
    FOR UPDATE OF session
), ended AS (
    DELETE FROM sessions AS session USING locked
    WHERE session.id = locked.id AND session.bucket = locked.bucket
    RETURNING session.id, locked.is_live
)
SELECT item.ordinal, item.is_authenticated, coalesce(ended.is_live, false)
FROM item LEFT JOIN ended ON ended.id = item.target",
    types: &[Type::INT2_ARRAY, Type::UUID_ARRAY, Type::UUID_ARRAY, Type::UUID_ARRAY],
};

/// Has what earlier attempts may have ended confirmed by a synchronous standby too: rows that are gone cannot be
/// locked, so those of their users are; see the top of [`statements`](super).
pub(super) static SETTLE: Sql = Sql {
    name: "end_session_settle",
    text: "SELECT FROM unnest($1::smallint[], $2::uuid[]) AS item (bucket, user_id)
JOIN users ON users.id = item.user_id AND users.bucket = item.bucket
FOR KEY SHARE OF users",
    types: &[Type::INT2_ARRAY, Type::UUID_ARRAY],
};

/// The statement.
pub struct EndSession;

impl BatchedStatement for EndSession {
    type Item = Item;
    type Outcome = Ended;

    const NAME: &'static str = "end_session";
    const METRIC: usize = 9;
    const PREPARED: &'static [&'static Sql] = &[];

    fn lock_order(a: &Item, b: &Item) -> Ordering {
        a.target.cmp(&b.target)
    }

    fn outcome_metric(outcome: &Ended) -> usize {
        match outcome {
            Ended::Ended => 0,
            Ended::NoSuchSession => 1,
            Ended::NotAuthenticated => 2,
        }
    }

    async fn execute(link: &Link, batch: &[Sent<'_, Item>], deadline: Instant) -> Result<Vec<Ended>, LinkError> {
        let column = |element, value| Column { items: batch, element, value };
        let bucket = column(Type::INT2, |item| Value::Int2(item.user.bucket().as_i16()));
        let current = column(Type::UUID, |item| Value::Uuid(item.current.as_bytes()));
        let user = column(Type::UUID, |item| Value::Uuid(item.user.as_bytes()));
        let target = column(Type::UUID, |item| Value::Uuid(item.target.as_bytes()));
        let parameters: [&(dyn ToSql + Sync); 4] = [&bucket, &current, &user, &target];
        let rows = link.query_planned_anew(&END, &parameters, deadline).await?;
        let mut outcomes = vec![Ended::NotAuthenticated; batch.len()];
        for row in &rows {
            let at = place(row);
            outcomes[at] = outcome(batch[at], row.get(1), row.get(2));
        }
        if batch.iter().any(|sent| sent.uncertain) {
            let settled = link.query_planned_anew(&SETTLE, &[&bucket, &user], deadline).await;
            settled.map_err(LinkError::after_an_effect)?;
        }
        Ok(outcomes)
    }
}

fn outcome(sent: Sent<'_, Item>, is_authenticated: bool, has_ended: bool) -> Ended {
    let of_itself = sent.item.current == sent.item.target;
    match (is_authenticated, has_ended) {
        (true, true) => Ended::Ended,
        // It was there a moment ago: somebody else has ended it meanwhile.
        (true, false) if of_itself => Ended::Ended,
        // What an earlier attempt may have ended is as gone as it was asked to be.
        (true, false) if sent.uncertain => Ended::Ended,
        (false, _) if of_itself && sent.uncertain => Ended::Ended,
        (true, false) => Ended::NoSuchSession,
        (false, _) => Ended::NotAuthenticated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Bucket;

    #[test]
    fn what_an_earlier_attempt_may_have_ended_counts_as_ended() {
        let bucket = Bucket::try_from(7).unwrap();
        let session = |number| SessionId::new(1, bucket, [number; 8]);
        let item = |target| Item { current: session(1), user: UserId::new(1, bucket, [1; 8]), target: session(target) };
        let (itself, other) = (item(1), item(2));
        let outcome =
            |item, uncertain, is_authenticated| outcome(Sent { place: 0, item, uncertain }, is_authenticated, false);
        assert_eq!(outcome(&itself, true, false), Ended::Ended);
        assert_eq!(outcome(&other, true, true), Ended::Ended);
        assert_eq!(outcome(&other, true, false), Ended::NotAuthenticated);
        assert_eq!(outcome(&itself, false, false), Ended::NotAuthenticated);
        assert_eq!(outcome(&other, false, true), Ended::NoSuchSession);
    }
}
