//! The schema: numbered migrations embedded in the binary, applied and rolled back one transaction each.
//!
//! Safe for any number of nodes at once, also through PgBouncer in transaction mode: the lock that orders them belongs
//! to the transaction, and each transaction reads the version anew once it has the lock. A migration must therefore be
//! able to run in a transaction.
//!
//! While nodes are replaced one by one, old ones meet a schema that a newer one has migrated. Each migration therefore
//! says from which version on servers can go on with it, and that is stored with it for those that do not know it: who
//! finds only migrations that allow for it serves.
//!
//! Never touches what it did not make: a `schema_migrations` of another program is
//! refused.

mod ledger;
#[cfg(test)]
mod tests;

use ledger::Recorded;
use sha2::{Digest, Sha256};
use std::{
    fmt,
    time::{Duration, SystemTime},
};
use tokio_postgres::{Client, Error, error::SqlState, types::Type};

/// How long to wait for another node's migration: longer than one of tables of ordinary size takes, short enough for
/// someone who waits to be told why.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// One numbered step of the schema.
struct Migration {
    version: u32,
    name: &'static str,
    /// Servers that need this version of the schema, or a later one, can work with what this migration makes of it.
    compatible_from: u32,
    up: &'static str,
    down: &'static str,
}

impl Migration {
    /// Of the upward file alone: correcting a way back does not make what was applied another schema.
    fn checksum(&self) -> [u8; 32] {
        Sha256::digest(self.up.as_bytes()).into()
    }
}

/// Reads the number off the file's name, so that the two cannot differ.
const fn version_in(name: &str) -> u32 {
    let digits = name.as_bytes();
    let mut version = 0;
    let mut at = 0;
    while at < 4 {
        assert!(digits[at].is_ascii_digit(), "a migration's name starts with four digits");
        version = version * 10 + (digits[at] - b'0') as u32;
        at += 1;
    }
    version
}

macro_rules! migrations {
    ($(($name:literal, $compatible_from:literal)),+ $(,)?) => {
        &[$(Migration {
            version: version_in($name),
            name: $name,
            compatible_from: $compatible_from,
            up: include_str!(concat!("../../../migrations/", $name, ".up.sql")),
            down: include_str!(concat!("../../../migrations/", $name, ".down.sql")),
        }),+]
    };
}

/// In their order, each with the version from which on servers can go on with it: an earlier one than its own if all it
/// does is to add what they do not miss, as a table, an index, or a column that has a default.
const MIGRATIONS: &[Migration] = migrations![
    ("0001_deployment", 1),
    ("0002_users", 2),
    ("0003_password_upgrade_queue", 3),
    ("0004_idempotency", 4),
    ("0005_sessions", 5),
];

const _: () = {
    let mut at = 0;
    while at < MIGRATIONS.len() {
        assert!(MIGRATIONS[at].version as usize == at + 1, "migrations are numbered from 1 without a gap");
        assert!(MIGRATIONS[at].compatible_from <= MIGRATIONS[at].version, "a migration suits the servers that need it");
        at += 1;
    }
};

/// The version of the schema that this binary works with.
pub const fn required_version() -> u32 {
    MIGRATIONS[MIGRATIONS.len() - 1].version
}

/// A migration and, where it applies, when it was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number.
    pub version: u32,
    /// The name of its file, number included.
    pub name: String,
    /// When it was applied, by the database's clock; `None` while pending.
    pub applied_at: Option<SystemTime>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl From<&Migration> for Step {
    fn from(migration: &Migration) -> Step {
        Step { version: migration.version, name: migration.name.to_owned(), applied_at: None }
    }
}

impl From<&Recorded> for Step {
    fn from(recorded: &Recorded) -> Step {
        Step { version: recorded.version, name: recorded.name.clone(), applied_at: Some(recorded.applied_at) }
    }
}

/// Where a database stands against this binary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Applied and known, lowest first.
    pub applied: Vec<Step>,
    /// Known and not applied, lowest first.
    pub pending: Vec<Step>,
    /// Applied by a newer Jeday and unknown to this one, lowest first.
    pub unknown: Vec<Step>,
    /// Those of `applied` whose file was another when they were applied.
    pub changed: Vec<Step>,
}

