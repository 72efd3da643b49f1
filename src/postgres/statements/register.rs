//! Stores new users. The email decides: who comes second, in this batch or any other, is told that it is taken.

use super::{
    BatchedStatement, Sent,
    column::{Column, Value},
    decode::RawUuid,
};
use crate::{
    account::{Email, UserId, Username},
    hardening::WeakRecord,
    postgres::link::{Link, LinkError, Sql},
};
use std::{cmp::Ordering, time::Instant};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

/// A user to be stored.
pub struct NewUser {
    /// Carries the bucket and the time of creation.
    pub id: UserId,
    /// The address, normalised.
    pub email: Email,
    /// The display name.
    pub username: Username,
    /// What the password is checked against until it has been hardened.
    pub weak: WeakRecord,
}

impl AsRef<NewUser> for NewUser {
    fn as_ref(&self) -> &NewUser {
        self
    }
}

/// What became of one registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// Stored, durably.
    Created,
    /// The address belongs to another user.
    EmailTaken,
}

/// One statement, one round trip: users and what is to be hardened, or neither. The conflict target is the address
/// alone, which spares the check of the primary key; ids are random enough never to clash.
static INSERT: Sql = Sql {
    name: "register",
    text: "WITH created AS (
    INSERT INTO users (bucket, id, email, username, password_hash, created_at, updated_at)
    SELECT bucket, id, email, username, password_hash, created_at, created_at
    FROM unnest($1::smallint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
        AS item (bucket, id, email, username, password_hash, created_at)
    ON CONFLICT (email, bucket) DO NOTHING
    RETURNING bucket, id
)
INSERT INTO password_upgrade_queue (bucket, user_id)
SELECT bucket, id FROM created
RETURNING user_id",
    types: &[
        Type::INT2_ARRAY,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TIMESTAMPTZ_ARRAY,
    ],
};

/// Finds which of these ids hold their address: what tells a commit whose reply was lost from a real conflict. Locks
/// what it finds, as every look at an uncertain outcome does; see the top of [`statements`](super).
static LOOK_AGAIN: Sql = Sql {
    name: "register_look_again",
    text: "SELECT users.id
FROM unnest($1::smallint[], $2::uuid[], $3::text[]) AS item (bucket, id, email)
JOIN users ON users.email = item.email AND users.bucket = item.bucket AND users.id = item.id
FOR KEY SHARE OF users",
    types: &[Type::INT2_ARRAY, Type::UUID_ARRAY, Type::TEXT_ARRAY],
};

/// The statement.
pub struct Register;

impl BatchedStatement for Register {
    type Item = NewUser;
    type Outcome = Registered;

    const NAME: &'static str = "register";
    const METRIC: usize = 0;
    const PREPARED: &'static [&'static Sql] = &[&INSERT, &LOOK_AGAIN];

    fn lock_order(a: &NewUser, b: &NewUser) -> Ordering {
        a.email.as_str().cmp(b.email.as_str())
    }

    fn outcome_metric(outcome: &Registered) -> usize {
        match outcome {
            Registered::Created => 0,
            Registered::EmailTaken => 1,
        }
    }

    async fn execute(
        link: &Link,
        batch: &[Sent<'_, NewUser>],
        deadline: Instant,
    ) -> Result<Vec<Registered>, LinkError> {
        let rows = insert(link, batch, deadline).await?;
        let mut outcomes = vec![Registered::EmailTaken; batch.len()];
        mark_created(batch, &rows, &mut outcomes);
        // An uncertain item that did not go in now either lost to another user or went in the first time. Doing it
        // again has waited for the first attempt to end, so what is seen now is final.
        let open: Vec<_> = (batch.iter().zip(&outcomes))
            .filter(|(sent, outcome)| sent.uncertain && **outcome == Registered::EmailTaken)
            .map(|(sent, _)| *sent)
            .collect();
        if !open.is_empty() {
            let look_again = link.query(&LOOK_AGAIN, &[&bucket(&open), &id(&open), &email(&open)], deadline).await;
            mark_created(batch, &look_again.map_err(LinkError::after_an_effect)?, &mut outcomes);
        }
        Ok(outcomes)
    }
}

async fn insert(link: &Link, batch: &[Sent<'_, NewUser>], deadline: Instant) -> Result<Vec<Row>, LinkError> {
    let columns = parameters(batch);
    let parameters: [&(dyn ToSql + Sync); 6] = columns.each_ref().map(|column| column as _);
    link.query(&INSERT, &parameters, deadline).await
}

/// The statement that stores a batch, for measuring what PostgreSQL alone does with it.
#[must_use]
pub fn statement() -> &'static Sql {
    &INSERT
}

/// The parameters of [`statement`] for a batch of users, or of what carries a user each; they are encoded straight from
/// the items.
#[must_use]
pub fn parameters<'a, I: AsRef<NewUser> + Sync>(batch: &'a [Sent<'a, I>]) -> [impl ToSql + Sync + use<'a, I>; 6] {
    let column = |element, value| Column { items: batch, element, value };
    let username = column(Type::TEXT, |item: &I| Value::Text(item.as_ref().username.as_str()));
    let weak = column(Type::TEXT, |item: &I| Value::Text(item.as_ref().weak.as_str()));
    let created_at = column(Type::TIMESTAMPTZ, |item: &I| Value::Time(item.as_ref().id.unix_ms()));
    [bucket(batch), id(batch), email(batch), username, weak, created_at]
}

fn bucket<'a, I: AsRef<NewUser> + Sync>(items: &'a [Sent<'a, I>]) -> Column<'a, I> {
    Column { items, element: Type::INT2, value: |item| Value::Int2(item.as_ref().id.bucket().as_i16()) }
}

fn id<'a, I: AsRef<NewUser> + Sync>(items: &'a [Sent<'a, I>]) -> Column<'a, I> {
    Column { items, element: Type::UUID, value: |item| Value::Uuid(item.as_ref().id.as_bytes()) }
}

fn email<'a, I: AsRef<NewUser> + Sync>(items: &'a [Sent<'a, I>]) -> Column<'a, I> {
    Column { items, element: Type::TEXT, value: |item| Value::Text(item.as_ref().email.as_str()) }
}

/// Marks the items whose ids came back. Rows come in the order of the items in practice, so that each search ends at
/// its first step; nothing relies on it.
fn mark_created(batch: &[Sent<'_, NewUser>], rows: &[Row], outcomes: &mut [Registered]) {
    let mut next = 0;
    for row in rows {
        let id: RawUuid = row.get(0);
        let found = (next..batch.len()).chain(0..next).find(|&at| *batch[at].item.id.as_bytes() == id.0);
        let at = found.expect("PostgreSQL returns only ids that the statement was given");
        outcomes[at] = Registered::Created;
        next = at + 1;
    }
}
