//! Batched statements, one file each: the item, the outcome, the SQL and the decoding. Never more than one round trip
//! on the common path, one transaction each, and one outcome for every item.
//!
//! Each finds its rows by a key. Hot ones are prepared, and the server then plans them for ten items, for which a small
//! table seems best read from end to end; it keeps that plan when the table has grown. `LIMIT cardinality($1)` takes
//! nothing away from the items, but has it plan for one, and use the index. The others are planned anew each time.
//!
//! What an earlier attempt has done is seen by everybody once nobody waits for its commit any longer, though a
//! synchronous standby may not have it. So whatever is confirmed because it was found is locked as it is found: a lock
//! is written to the log after what it locks, and its own commit waits until the standby has both.

mod column;
pub(super) mod decode;
pub mod end_all_sessions;
pub mod end_session;
pub mod expire_keys;
pub mod expire_sessions;
pub mod find_credentials;
pub mod find_refresh;
pub mod find_session;
pub mod harden;
pub mod list_sessions;
pub mod register;
pub mod register_once;
pub mod rotate_session;
pub mod start_session;

use crate::{
    postgres::link::{Link, LinkError, Sql},
    telemetry::StatementName,
};
use std::{cmp::Ordering, future::Future, time::Instant};

/// The statements by [`BatchedStatement::METRIC`], with their outcomes by [`BatchedStatement::outcome_metric`].
pub const NAMES: &[StatementName] = &[
    StatementName { name: register::Register::NAME, outcomes: &["created", "email_taken"] },
    StatementName { name: register_once::RegisterOnce::NAME, outcomes: &["created", "email_taken", "earlier"] },
    StatementName { name: expire_keys::ExpireKeys::NAME, outcomes: &["done", "more"] },
    StatementName { name: find_credentials::FindCredentials::NAME, outcomes: &["found", "absent"] },
    StatementName { name: find_session::FindSession::NAME, outcomes: &["found", "absent"] },
    StatementName { name: find_refresh::FindRefresh::NAME, outcomes: &["found", "absent"] },
    StatementName { name: list_sessions::ListSessions::NAME, outcomes: &["listed", "not_authenticated"] },
    StatementName {
        name: start_session::StartSession::NAME,
        outcomes: &["started", "credential_changed", "user_shut_out", "user_gone"],
    },
    StatementName { name: rotate_session::RotateSession::NAME, outcomes: &["rotated", "not_current"] },
    StatementName { name: end_session::EndSession::NAME, outcomes: &["ended", "no_such_session", "not_authenticated"] },
    StatementName { name: end_all_sessions::EndAllSessions::NAME, outcomes: &["ended", "not_authenticated"] },
    StatementName { name: harden::Harden::NAME, outcomes: &["hardened", "stale"] },
    StatementName { name: expire_sessions::ExpireSessions::NAME, outcomes: &["done", "more"] },
];

/// One item of a batch on its way.
#[derive(Debug)]
pub struct Sent<'a, I> {
    /// Its place among those that wait, before they were put in the order of their locks.
    pub place: usize,
    /// The item.
    pub item: &'a I,
    /// An earlier attempt may have committed it, so that its absence from the reply does not yet say why.
    pub uncertain: bool,
}

impl<I> Clone for Sent<'_, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I> Copy for Sent<'_, I> {}

/// A statement that does many items in one round trip.
pub trait BatchedStatement: 'static {
    /// What goes in.
    type Item: 'static;
    /// What each item gets back.
    type Outcome: 'static;

    /// Short name for metrics and logs.
    const NAME: &'static str;

    /// Its place among the metrics.
    const METRIC: usize;

    /// What is to be prepared on each connection.
    const PREPARED: &'static [&'static Sql];

    /// The order in which items take their locks. It has to be the same on every connection of every node, or two
    /// batches that share two keys wait for each other until PostgreSQL ends one of them.
    fn lock_order(a: &Self::Item, b: &Self::Item) -> Ordering;

    /// The place of an outcome among those that the metrics name.
    fn outcome_metric(outcome: &Self::Outcome) -> usize;

    /// Runs the batch; outcomes come in the order of the items.
    ///
    /// # Errors
    /// [`LinkError`], for the batch as a whole.
    fn execute(
        link: &Link,
        batch: &[Sent<'_, Self::Item>],
        deadline: Instant,
    ) -> impl Future<Output = Result<Vec<Self::Outcome>, LinkError>>;
}
