//! Lists the live sessions of a user, for the user. Whoever asks has to have one. Never decides what a status permits.

use super::{
    BatchedStatement, Sent,
    column::{Column, Value},
    decode::{id, place, status, unix_ms},
};
use crate::{
    account::{SessionId, Status, UserId},
    postgres::link::{Link, LinkError, Sql},
};
use std::{cmp::Ordering, net::IpAddr, time::Instant};
use tokio_postgres::types::Type;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Whose sessions.
    pub user: UserId,
    /// The session that asks.
    pub current: SessionId,
}

/// A user's sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The user's status, whatever it is, blocked and deleted too.
    pub status: Status,
    /// The newest first; at least the one that asks.
    pub sessions: Vec<SessionRow>,
}

/// One session; times are milliseconds since 1970 by the database's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Which one.
    pub id: SessionId,
    /// When it was started.
    pub created_unix_ms: u64,
    /// When it was last used to get tokens.
    pub last_used_unix_ms: u64,
    /// When it ends if it is not used again.
    pub expires_unix_ms: u64,
    /// The address it was last used from.
    pub ip: Option<IpAddr>,
    /// What the client called itself then.
    pub user_agent: Option<String>,
}

static LIST: Sql = Sql {
    name: "list_sessions",
    text: "SELECT item.ordinal, session.id, session.created_at, session.rotated_at, session.expires_at, session.ip,
    session.user_agent, users.status
FROM unnest($1::smallint[], $2::uuid[], $3::uuid[]) WITH ORDINALITY AS item (bucket, user_id, current, ordinal)
JOIN sessions AS current ON current.id = item.current AND current.bucket = item.bucket
    AND current.user_id = item.user_id AND current.expires_at > now()
JOIN users ON users.id = item.user_id AND users.bucket = item.bucket
JOIN sessions AS session ON session.user_id = item.user_id AND session.bucket = item.bucket
    AND session.expires_at > now()
ORDER BY item.ordinal, session.created_at DESC, session.id DESC",
    types: &[Type::INT2_ARRAY, Type::UUID_ARRAY, Type::UUID_ARRAY],
};

/// The statement; `None` when `current` is no live session of that user.
pub struct ListSessions;

impl BatchedStatement for ListSessions {
    type Item = Item;
    type Outcome = Option<Listed>;

    const NAME: &'static str = "list_sessions";
    const METRIC: usize = 6;
    const PREPARED: &'static [&'static Sql] = &[];

    fn lock_order(_: &Item, _: &Item) -> Ordering {
        Ordering::Equal
    }

    fn outcome_metric(outcome: &Option<Listed>) -> usize {
        usize::from(outcome.is_none())
    }

    async fn execute(
        link: &Link,
        batch: &[Sent<'_, Item>],
        deadline: Instant,
    ) -> Result<Vec<Option<Listed>>, LinkError> {
        let bucket =
            Column { items: batch, element: Type::INT2, value: |item| Value::Int2(item.user.bucket().as_i16()) };
        let user = Column { items: batch, element: Type::UUID, value: |item| Value::Uuid(item.user.as_bytes()) };
        let current = Column { items: batch, element: Type::UUID, value: |item| Value::Uuid(item.current.as_bytes()) };
        let rows = link.query_planned_anew(&LIST, &[&bucket, &user, &current], deadline).await?;
        let mut outcomes: Vec<Option<Listed>> = vec![None; batch.len()];
        for row in &rows {
            let none_yet = || Listed { status: status(row, 7), sessions: Vec::new() };
            outcomes[place(row)].get_or_insert_with(none_yet).sessions.push(SessionRow {
                id: id(row, 1),
                created_unix_ms: unix_ms(row, 2),
                last_used_unix_ms: unix_ms(row, 3),
                expires_unix_ms: unix_ms(row, 4),
                ip: row.get(5),
                user_agent: row.get(6),
            });
        }
        Ok(outcomes)
    }
}