/// Why the schema is not one that this binary can serve from.
#[derive(Debug, thiserror::Error)]
pub enum SchemaProblem {
    /// No migration was ever applied.
    #[error("the database has no Jeday tables yet: run `jeday migrate up`")]
    Empty,
    /// Some migrations are missing.
    #[error("the database is at version {database}, this jeday needs {required}: run `jeday migrate up`")]
    Behind {
        /// Highest version applied.
        database: u32,
        /// What [`required_version`] says.
        required: u32,
    },
    /// It cannot be worked with at all.
    #[error(transparent)]
    Unusable(#[from] MigrateError),
}

/// Why migrating came to nothing; the database is as the last finished step left it.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer Jeday has been here, and has left nothing that this one can work with.
    #[error(
        "this jeday knows migrations up to {known}, the database is at {database}: use a newer jeday, \
         or migrate down with the newer one first"
    )]
    Newer {
        /// The highest version in this binary.
        known: u32,
        /// The highest version applied.
        database: u32,
    },
    /// An applied migration is not the one embedded here.
    #[error(
        "migration {0} was applied to this database with other contents than this jeday has: \
         use the jeday that applied it, or restore the file"
    )]
    Changed(String),
    /// A number is missing among those applied.
    #[error(
        "the database has later migrations but not {0}: its table schema_migrations was edited or restored in part"
    )]
    Gap(String),
    /// Asked for a version that does not exist.
    #[error("there is no migration {asked}: this jeday knows 1 to {known}")]
    NoSuchVersion {
        /// The version asked for.
        asked: u32,
        /// The highest there is.
        known: u32,
    },
    /// Asked to go up to where it would have to go down to.
    #[error("the database is at version {database} already, above {asked}: use `jeday migrate down`")]
    Above {
        /// The version asked for.
        asked: u32,
        /// The highest version applied.
        database: u32,
    },
    /// The table is someone else's.
    #[error(
        "the table schema_migrations in this database was made by another program: \
         give Jeday a database, or a schema in the role's search_path, of its own"
    )]
    Foreign,
    /// The lock was not to be had in time.
    #[error(
        "another migration has been running for over {waited_seconds} s{holder}: wait for it, or end it, and try again"
    )]
    Locked {
        /// How long this one has waited.
        waited_seconds: u64,
        /// Who has it, as far as this role may see; starts with a separator, or is empty.
        holder: String,
    },
    /// One step failed and was rolled back.
    #[error("migration {name} could not be {direction}, and nothing of it remains: {reason}")]
    Step {
        /// The name of its file.
        name: &'static str,
        /// `applied` or `rolled back`.
        direction: &'static str,
        /// The server's words.
        reason: String,
    },
    /// The role may not make tables.
    #[error(
        "the database's role may not create tables: GRANT CREATE ON SCHEMA to it, or make it the database's owner ({0})"
    )]
    Forbidden(String),
    /// The database failed or went away.
    #[error("the database did not answer as it should: {0}")]
    Database(String),
}

impl From<Error> for MigrateError {
    fn from(error: Error) -> MigrateError {
        match error.code() {
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => MigrateError::Forbidden(words(&error)),
            _ => MigrateError::Database(words(&error)),
        }
    }
}

/// The server's own message where there is one: the driver's says only that there was an error.
fn words(error: &Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |db| format!("{} (SQLSTATE {})", db.message(), db.code().code()))
}

/// What every node that uses this database agrees on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Keys the HMAC from which an email's bucket is taken.
    pub routing_key: [u8; 32],
}

/// Applies what is pending, up to `target` or to the end; returns what this call applied, none if nothing was pending.
///
/// If the future is dropped on the way, close the connection: it is in a transaction.
///
/// # Errors
/// [`MigrateError`]; the steps before the failing one stay applied.
pub async fn up(client: &Client, target: Option<u32>) -> Result<Vec<Step>, MigrateError> {
    up_waiting(client, target, LOCK_WAIT).await
}

/// As [`up`], with another bound on waiting for what another node is migrating.
///
/// # Errors
/// As [`up`].
pub async fn up_waiting(client: &Client, target: Option<u32>, wait: Duration) -> Result<Vec<Step>, MigrateError> {
    run_up(client, MIGRATIONS, target, wait).await
}

/// Rolls back the last `steps` migrations, newest first, and returns them.
///
/// What an applied file looked like is not held against it here: the way back is the way out of such a mistake.
///
/// # Errors
/// [`MigrateError`]; the steps before the failing one stay rolled back.
pub async fn down(client: &Client, steps: u32) -> Result<Vec<Step>, MigrateError> {
    run_down(client, MIGRATIONS, steps, LOCK_WAIT).await
}

/// Compares the database with this binary; changes nothing and waits for no lock.
///
/// # Errors
/// [`MigrateError::Foreign`] or [`MigrateError::Database`].
pub async fn status(client: &Client) -> Result<Status, MigrateError> {
    Ok(compare(MIGRATIONS, &ledger::read(client).await?))
}

/// Whether this binary can serve from the database as it is; returns the database's version, which may be a later one
/// than [`required_version`].
///
/// # Errors
/// [`SchemaProblem`], whose text says what to run.
pub async fn check(client: &Client) -> Result<u32, SchemaProblem> {
    let recorded = ledger::read(client).await?;
    verify(MIGRATIONS, &recorded)?;
    match recorded.last() {
        None => Err(SchemaProblem::Empty),
        Some(last) if last.version < required_version() => {
            Err(SchemaProblem::Behind { database: last.version, required: required_version() })
        }
        Some(last) => Ok(last.version),
    }
}

