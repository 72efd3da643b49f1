//! Finds who a session belongs to, for each request that carries an access token: a session that has ended and a user
//! who is shut out are noticed at once. Never decides what a status permits.

use super::{
    BatchedStatement, Sent,
    column::{Column, Value},
    decode::{by_item, status},
};
use crate::{
    account::{SessionId, Status, UserId},
    postgres::link::{Link, LinkError, Sql},
};
use std::{cmp::Ordering, time::Instant};
use tokio_postgres::types::Type;

/// What an access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// The session.
    pub session: SessionId,
    /// Whose session it is said to be.
    pub user: UserId,
}

/// The user of a live session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The address, normalised.
    pub email: String,
    /// The display name.
    pub username: String,
    /// Whatever it is, blocked and deleted too.
    pub status: Status,
}

static FIND: Sql = Sql {
    name: "find_session",
    text: "SELECT item.ordinal, users.email, users.username, users.status
FROM (
    SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::uuid[]) WITH ORDINALITY AS item (bucket, id, user_id, ordinal)
    LIMIT cardinality($1)
) AS item
JOIN sessions AS session ON session.id = item.id AND session.bucket = item.bucket
    AND session.user_id = item.user_id AND session.expires_at > now()
JOIN users ON users.id = item.user_id AND users.bucket = item.bucket",
    types: &[Type::INT2_ARRAY, Type::UUID_ARRAY, Type::UUID_ARRAY],
};

/// The statement; `None` when that user has no such live session.
pub struct FindSession;

impl BatchedStatement for FindSession {
    type Item = Item;
    type Outcome = Option<Owner>;

    const NAME: &'static str = "find_session";
    const METRIC: usize = 4;
    const PREPARED: &'static [&'static Sql] = &[&FIND];

    fn lock_order(_: &Item, _: &Item) -> Ordering {
        Ordering::Equal
    }

    fn outcome_metric(outcome: &Option<Owner>) -> usize {
        usize::from(outcome.is_none())
    }

    async fn execute(
        link: &Link,
        batch: &[Sent<'_, Item>],
        deadline: Instant,
    ) -> Result<Vec<Option<Owner>>, LinkError> {
        let bucket =
            Column { items: batch, element: Type::INT2, value: |item| Value::Int2(item.user.bucket().as_i16()) };
        let session = Column { items: batch, element: Type::UUID, value: |item| Value::Uuid(item.session.as_bytes()) };
        let user = Column { items: batch, element: Type::UUID, value: |item| Value::Uuid(item.user.as_bytes()) };
        let rows = link.query(&FIND, &[&bucket, &session, &user], deadline).await?;
        Ok(by_item(batch.len(), &rows, |row| Owner { email: row.get(1), username: row.get(2), status: status(row, 3) }))
    }
}
