//! Batched statements, one file each: the item, the outcome, the SQL and the decoding. Never more than one round trip
//! on the common path, one transaction each, and one outcome for every item.

mod column;
pub mod expire_keys;
pub mod register;
pub mod register_once;

use crate::{
    postgres::link::{Link, LinkError, Sql},
    telemetry::StatementName,
};
use std::{cmp::Ordering, error::Error, future::Future, time::Instant};
use tokio_postgres::types::{FromSql, Type};

/// The 16 bytes of a `uuid` column.
struct RawUuid([u8; 16]);

impl<'a> FromSql<'a> for RawUuid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(RawUuid(raw.try_into()?))
    }

    fn accepts(column: &Type) -> bool {
        *column == Type::UUID
    }
}

/// The statements by [`BatchedStatement::METRIC`], with their outcomes by [`BatchedStatement::outcome_metric`].
pub const NAMES: &[StatementName] = &[
    StatementName { name: register::Register::NAME, outcomes: &["created", "email_taken"] },
    StatementName { name: register_once::RegisterOnce::NAME, outcomes: &["created", "email_taken", "earlier"] },
    StatementName { name: expire_keys::ExpireKeys::NAME, outcomes: &["done", "more"] },
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
