//! Finds what a refresh token is checked against. Never decides whether it is the present one.

use super::{
    BatchedStatement, Sent,
    column::{Column, Value},
    decode::{by_item, id, seed, status},
};
use crate::{
    account::{SessionId, Status, UserId},
    postgres::link::{Link, LinkError, Sql},
};
use std::{cmp::Ordering, time::Instant};
use tokio_postgres::types::Type;

/// A live session and its user.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored {
    /// Whose session it is.
    pub user: UserId,
    /// Whatever it is, blocked and deleted too.
    pub status: Status,
    /// The present generation; 0 is the first.
    pub generation: u32,
    /// What the secrets of the session's refresh tokens are made of, together with a key.
    pub seed: [u8; 16],
    /// Age of the present generation by the database's clock, in milliseconds.
    pub rotated_ms_ago: u64,
}

/// A rotation may have been committed after this statement began, and then is no age old.
static FIND: Sql = Sql {
    name: "find_refresh",
    text: "SELECT item.ordinal, session.user_id, users.status, session.generation, session.seed,
    greatest(0, extract(epoch FROM now() - session.rotated_at) * 1000)::bigint
FROM (
    SELECT * FROM unnest($1::smallint[], $2::uuid[]) WITH ORDINALITY AS item (bucket, id, ordinal)
    LIMIT cardinality($1)
) AS item
JOIN sessions AS session ON session.id = item.id AND session.bucket = item.bucket AND session.expires_at > now()
JOIN users ON users.id = session.user_id AND users.bucket = session.bucket",
    types: &[Type::INT2_ARRAY, Type::UUID_ARRAY],
};

/// The statement; `None` for a session that is gone or has expired.
pub struct FindRefresh;

impl BatchedStatement for FindRefresh {
    type Item = SessionId;
    type Outcome = Option<Stored>;

    const NAME: &'static str = "find_refresh";
    const METRIC: usize = 5;
    const PREPARED: &'static [&'static Sql] = &[&FIND];

    fn lock_order(_: &SessionId, _: &SessionId) -> Ordering {
        Ordering::Equal
    }

    fn outcome_metric(outcome: &Option<Stored>) -> usize {
        usize::from(outcome.is_none())
    }

    async fn execute(
        link: &Link,
        batch: &[Sent<'_, SessionId>],
        deadline: Instant,
    ) -> Result<Vec<Option<Stored>>, LinkError> {
        let bucket =
            Column { items: batch, element: Type::INT2, value: |session| Value::Int2(session.bucket().as_i16()) };
        let session = Column { items: batch, element: Type::UUID, value: |session| Value::Uuid(session.as_bytes()) };
        let rows = link.query(&FIND, &[&bucket, &session], deadline).await?;
        Ok(by_item(batch.len(), &rows, |row| Stored {
            user: id(row, 1),
            status: status(row, 2),
            generation: row.get::<_, i32>(3).cast_unsigned(),
            seed: seed(row, 4),
            rotated_ms_ago: row.get::<_, i64>(5).cast_unsigned(),
        }))
    }
}
