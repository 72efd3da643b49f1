//! Stores new users whose requests carry an `Idempotency-Key`: whoever sends the same key again gets the first answer
//! (draft-ietf-httpapi-idempotency-key-header). The key is claimed first, in the same statement; what was claimed
//! earlier is looked up.

use super::{
    BatchedStatement, Sent,
    column::{Column, Value},
    decode::{RawUuid, place},
    register::{self, NewUser},
};
use crate::{
    account::UserId,
    postgres::link::{Link, LinkError, Lost, Sql},
};
use sha2::{Digest, Sha256};
use std::{cmp::Ordering, time::Instant};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

/// An idempotency key, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key([u8; 32]);

impl Key {
    /// The hash of what the client sent: a key of any length takes the same room.
    pub fn of(sent: &[u8]) -> Key {
        Key(Sha256::digest(sent).into())
    }

    /// Keys are spread over as many buckets as accounts are, but by themselves.
    fn bucket(&self) -> i16 {
        i16::from_be_bytes([self.0[0] & 0x0f, self.0[1]])
    }
}

/// A user to be stored once for a key.
pub struct Item {
    /// The user.
    pub user: NewUser,
    /// The key.
    pub key: Key,
    /// Tells the same request from another that comes with the same key.
    pub fingerprint: [u8; 32],
}

impl AsRef<NewUser> for Item {
    fn as_ref(&self) -> &NewUser {
        &self.user
    }
}

/// What became of one registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Stored, durably, and the key with it.
    Created,
    /// The address belongs to another user; the key will go on saying so.
    EmailTaken,
    /// The key was used before.
    Earlier(Earlier),
}

/// The first use of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// The fingerprint of the first request.
    pub fingerprint: [u8; 32],
    /// The user it created; none when the address was taken.
    pub user: Option<EarlierUser>,
}

/// What the first answer was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct EarlierUser {
    pub id: UserId,
    pub email: String,
    pub username: String,
}

/// Keys are locked before addresses, each in order, by every node: the sort forces all keys to be claimed first. Bytes
/// decide, as they do for registrations without a key: a database's own collation may see another order.
static CLAIM: Sql = Sql {
    name: "register_once",
    text: r#"WITH item AS (
    SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
                         $7::smallint[], $8::bytea[], $9::bytea[])
        AS item (bucket, id, email, username, password_hash, created_at, key_bucket, key_hash, fingerprint)
), claimed AS (
    INSERT INTO idempotency_keys (bucket, key_hash, fingerprint, user_bucket, user_id, created_at)
    SELECT key_bucket, key_hash, fingerprint, bucket, id, created_at FROM item ORDER BY key_hash
    ON CONFLICT (key_hash, bucket) DO NOTHING
    RETURNING user_id
), created AS (
    INSERT INTO users (bucket, id, email, username, password_hash, created_at, updated_at)
    SELECT bucket, id, email, username, password_hash, created_at, created_at
    FROM item JOIN claimed ON claimed.user_id = item.id
    ORDER BY email COLLATE "C"
    ON CONFLICT (email, bucket) DO NOTHING
    RETURNING bucket, id
), queued AS (
    INSERT INTO password_upgrade_queue (bucket, user_id)
    SELECT bucket, id FROM created
    RETURNING user_id
)
SELECT claimed.user_id, queued.user_id IS NOT NULL FROM claimed LEFT JOIN queued ON queued.user_id = claimed.user_id"#,
    types: &[
        Type::INT2_ARRAY,
        Type::UUID_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TEXT_ARRAY,
        Type::TIMESTAMPTZ_ARRAY,
        Type::INT2_ARRAY,
        Type::BYTEA_ARRAY,
        Type::BYTEA_ARRAY,
    ],
};

/// What the keys stand for. A statement of its own: it has to see what others have committed since. Locks the keys,
/// because the first answer is given again; see the top of [`statements`](super).
static LOOK_UP: Sql = Sql {
    name: "register_once_look_up",
    text: "SELECT item.ordinal, key.fingerprint, key.user_id, users.email, users.username
FROM unnest($1::smallint[], $2::bytea[]) WITH ORDINALITY AS item (bucket, key_hash, ordinal)
JOIN idempotency_keys AS key ON key.key_hash = item.key_hash AND key.bucket = item.bucket
LEFT JOIN users ON users.id = key.user_id AND users.bucket = key.user_bucket
FOR KEY SHARE OF key",
    types: &[Type::INT2_ARRAY, Type::BYTEA_ARRAY],
};

