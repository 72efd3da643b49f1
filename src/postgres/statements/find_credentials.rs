//! Finds what a password is checked against, by email. Never says whether one is right.

use super::{
    BatchedStatement, Sent,
    column::{Column, Value},
    decode::{by_item, id, status},
};
use crate::{
    account::{Bucket, Email, Status, UserId},
    postgres::link::{Link, LinkError, Sql},
};
use std::{cmp::Ordering, time::Instant};
use tokio_postgres::types::Type;
use zeroize::Zeroizing;

/// Whose credentials.
pub struct Item {
    /// The address, normalised.
    pub email: Email,
    /// The bucket of that address.
    pub bucket: Bucket,
}

/// What is known under an address.
pub struct Credentials {
    /// The user's id.
    pub user: UserId,
    /// The display name.
    pub username: String,
    /// Told to nobody before the password was right.
    pub status: Status,
    /// The stored record; none for an account without a password.
    pub password_hash: Option<Zeroizing<String>>,
}

static FIND: Sql = Sql {
    name: "find_credentials",
    text: "SELECT item.ordinal, users.id, users.username, users.status, users.password_hash
FROM (
    SELECT * FROM unnest($1::smallint[], $2::text[]) WITH ORDINALITY AS item (bucket, email, ordinal)
    LIMIT cardinality($1)
) AS item
JOIN users ON users.email = item.email AND users.bucket = item.bucket",
    types: &[Type::INT2_ARRAY, Type::TEXT_ARRAY],
};

/// The statement; `None` for an address that nobody has.
pub struct FindCredentials;

impl BatchedStatement for FindCredentials {
    type Item = Item;
    type Outcome = Option<Credentials>;

    const NAME: &'static str = "find_credentials";
    const METRIC: usize = 3;
    const PREPARED: &'static [&'static Sql] = &[&FIND];

    fn lock_order(_: &Item, _: &Item) -> Ordering {
        Ordering::Equal
    }

    fn outcome_metric(outcome: &Option<Credentials>) -> usize {
        usize::from(outcome.is_none())
    }

    async fn execute(
        link: &Link,
        batch: &[Sent<'_, Item>],
        deadline: Instant,
    ) -> Result<Vec<Option<Credentials>>, LinkError> {
        let bucket = Column { items: batch, element: Type::INT2, value: |item| Value::Int2(item.bucket.as_i16()) };
        let email = Column { items: batch, element: Type::TEXT, value: |item| Value::Text(item.email.as_str()) };
        let rows = link.query(&FIND, &[&bucket, &email], deadline).await?;
        Ok(by_item(batch.len(), &rows, |row| Credentials {
            user: id(row, 1),
            username: row.get(2),
            status: status(row, 3),
            password_hash: row.get::<_, Option<String>>(4).map(Zeroizing::new),
        }))
    }
}
