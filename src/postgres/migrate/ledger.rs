//! The table that records what was applied, and the transaction under whose lock it is read and written.
//! Knows nothing of what a migration contains.

use super::{MigrateError, Migration};
use std::time::{Duration, SystemTime};
use tokio_postgres::{Client, error::SqlState, types::Type};

/// The advisory lock of all migrations: `jeday` in ASCII. Advisory locks are separate for each database.
const LOCK: i64 = 0x6a_65_64_61_79;

/// Statements of a migration give up on a table's lock after this long: while one waits for a long transaction to end,
/// every statement behind it on that table waits too.
const TABLE_LOCK_WAIT: Duration = Duration::from_secs(10);

/// A row of the table.
pub(super) struct Recorded {
    pub version: u32,
    pub name: String,
    pub checksum: Vec<u8>,
    pub applied_at: SystemTime,
    /// The version from which on servers can work with it; `None` if it was applied before that was recorded.
    pub compatible_from: Option<u32>,
}

/// Every row, lowest version first; none if there is no such table.
pub(super) async fn read(client: &Client) -> Result<Vec<Recorded>, MigrateError> {
    // By way of JSON, in which a column that is not there yet is null.
    let rows = client
        .query_typed(
            "SELECT version, name, checksum, applied_at, (to_jsonb(row) ->> 'compatible_from')::int \
             FROM schema_migrations AS row ORDER BY version",
            &[],
        )
        .await;
    let rows = match rows {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(Vec::new()),
        // Other programs call their table so too.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_COLUMN) => return Err(MigrateError::Foreign),
        rows => rows?,
    };
    rows.iter()
        .map(|row| {
            Ok(Recorded {
                version: row.try_get::<_, i32>(0)?.cast_unsigned(),
                name: row.try_get(1)?,
                checksum: row.try_get(2)?,
                applied_at: row.try_get(3)?,
                compatible_from: row.try_get::<_, Option<i32>>(4)?.map(i32::cast_unsigned),
            })
        })
        .collect()
}

/// Records that this was applied, in the transaction that holds the lock.
pub(super) async fn record(client: &Client, migration: &Migration) -> Result<(), MigrateError> {
    // Tables of before there was such a column get it with the next migration.
    client.batch_execute("ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS compatible_from int").await?;
    client
        .execute_typed(
            "INSERT INTO schema_migrations (version, name, checksum, compatible_from) VALUES ($1, $2, $3, $4)",
            &[
                (&migration.version.cast_signed(), Type::INT4),
                (&migration.name, Type::TEXT),
                (&migration.checksum().as_slice(), Type::BYTEA),
                (&migration.compatible_from.cast_signed(), Type::INT4),
            ],
        )
        .await?;
    Ok(())
}

/// Runs `work` in a transaction that holds the lock, with what is recorded as of the moment it got it. Commits what
/// `work` did, or rolls all of it back if it failed.
pub(super) async fn locked<T>(
    client: &Client,
    wait: Duration,
    work: impl AsyncFnOnce(&[Recorded]) -> Result<T, MigrateError>,
) -> Result<T, MigrateError> {
    let ended = async {
        begin(client, wait).await?;
        work(&read(client).await?).await
    }
    .await;
    match ended {
        Ok(done) => {
            client.batch_execute("COMMIT").await?;
            Ok(done)
        }
        Err(error) => {
            // When the connection is gone the server rolls back by itself; the first error is the one to tell.
            let _ = client.batch_execute("ROLLBACK").await;
            match error {
                MigrateError::Locked { waited_seconds, .. } => {
                    Err(MigrateError::Locked { waited_seconds, holder: holder(client).await })
                }
                error => Err(error),
            }
        }
    }
}

async fn begin(client: &Client, wait: Duration) -> Result<(), MigrateError> {
    // Read committed whatever the role's default is: the reading after the lock must see what its last holder
    // committed. A role's statement timeout is meant for requests, not for this.
    client
        .batch_execute(&format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
             SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
             SET LOCAL client_min_messages = warning; SET LOCAL lock_timeout = {}",
            wait.as_millis()
        ))
        .await?;
    match client.query_typed("SELECT pg_advisory_xact_lock($1)", &[(&LOCK, Type::INT8)]).await {
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
            return Err(MigrateError::Locked { waited_seconds: wait.as_secs(), holder: String::new() });
        }
        locked => locked?,
    };
    client
        .batch_execute(&format!(
            "SET LOCAL lock_timeout = {}; \
             CREATE TABLE IF NOT EXISTS schema_migrations (\
                 version int PRIMARY KEY, name text NOT NULL, checksum bytea NOT NULL, \
                 applied_at timestamptz NOT NULL DEFAULT clock_timestamp())",
            TABLE_LOCK_WAIT.as_millis()
        ))
        .await?;
    Ok(())
}

/// Names the session that holds the lock, as far as this role may see it.
async fn holder(client: &Client) -> String {
    let found = client
        .query_typed(
            "SELECT format('process %s on the database server, from %s, since %s', a.pid, \
                 coalesce(host(a.client_addr), 'its own machine'), to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ')) \
             FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
                 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                 AND (l.classid::bigint << 32) | l.objid::bigint = $1",
            &[(&LOCK, Type::INT8)],
        )
        .await;
    let text =
        found.ok().and_then(|rows| rows.first().and_then(|row| row.try_get::<_, Option<String>>(0).ok().flatten()));
    text.map(|text| format!(" ({text})")).unwrap_or_default()
}