/// The statement.
pub struct RegisterOnce;

impl BatchedStatement for RegisterOnce {
    type Item = Item;
    type Outcome = Outcome;

    const NAME: &'static str = "register_once";
    const METRIC: usize = 1;
    const PREPARED: &'static [&'static Sql] = &[&CLAIM, &LOOK_UP];

    fn lock_order(a: &Item, b: &Item) -> Ordering {
        a.key.cmp(&b.key)
    }

    fn outcome_metric(outcome: &Outcome) -> usize {
        match outcome {
            Outcome::Created => 0,
            Outcome::EmailTaken => 1,
            Outcome::Earlier(_) => 2,
        }
    }

    async fn execute(link: &Link, batch: &[Sent<'_, Item>], deadline: Instant) -> Result<Vec<Outcome>, LinkError> {
        let claimed = claim(link, batch, deadline).await?;
        let mut outcomes: Vec<Option<Outcome>> = vec![None; batch.len()];
        for row in &claimed {
            let id: RawUuid = row.get(0);
            let at = batch.iter().position(|sent| *sent.item.user.id.as_bytes() == id.0);
            let at = at.expect("PostgreSQL returns only ids that the statement was given");
            outcomes[at] = Some(if row.get(1) { Outcome::Created } else { Outcome::EmailTaken });
        }
        // A key that could not be claimed was claimed before: by another request, or by an earlier attempt at this one.
        let open: Vec<usize> = (0..batch.len()).filter(|at| outcomes[*at].is_none()).collect();
        if !open.is_empty() {
            look_up(link, batch, &open, &mut outcomes, deadline).await?;
        }
        // A key that vanished in between had come to the end of its life; as good as never used, but not done either.
        outcomes.into_iter().map(|outcome| outcome.ok_or_else(vanished)).collect()
    }
}

fn vanished() -> LinkError {
    LinkError::Unknown(Lost::Connection("an idempotency key expired while it was looked up".to_owned()))
}

async fn claim(link: &Link, batch: &[Sent<'_, Item>], deadline: Instant) -> Result<Vec<Row>, LinkError> {
    let [bucket, id, email, username, weak, created_at] = register::parameters(batch);
    let (key_bucket, key_hash) = (key_bucket(batch), key_hash(batch));
    let fingerprint = Column { items: batch, element: Type::BYTEA, value: |item| Value::Bytes(&item.fingerprint) };
    let parameters: [&(dyn ToSql + Sync); 9] =
        [&bucket, &id, &email, &username, &weak, &created_at, &key_bucket, &key_hash, &fingerprint];
    link.query(&CLAIM, &parameters, deadline).await
}

async fn look_up(
    link: &Link,
    batch: &[Sent<'_, Item>],
    open: &[usize],
    outcomes: &mut [Option<Outcome>],
    deadline: Instant,
) -> Result<(), LinkError> {
    let items: Vec<_> = open.iter().map(|at| batch[*at]).collect();
    let rows = link.query(&LOOK_UP, &[&key_bucket(&items), &key_hash(&items)], deadline).await;
    for row in &rows.map_err(LinkError::after_an_effect)? {
        let at = open[place(row)];
        outcomes[at] = Some(earlier(row, batch[at]));
    }
    Ok(())
}

fn earlier(row: &Row, sent: Sent<'_, Item>) -> Outcome {
    let id: RawUuid = row.get(2);
    let email: Option<String> = row.get(3);
    if id.0 == *sent.item.user.id.as_bytes() {
        // Our own earlier attempt has gone through.
        return if email.is_some() { Outcome::Created } else { Outcome::EmailTaken };
    }
    let fingerprint: &[u8] = row.get(1);
    let id = UserId::stored(id.0);
    Outcome::Earlier(Earlier {
        fingerprint: fingerprint.try_into().expect("fingerprints have 32 bytes"),
        user: email.map(|email| EarlierUser { id, email, username: row.get(4) }),
    })
}

fn key_bucket<'a>(items: &'a [Sent<'a, Item>]) -> Column<'a, Item> {
    Column { items, element: Type::INT2, value: |item| Value::Int2(item.key.bucket()) }
}

fn key_hash<'a>(items: &'a [Sent<'a, Item>]) -> Column<'a, Item> {
    Column { items, element: Type::BYTEA, value: |item| Value::Bytes(&item.key.0) }
}
