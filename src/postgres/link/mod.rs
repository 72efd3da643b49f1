//! One live connection and the only way statements get to the server: one round trip each, with a deadline, and an
//! answer that says whether the statement can have had an effect. Never sends again by itself, never holds a queue:
//! how many calls are under way at once is the connection group's decision.
//!
//! Invariant: [`LinkError::NotSent`] and [`LinkError::Refused`] mean no effect; whatever else went wrong after the
//! first byte was handed over is [`LinkError::Unknown`].
//!
//! tokio-postgres tells the `log` crate, at debug level, the parameters of each statement: password records among
//! them. Nothing may ever carry its records into our logs.

mod driver;
mod error;

pub(super) use driver::Driver;
pub use error::{LinkError, Lost, Refusal};

use super::{connect::Weakness, sqlstate::Class};
use error::describe;
use futures_lite::StreamExt;
use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::{Pin, pin},
    time::Instant,
};
use tokio_postgres::{
    Client, Error, Row, RowStream, Statement,
    error::{DbError, Severity},
    types::{ToSql, Type},
};

/// A statement of ours, known at compile time.
#[derive(Debug)]
pub struct Sql {
    /// Short and unique: it finds the prepared statement and labels metrics.
    pub name: &'static str,
    /// The statement, with `$1` for the first parameter.
    pub text: &'static str,
    /// The type of each parameter; nothing is left for the server to guess.
    pub types: &'static [Type],
}

/// What is known about the server at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The address or socket.
    pub place: String,
    /// As the server tells it, such as "15.3".
    pub version: String,
    /// Whether TLS protects the connection.
    pub encrypted: bool,
    /// Whether a pooler stands in between.
    pub pooled: bool,
    /// Why commits could be lost, where that was allowed.
    pub weakness: Option<Weakness>,
}

/// One connection to PostgreSQL, on the shard that opened it.
pub struct Link {
    // First, so that it goes first: statements dropped after it need not tell the server.
    client: Client,
    statements: RefCell<Vec<(&'static str, Statement)>>,
    driver: Driver,
    server: Server,
    /// Whether statements are prepared under a name.
    named: bool,
    in_flight: Cell<usize>,
}

impl Link {
    pub(super) fn new(client: Client, driver: Driver, server: Server, named: bool) -> Link {
        Link { client, statements: RefCell::default(), driver, server, named, in_flight: Cell::new(0) }
    }

    /// The other end.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The client itself, for what is no batch: migrations and checks, which bring their own deadlines.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Whether statements are prepared under a name, once per connection.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// Calls that wait for the server.
    pub fn in_flight(&self) -> usize {
        self.in_flight.get()
    }

    /// Whether the connection has ended or been given up; further calls are [`LinkError::NotSent`].
    pub fn is_closed(&self) -> bool {
        self.driver.is_closed() || self.client.is_closed()
    }

    /// Waits for the connection to end, and tells why it did.
    pub async fn closed(&self) -> String {
        self.driver.closed().await
    }

