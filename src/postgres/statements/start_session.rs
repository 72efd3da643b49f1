//! Starts sessions, for those whose password was right a moment ago: only while the record that was checked is still
//! the one in force, and the user is not shut out. Never looks at a password.
//!
//! What holds of the number of sessions: each batch, once its sessions are committed, ends the oldest live ones of its
//! users beyond the limit, and nobody is answered before. So whenever no start is under way for a user, there are no
//! more than that, whichever connections and nodes the log-ins came over; while some are, there can be as many more.

use super::{
    BatchedStatement, Sent,
    column::{Column, Value},
    decode::{place, status},
};
use crate::{
    account::{SessionId, Status, UserId},
    limits::USER_AGENT_BYTES_MAX,
    postgres::link::{Link, LinkError, Sql},
};
use std::{cmp::Ordering, net::IpAddr, time::Duration, time::Instant};
use tokio_postgres::types::{ToSql, Type};

/// A session to be started.
pub struct NewSession {
    /// In the bucket of its user.
    pub id: SessionId,
    /// Whose session it is.
    pub user: UserId,
    /// Random; what the secrets of its refresh tokens are made of, together with a key.
    pub seed: [u8; 16],
    /// Where the client is.
    pub ip: Option<IpAddr>,
    /// What the client calls itself; cut to [`USER_AGENT_BYTES_MAX`].
    pub user_agent: Option<Box<str>>,
    /// How long the session lives without being used.
    pub idle: Duration,
    /// How long it lives at most.
    pub absolute: Duration,
    /// Live sessions of one user at most; the oldest end.
    pub per_user_max: u32,
    /// `$<salt>$` of the record that was checked. Hardening keeps the salt, a new password gets a new one.
    pub credential: String,
}

/// What became of a log-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// The session is there, durably; its generation is 0.
    Started,
    /// The password was changed since it was looked up.
    CredentialChanged,
    /// The user was blocked or deleted since.
    UserShutOut(Status),
    /// There is no such user any more.
    UserGone,
}

/// The rows of the users are locked, in the order of their ids: who changes a password waits for the sessions that the
/// old one started and can end them, or is waited for and seen here. 2 is blocked, 3 deleted. An empty credential would
/// be part of every record, so it counts for none.
static START: Sql = Sql {
    name: "start_session",
    text: "WITH item AS (
    SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], $4::bytea[], $5::inet[], $6::text[], $7::interval[],
                         $8::interval[], $9::text[]) WITH ORDINALITY
        AS item (bucket, id, user_id, seed, ip, user_agent, idle, absolute, credential, ordinal)
), holder AS MATERIALIZED (
    SELECT item.ordinal, users.status,
        coalesce(strpos(users.password_hash, nullif(item.credential, '')) > 0, false) AS is_current
    FROM item JOIN users ON users.id = item.user_id AND users.bucket = item.bucket
    ORDER BY users.id
    FOR NO KEY UPDATE OF users
), started AS (
    INSERT INTO sessions (created_at, rotated_at, expires_at, id, user_id, bucket, seed, ip, user_agent)
    SELECT now(), now(), now() + least(idle, absolute), id, user_id, bucket, seed, ip, user_agent
    FROM item JOIN holder ON holder.ordinal = item.ordinal
    WHERE holder.is_current AND holder.status NOT IN (2, 3)
    ON CONFLICT (id, bucket) DO NOTHING
    RETURNING id
)
SELECT holder.ordinal, holder.status, holder.is_current, started.id IS NOT NULL
FROM holder JOIN item ON item.ordinal = holder.ordinal LEFT JOIN started ON started.id = item.id",
    types: &[
        Type::INT2_ARRAY,
        Type::UUID_ARRAY,
        Type::UUID_ARRAY,
        Type::BYTEA_ARRAY,
        Type::INET_ARRAY,
        Type::TEXT_ARRAY,
        Type::INTERVAL_ARRAY,
        Type::INTERVAL_ARRAY,
        Type::TEXT_ARRAY,
    ],
};

/// Finds which of these sessions there are: what tells a commit whose reply was lost.
static LOOK_AGAIN: Sql = Sql {
    name: "start_session_look_again",
    text: "SELECT item.ordinal
FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], $4::bytea[]) WITH ORDINALITY
    AS item (bucket, id, user_id, seed, ordinal)
JOIN sessions AS session ON session.id = item.id AND session.bucket = item.bucket
    AND session.user_id = item.user_id AND session.seed = item.seed
FOR KEY SHARE OF session",
    types: &[Type::INT2_ARRAY, Type::UUID_ARRAY, Type::UUID_ARRAY, Type::BYTEA_ARRAY],
};

/// Ends the oldest sessions of these users. A statement of its own: it has to see what others have committed since.
static END_OLDEST: Sql = Sql {
    name: "start_session_end_oldest",
    text: "WITH oldest AS (
    SELECT item.bucket, session.id
    FROM unnest($1::smallint[], $2::uuid[], $3::integer[]) AS item (bucket, user_id, most)
    CROSS JOIN LATERAL (
        SELECT id FROM sessions
        WHERE user_id = item.user_id AND bucket = item.bucket AND expires_at > now()
        ORDER BY created_at DESC, id DESC OFFSET item.most
    ) AS session
), locked AS MATERIALIZED (
    SELECT session.id, session.bucket
    FROM sessions AS session JOIN oldest ON session.id = oldest.id AND session.bucket = oldest.bucket
    ORDER BY session.id
    FOR UPDATE OF session
)
DELETE FROM sessions AS session USING locked WHERE session.id = locked.id AND session.bucket = locked.bucket",
    types: &[Type::INT2_ARRAY, Type::UUID_ARRAY, Type::INT4_ARRAY],
};