/// Reads the deployment's row.
///
/// # Errors
/// [`MigrateError::Database`], also when the migrations have not been applied.
pub async fn deployment(client: &Client) -> Result<Deployment, MigrateError> {
    let row = client.query_typed_one("SELECT routing_key FROM deployment", &[]).await?;
    let key: &[u8] = row.try_get(0)?;
    let routing_key = key
        .try_into()
        .map_err(|_| MigrateError::Database(format!("the routing key has {} bytes instead of 32", key.len())))?;
    Ok(Deployment { routing_key })
}

async fn run_up(
    client: &Client,
    known: &'static [Migration],
    target: Option<u32>,
    wait: Duration,
) -> Result<Vec<Step>, MigrateError> {
    let highest = known.len() as u32;
    let asked = target;
    let target = target.unwrap_or(highest);
    if target == 0 || target > highest {
        return Err(MigrateError::NoSuchVersion { asked: target, known: highest });
    }
    let mut done = Vec::new();
    loop {
        let step = ledger::locked(client, wait, async |recorded| {
            verify(known, recorded)?;
            let at = recorded.last().map_or(0, |last| last.version);
            // Without a target whatever suits this binary is up already.
            if let Some(asked) = asked.filter(|&asked| at > asked && done.is_empty()) {
                return Err(MigrateError::Above { asked, database: at });
            }
            let Some(next) = known.get(at as usize).filter(|next| next.version <= target) else { return Ok(None) };
            client.batch_execute(next.up).await.map_err(|error| failed(next, "applied", &error))?;
            ledger::record(client, next).await?;
            Ok(Some(Step::from(next)))
        })
        .await?;
        match step {
            Some(step) => done.push(step),
            None => return Ok(done),
        }
    }
}

async fn run_down(
    client: &Client,
    known: &'static [Migration],
    steps: u32,
    wait: Duration,
) -> Result<Vec<Step>, MigrateError> {
    let mut done = Vec::new();
    // Settled under the first lock, from what is there then.
    let mut goal = None;
    loop {
        let step = ledger::locked(client, wait, async |recorded| {
            let at = recorded.last().map_or(0, |last| last.version);
            if at > known.len() as u32 {
                return Err(MigrateError::Newer { known: known.len() as u32, database: at });
            }
            let goal = *goal.get_or_insert(at.saturating_sub(steps));
            let Some(last) = at.checked_sub(1).and_then(|index| known.get(index as usize)).filter(|_| at > goal) else {
                return Ok(None);
            };
            client.batch_execute(last.down).await.map_err(|error| failed(last, "rolled back", &error))?;
            client
                .execute_typed(
                    "DELETE FROM schema_migrations WHERE version = $1",
                    &[(&last.version.cast_signed(), Type::INT4)],
                )
                .await?;
            Ok(Some(Step::from(last)))
        })
        .await?;
        match step {
            Some(step) => done.push(step),
            None => return Ok(done),
        }
    }
}

fn failed(migration: &Migration, direction: &'static str, error: &Error) -> MigrateError {
    MigrateError::Step { name: migration.name, direction, reason: words(error) }
}

/// Whether what was applied is the beginning of what is known, without a gap or a difference, or goes on from its end
/// with nothing but what servers of this version can work with.
fn verify(known: &[Migration], recorded: &[Recorded]) -> Result<(), MigrateError> {
    let highest = known.len() as u32;
    let suits = |applied: &Recorded| applied.compatible_from.is_some_and(|version| version <= highest);
    if let Some(last) = recorded.last()
        && !recorded.iter().filter(|applied| applied.version > highest).all(suits)
    {
        return Err(MigrateError::Newer { known: highest, database: last.version });
    }
    for (migration, applied) in known.iter().zip(recorded) {
        if migration.version != applied.version {
            return Err(MigrateError::Gap(migration.name.to_owned()));
        }
        if migration.checksum() != applied.checksum.as_slice() {
            return Err(MigrateError::Changed(applied.name.clone()));
        }
    }
    Ok(())
}

fn compare(known: &[Migration], recorded: &[Recorded]) -> Status {
    let mut status = Status::default();
    for migration in known {
        match recorded.iter().find(|applied| applied.version == migration.version) {
            Some(applied) => {
                if migration.checksum() != applied.checksum.as_slice() {
                    status.changed.push(applied.into());
                }
                status.applied.push(applied.into());
            }
            None => status.pending.push(migration.into()),
        }
    }
    status.unknown = recorded.iter().filter(|applied| applied.version as usize > known.len()).map(Step::from).collect();
    status
}
