//! Moves sessions on to their next generation. Compare-and-set decides: of those who present the same generation, on
//! whichever shards and nodes, one is the rotation, and the others are told to look again.

use super::{
    BatchedStatement, Sent,
    column::{Column, Value},
    decode::{by_item, id, place, seed},
    start_session::shortened,
};
use crate::{
    account::{SessionId, UserId},
    postgres::link::{Link, LinkError, Sql},
};
use std::{cmp::Ordering, net::IpAddr, time::Duration, time::Instant};
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

/// A session to be moved on.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// Which session.
    pub session: SessionId,
    /// The generation that was presented.
    pub generation: u32,
    /// The proof that was presented with it.
    pub proof: [u8; 16],
    /// Whether a user who has confirmed nothing yet may go on.
    pub pending_may: bool,
    /// Where the client is.
    pub ip: Option<IpAddr>,
    /// What the client calls itself; cut to [`USER_AGENT_BYTES_MAX`](crate::limits::USER_AGENT_BYTES_MAX).
    pub user_agent: Option<Box<str>>,
    /// How long the session lives without being used.
    pub idle: Duration,
    /// How long it lives at most, from its start.
    pub absolute: Duration,
}

/// A session that is one generation further, durably.
#[derive(Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Whose session it is.
    pub user: UserId,
    /// What its refresh tokens are made of.
    pub seed: [u8; 16],
}

/// Of two items for one session, one is joined to its row and comes back; the other does not. 0 is pending, 1 active.
static ROTATE: Sql = Sql {
    name: "rotate_session",
    text: "UPDATE sessions AS session
SET generation = session.generation + 1, rotated_at = now(), ip = item.ip, user_agent = item.user_agent,
    expires_at = least(now() + item.idle, session.created_at + item.absolute)
FROM (
    SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::integer[], $4::bytea[], $5::boolean[], $6::inet[], $7::text[],
                         $8::interval[], $9::interval[]) WITH ORDINALITY
        AS item (bucket, id, generation, proof, pending_may, ip, user_agent, idle, absolute, ordinal)
    LIMIT cardinality($1)
) AS item, users
WHERE session.id = item.id AND session.bucket = item.bucket AND session.generation = item.generation
    AND substr(sha256(session.seed || int4send(item.generation)), 1, 16) = item.proof AND session.expires_at > now()
    AND users.id = session.user_id AND users.bucket = session.bucket
    AND (users.status = 1 OR users.status = 0 AND item.pending_may)
RETURNING item.ordinal, session.user_id, session.seed",
    types: &[
        Type::INT2_ARRAY,
        Type::UUID_ARRAY,
        Type::INT4_ARRAY,
        Type::BYTEA_ARRAY,
        Type::BOOL_ARRAY,
        Type::INET_ARRAY,
        Type::TEXT_ARRAY,
        Type::INTERVAL_ARRAY,
        Type::INTERVAL_ARRAY,
    ],
};

/// Finds which of these sessions are one generation further.
static LOOK_AGAIN: Sql = Sql {
    name: "rotate_session_look_again",
    text: "SELECT item.ordinal, session.user_id, session.seed
FROM unnest($1::smallint[], $2::uuid[], $3::integer[], $4::bytea[]) WITH ORDINALITY
    AS item (bucket, id, generation, proof, ordinal)
JOIN sessions AS session ON session.id = item.id AND session.bucket = item.bucket
    AND session.generation - 1 = item.generation AND session.expires_at > now()
    AND substr(sha256(session.seed || int4send(item.generation)), 1, 16) = item.proof
FOR KEY SHARE OF session",
    types: &[Type::INT2_ARRAY, Type::UUID_ARRAY, Type::INT4_ARRAY, Type::BYTEA_ARRAY],
};

/// The statement; `None` when another was faster, the proof is not of this session, or it or its user is shut out.
pub struct RotateSession;

impl BatchedStatement for RotateSession {
    type Item = Item;
    type Outcome = Option<Rotated>;

    const NAME: &'static str = "rotate_session";
    const METRIC: usize = 8;
    const PREPARED: &'static [&'static Sql] = &[&ROTATE];

    fn lock_order(a: &Item, b: &Item) -> Ordering {
        a.session.cmp(&b.session)
    }

    fn outcome_metric(outcome: &Option<Rotated>) -> usize {
        usize::from(outcome.is_none())
    }

    async fn execute(
        link: &Link,
        batch: &[Sent<'_, Item>],
        deadline: Instant,
    ) -> Result<Vec<Option<Rotated>>, LinkError> {
        let rows = rotate(link, batch, deadline).await?;
        let mut outcomes = by_item(batch.len(), &rows, rotated);
        // An earlier attempt may have gone through: then the session is one generation further. If it was somebody
        // else's rotation, no harm is done: the secret of the successor follows from the session and the generation,
        // so both get the same token, as two who present one generation within the grace do anyway.
        let open: Vec<usize> = (0..batch.len()).filter(|at| batch[*at].uncertain && outcomes[*at].is_none()).collect();
        if !open.is_empty() {
            let items: Vec<_> = open.iter().map(|at| batch[*at]).collect();
            let parameters: [&(dyn ToSql + Sync); 4] =
                [&bucket(&items), &session(&items), &generation(&items), &proof(&items)];
            let look_again = link.query_planned_anew(&LOOK_AGAIN, &parameters, deadline).await;
            for row in look_again.map_err(LinkError::after_an_effect)? {
                outcomes[open[place(&row)]] = Some(rotated(&row));
            }
        }
        Ok(outcomes)
    }
}

fn rotated(row: &Row) -> Rotated {
    Rotated { user: id(row, 1), seed: seed(row, 2) }
}

async fn rotate(link: &Link, batch: &[Sent<'_, Item>], deadline: Instant) -> Result<Vec<Row>, LinkError> {
    let column = |element, value| Column { items: batch, element, value };
    let ip = column(Type::INET, |item| item.ip.map_or(Value::Null, Value::Address));
    let user_agent = column(Type::TEXT, |item| Value::text(item.user_agent.as_deref().map(shortened)));
    let idle = column(Type::INTERVAL, |item| Value::Span(item.idle));
    let absolute = column(Type::INTERVAL, |item| Value::Span(item.absolute));
    let pending_may = column(Type::BOOL, |item| Value::Bool(item.pending_may));
    let (bucket, session, generation, proof) = (bucket(batch), session(batch), generation(batch), proof(batch));
    let parameters: [&(dyn ToSql + Sync); 9] =
        [&bucket, &session, &generation, &proof, &pending_may, &ip, &user_agent, &idle, &absolute];
    link.query(&ROTATE, &parameters, deadline).await
}

fn bucket<'a>(items: &'a [Sent<'a, Item>]) -> Column<'a, Item> {
    Column { items, element: Type::INT2, value: |item| Value::Int2(item.session.bucket().as_i16()) }
}

fn session<'a>(items: &'a [Sent<'a, Item>]) -> Column<'a, Item> {
    Column { items, element: Type::UUID, value: |item| Value::Uuid(item.session.as_bytes()) }
}

/// A number that no session can have turns negative, and finds none.
fn generation<'a>(items: &'a [Sent<'a, Item>]) -> Column<'a, Item> {
    Column { items, element: Type::INT4, value: |item| Value::Int4(item.generation.cast_signed()) }
}

fn proof<'a>(items: &'a [Sent<'a, Item>]) -> Column<'a, Item> {
    Column { items, element: Type::BYTEA, value: |item| Value::Bytes(&item.proof) }
}
