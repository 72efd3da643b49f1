//! Writes hardened records back. Compare-and-set decides: a password that was changed meanwhile is never overwritten.
//! What is done leaves the queue in the same statement, so that a crash neither loses nor doubles anything.
//!
//! Whoever stores a new weak record must update the user before queueing it: the lock on the user's row is what keeps
//! this from taking the new entry for that of the record before.

use super::{
    BatchedStatement, Sent,
    column::{Column, Value},
    decode::place,
};
use crate::{
    account::UserId,
    postgres::link::{Link, LinkError, Sql},
};
use std::{cmp::Ordering, time::Instant};
use tokio_postgres::types::{ToSql, Type};
use zeroize::Zeroizing;

/// A record and what is to take its place.
pub struct Item {
    /// Whose record.
    pub user: UserId,
    /// The record as it was read.
    pub old: Zeroizing<String>,
    /// Its successor.
    pub new: Box<str>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hardened {
    /// The new record is in force, durably.
    Hardened,
    /// The old one was not in force any more: the password has been changed, or somebody else was faster.
    Stale,
}

/// What a user's row is held against.
pub(in crate::postgres) trait Change {
    fn user(&self) -> &UserId;
    /// The record as it was read, and its successor; `None` changes nothing, and is there for the queue's sake.
    fn records(&self) -> Option<(&str, &str)>;
}

/// Users are locked in the order of their ids. Entries of the queue that a claim holds are passed over, since a batch
/// must not wait as long as a claim takes; whoever claims finds what has become of the user. A user leaves the queue
/// unless the record in force is a weak one.
static HARDEN: Sql = Sql {
    name: "harden",
    text: "WITH item AS (
    SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::text[], $4::text[]) WITH ORDINALITY
        AS item (bucket, id, old, new, ordinal)
), held AS MATERIALIZED (
    SELECT item.ordinal, users.password_hash
    FROM item JOIN users ON users.id = item.id AND users.bucket = item.bucket
    ORDER BY users.id
    FOR NO KEY UPDATE OF users
), hardened AS (
    UPDATE users SET password_hash = item.new, updated_at = now()
    FROM item JOIN held ON held.ordinal = item.ordinal AND held.password_hash = item.old
    WHERE users.id = item.id AND users.bucket = item.bucket
    RETURNING item.ordinal
), done AS MATERIALIZED (
    SELECT queue.user_id, queue.bucket
    FROM item LEFT JOIN held ON held.ordinal = item.ordinal
    JOIN password_upgrade_queue AS queue ON queue.user_id = item.id AND queue.bucket = item.bucket
    WHERE held.password_hash IS NULL OR held.password_hash = item.old OR held.password_hash NOT LIKE '$hmac-sha256$%'
    FOR UPDATE OF queue SKIP LOCKED
), dequeued AS (
    DELETE FROM password_upgrade_queue AS queue USING done
    WHERE queue.user_id = done.user_id AND queue.bucket = done.bucket
)
SELECT item.ordinal, hardened.ordinal IS NOT NULL, coalesce(held.password_hash = item.new, false)
FROM item LEFT JOIN held ON held.ordinal = item.ordinal LEFT JOIN hardened ON hardened.ordinal = item.ordinal",
    types: &[Type::INT2_ARRAY, Type::UUID_ARRAY, Type::TEXT_ARRAY, Type::TEXT_ARRAY],
};

/// The statement. Planned anew each time: the queue is empty now and huge a minute later.
pub struct Harden;

impl Change for Item {
    fn user(&self) -> &UserId {
        &self.user
    }

    fn records(&self) -> Option<(&str, &str)> {
        Some((&self.old, &self.new))
    }
}

impl BatchedStatement for Harden {
    type Item = Item;
    type Outcome = Hardened;

    const NAME: &'static str = "harden";
    const METRIC: usize = 11;
    const PREPARED: &'static [&'static Sql] = &[];

    fn lock_order(a: &Item, b: &Item) -> Ordering {
        a.user.cmp(&b.user)
    }

    fn outcome_metric(outcome: &Hardened) -> usize {
        match outcome {
            Hardened::Hardened => 0,
            Hardened::Stale => 1,
        }
    }

    async fn execute(link: &Link, batch: &[Sent<'_, Item>], deadline: Instant) -> Result<Vec<Hardened>, LinkError> {
        write_back(link, batch, deadline).await
    }
}

/// Runs the statement for items of any kind.
pub(in crate::postgres) async fn write_back<C: Change + Sync>(
    link: &Link,
    batch: &[Sent<'_, C>],
    deadline: Instant,
) -> Result<Vec<Hardened>, LinkError> {
    let column = |element, value| Column { items: batch, element, value };
    let bucket = column(Type::INT2, |item: &C| Value::Int2(item.user().bucket().as_i16()));
    let id = column(Type::UUID, |item: &C| Value::Uuid(item.user().as_bytes()));
    let old = column(Type::TEXT, |item: &C| Value::text(item.records().map(|(old, _)| old)));
    let new = column(Type::TEXT, |item: &C| Value::text(item.records().map(|(_, new)| new)));
    let parameters: [&(dyn ToSql + Sync); 4] = [&bucket, &id, &old, &new];
    let rows = link.query_planned_anew(&HARDEN, &parameters, deadline).await?;
    let mut outcomes = vec![Hardened::Stale; batch.len()];
    for row in &rows {
        let at = place(row);
        let (now, before): (bool, bool) = (row.get(1), row.get(2));
        // Found in force by a second attempt, it is what the first one wrote.
        if now || (before && batch[at].uncertain) {
            outcomes[at] = Hardened::Hardened;
        }
    }
    Ok(outcomes)
}