    /// Prepares statements ahead of their first use; does nothing on an unnamed link. One after the other, though one
    /// round trip could do for all: preparing waits for locks, and a request to cancel ends one statement only. The
    /// server would go on with the others for a client that has gone, as long as the lock is held.
    ///
    /// # Errors
    /// As [`Link::query`]; those before the refused one stay prepared.
    pub async fn prepare_all(&self, statements: &[&'static Sql], deadline: Instant) -> Result<(), LinkError> {
        if !self.named {
            return Ok(());
        }
        for sql in statements.iter().filter(|sql| self.find(sql).is_none()) {
            let progress = Progress::default();
            let preparing = Box::pin(self.client.prepare_typed(sql.text, sql.types));
            let statement = self.call(noting(preparing, &progress.touched), &progress, deadline).await?;
            self.statements.borrow_mut().push((sql.name, statement));
        }
        Ok(())
    }

    /// Runs one statement and collects its rows.
    ///
    /// A call that is dropped before its answer gives the connection up, as a passed deadline does: the server would
    /// go on working at it and the next caller would queue behind. The server is asked to cancel it.
    ///
    /// # Errors
    /// [`LinkError`], which says whether the statement may have had an effect.
    pub async fn query(
        &self,
        sql: &'static Sql,
        parameters: &[&(dyn ToSql + Sync)],
        deadline: Instant,
    ) -> Result<Vec<Row>, LinkError> {
        self.run(sql, parameters, self.named, deadline).await
    }

    /// The same for a statement that is planned each time, for the tables as they are now and the parameters it has:
    /// for what runs seldom, or would suffer long from a plan that was made while a table was small.
    ///
    /// # Errors
    /// As [`Link::query`].
    pub async fn query_planned_anew(
        &self,
        sql: &'static Sql,
        parameters: &[&(dyn ToSql + Sync)],
        deadline: Instant,
    ) -> Result<Vec<Row>, LinkError> {
        self.run(sql, parameters, false, deadline).await
    }

    /// Runs commands without parameters and rows, such as those that begin and end a transaction.
    ///
    /// # Errors
    /// As [`Link::query`].
    pub async fn command(&self, text: &str, deadline: Instant) -> Result<(), LinkError> {
        let progress = Progress::default();
        let work = pin!(self.client.batch_execute(text));
        self.call(noting(work, &progress.sent), &progress, deadline).await
    }

    /// Ends the connection without waiting for anything: what a transaction on it has done is undone by the server.
    pub(super) fn give_up(&self, reason: &str) {
        self.driver.give_up(reason, false);
    }

    async fn run(
        &self,
        sql: &'static Sql,
        parameters: &[&(dyn ToSql + Sync)],
        named: bool,
        deadline: Instant,
    ) -> Result<Vec<Row>, LinkError> {
        if parameters.len() != sql.types.len() {
            let (given, declared) = (parameters.len(), sql.types.len());
            let reason = format!("{} takes {declared} parameters, not {given}", sql.name);
            return Err(LinkError::NotSent(Lost::Parameters(reason)));
        }
        let progress = Progress::default();
        // Pinned here, so that what wraps it wraps a pointer: a future passed by value is stored anew at each level.
        let work = pin!(self.rows(sql, parameters, named, &progress));
        let outcome = self.call(work, &progress, deadline).await;
        if let Err(LinkError::Refused(refusal)) = &outcome
            && refusal.class() == Class::NotPrepared
        {
            self.statements.borrow_mut().retain(|(name, _)| *name != sql.name);
        }
        outcome
    }

    async fn rows(
        &self,
        sql: &'static Sql,
        parameters: &[&(dyn ToSql + Sync)],
        named: bool,
        progress: &Progress,
    ) -> Result<Vec<Row>, Error> {
        let stream = if named {
            let statement = match self.find(sql) {
                Some(statement) => statement,
                None => {
                    // Boxed, as the unnamed way below: these are rare and large, and would bloat each call.
                    let preparing = Box::pin(self.client.prepare_typed(sql.text, sql.types));
                    let statement = noting(preparing, &progress.touched).await?;
                    progress.touched.set(false);
                    self.statements.borrow_mut().push((sql.name, statement.clone()));
                    statement
                }
            };
            let asking = pin!(self.client.query_raw(&statement, parameters.iter().copied()));
            noting(asking, &progress.sent).await?
        } else {
            let typed = parameters.iter().copied().zip(sql.types.iter().cloned());
            noting(Box::pin(self.client.query_typed_raw(sql.text, typed)), &progress.sent).await?
        };
        let mut stream: Pin<&mut RowStream> = pin!(stream);
        let mut rows = Vec::new();
        while let Some(row) = stream.next().await {
            rows.push(row?);
        }
        Ok(rows)
    }

    fn find(&self, sql: &Sql) -> Option<Statement> {
        // A handful at most: comparing beats hashing.
        let statements = self.statements.borrow();
        statements.iter().find(|(name, _)| *name == sql.name).map(|(_, statement)| statement.clone())
    }

    async fn call<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
        progress: &Progress,
        deadline: Instant,
    ) -> Result<T, LinkError> {
        if self.is_closed() {
            return Err(LinkError::NotSent(Lost::Connection("the connection has ended".to_owned())));
        }
        let limit = deadline.saturating_duration_since(Instant::now());
        if limit.is_zero() {
            return Err(LinkError::NotSent(Lost::Deadline));
        }
        let flight = Flight::begin(self);
        match shards::timeout(limit, work).await {
            Ok(outcome) => {
                flight.land();
                outcome.map_err(|error| self.judge(&error, progress))
            }
            Err(_) => {
                drop(flight);
                Err(LinkError::lost(progress.sent.get(), Lost::Deadline))
            }
        }
    }

    /// Tells apart what certainly had no effect, and gives the connection up where it is of no more use.
    fn judge(&self, error: &Error, progress: &Progress) -> LinkError {
        let reason = describe(error);
        let sent = progress.sent.get();
        let Some(error) = error.as_db_error() else {
            // A parameter that cannot be encoded leaves the connection as it was; anything later does not.
            if !sent && !progress.touched.get() && !error.is_closed() {
                return LinkError::NotSent(Lost::Parameters(reason));
            }
            self.driver.give_up(&reason, false);
            return LinkError::lost(sent, Lost::Connection(reason));
        };
        let refusal = Refusal::new(error);
        if is_last_word(error) || refusal.class() == Class::ConnectionLost {
            self.driver.give_up(&reason, false);
            return LinkError::lost(sent, Lost::Connection(reason));
        }
        if refusal.class() == Class::ReadOnly {
            // A former primary: the next connection looks for the present one.
            self.driver.give_up(&reason, false);
        }
        LinkError::Refused(refusal)
    }
}

/// How far a call has come.
#[derive(Default)]
struct Progress {
    /// The server was asked to prepare it, and has not answered.
    touched: Cell<bool>,
    /// The statement itself went.
    sent: Cell<bool>,
}

/// After a FATAL or PANIC the server hangs up; whether it had committed by then, only looking tells.
fn is_last_word(error: &DbError) -> bool {
    matches!(error.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
}

/// Notes when a request has been handed over. tokio-postgres encodes and sends at the first poll, and what fails there
/// fails at once; so a future that waits has sent.
async fn noting<T>(work: impl Future<Output = T>, mark: &Cell<bool>) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        let outcome = work.as_mut().poll(cx);
        if outcome.is_pending() {
            mark.set(true);
        }
        outcome
    })
    .await
}

/// A call under way. Dropped before it has landed, it takes the connection with it.
struct Flight<'a>(Option<&'a Link>);

impl<'a> Flight<'a> {
    fn begin(link: &'a Link) -> Flight<'a> {
        link.in_flight.set(link.in_flight.get() + 1);
        Flight(Some(link))
    }

    fn land(mut self) {
        if let Some(link) = self.0.take() {
            link.in_flight.set(link.in_flight.get() - 1);
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if let Some(link) = self.0.take() {
            link.in_flight.set(link.in_flight.get() - 1);
            link.driver.give_up("a call was given up before its answer", true);
        }
    }
}