/// The statement. Planned anew each time: a log-in costs the server a password hash, and comes seldom beside that.
pub struct StartSession;

impl BatchedStatement for StartSession {
    type Item = NewSession;
    type Outcome = Started;

    const NAME: &'static str = "start_session";
    const METRIC: usize = 7;
    const PREPARED: &'static [&'static Sql] = &[];

    fn lock_order(a: &NewSession, b: &NewSession) -> Ordering {
        a.user.cmp(&b.user)
    }

    fn outcome_metric(outcome: &Started) -> usize {
        match outcome {
            Started::Started => 0,
            Started::CredentialChanged => 1,
            Started::UserShutOut(_) => 2,
            Started::UserGone => 3,
        }
    }

    async fn execute(
        link: &Link,
        batch: &[Sent<'_, NewSession>],
        deadline: Instant,
    ) -> Result<Vec<Started>, LinkError> {
        let mut outcomes = start(link, batch, deadline).await?;
        after_the_start(link, batch, &mut outcomes, deadline).await.map_err(LinkError::after_an_effect)?;
        Ok(outcomes)
    }
}

async fn start(link: &Link, batch: &[Sent<'_, NewSession>], deadline: Instant) -> Result<Vec<Started>, LinkError> {
    let column = |element, value| Column { items: batch, element, value };
    let ip = column(Type::INET, |item| item.ip.map_or(Value::Null, Value::Address));
    let user_agent = column(Type::TEXT, |item| Value::text(item.user_agent.as_deref().map(shortened)));
    let idle = column(Type::INTERVAL, |item| Value::Span(item.idle));
    let absolute = column(Type::INTERVAL, |item| Value::Span(item.absolute));
    let credential = column(Type::TEXT, |item| Value::Text(&item.credential));
    let (bucket, id, user, seed) = (bucket(batch), id(batch), user(batch), seed(batch));
    let parameters: [&(dyn ToSql + Sync); 9] =
        [&bucket, &id, &user, &seed, &ip, &user_agent, &idle, &absolute, &credential];
    let rows = link.query_planned_anew(&START, &parameters, deadline).await?;
    let mut outcomes = vec![Started::UserGone; batch.len()];
    for row in &rows {
        // An id that somebody else's session has is as good as a password that has changed: log in again.
        outcomes[place(row)] = match (row.get(2), status(row, 1), row.get(3)) {
            (_, _, true) => Started::Started,
            (true, status @ (Status::Blocked | Status::Deleted), false) => Started::UserShutOut(status),
            (_, _, false) => Started::CredentialChanged,
        };
    }
    Ok(outcomes)
}

async fn after_the_start(
    link: &Link,
    batch: &[Sent<'_, NewSession>],
    outcomes: &mut [Started],
    deadline: Instant,
) -> Result<(), LinkError> {
    // Doing it again has waited for the first attempt to end, so what is seen now is final.
    let open: Vec<usize> =
        (0..batch.len()).filter(|at| batch[*at].uncertain && outcomes[*at] != Started::Started).collect();
    if !open.is_empty() {
        let items: Vec<_> = open.iter().map(|at| batch[*at]).collect();
        let parameters: [&(dyn ToSql + Sync); 4] = [&bucket(&items), &id(&items), &user(&items), &seed(&items)];
        for row in link.query_planned_anew(&LOOK_AGAIN, &parameters, deadline).await? {
            outcomes[open[place(&row)]] = Started::Started;
        }
    }
    let started: Vec<_> = (batch.iter().zip(outcomes))
        .filter(|(_, outcome)| **outcome == Started::Started)
        .map(|(sent, _)| *sent)
        .collect();
    if !started.is_empty() {
        let most = Column {
            items: &started,
            element: Type::INT4,
            value: |item| Value::Int4(i32::try_from(item.per_user_max).unwrap_or(i32::MAX)),
        };
        link.query_planned_anew(&END_OLDEST, &[&bucket(&started), &user(&started), &most], deadline).await?;
    }
    Ok(())
}

/// As much of what a client calls itself as is kept.
pub(super) fn shortened(user_agent: &str) -> &str {
    &user_agent[..user_agent.floor_char_boundary(USER_AGENT_BYTES_MAX)]
}

fn bucket<'a>(items: &'a [Sent<'a, NewSession>]) -> Column<'a, NewSession> {
    Column { items, element: Type::INT2, value: |item| Value::Int2(item.user.bucket().as_i16()) }
}

fn id<'a>(items: &'a [Sent<'a, NewSession>]) -> Column<'a, NewSession> {
    Column { items, element: Type::UUID, value: |item| Value::Uuid(item.id.as_bytes()) }
}

fn user<'a>(items: &'a [Sent<'a, NewSession>]) -> Column<'a, NewSession> {
    Column { items, element: Type::UUID, value: |item| Value::Uuid(item.user.as_bytes()) }
}

fn seed<'a>(items: &'a [Sent<'a, NewSession>]) -> Column<'a, NewSession> {
    Column { items, element: Type::BYTEA, value: |item| Value::Bytes(&item.seed) }
}
