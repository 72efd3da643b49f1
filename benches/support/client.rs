//! A client of PostgreSQL on a tokio runtime of one thread: what there is without Jeday.

use super::{Outcome, users::sent};
use jeday::postgres::statements::register::{self, NewUser};
use std::{
    error::Error,
    path::{Path, PathBuf},
};
use tokio::{net::UnixStream, runtime::Runtime};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, types::ToSql};

/// The database that the benches use, and the superuser that they use it as.
pub(crate) const DATABASE: &str = "jeday";
pub(crate) const USER: &str = "postgres";

/// The socket's name says a port, although there is none.
pub(crate) const PORT: u16 = 5432;

/// A runtime for one connection.
pub(crate) fn runtime() -> Outcome<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Connects; the connection runs on the current runtime.
pub(crate) async fn connect(socket_directory: &Path, database: &str) -> Outcome<Client> {
    let stream = UnixStream::connect(socket(socket_directory)).await?;
    let (client, connection) = Config::new().user(USER).dbname(database).connect_raw(stream, NoTls).await?;
    // A connection that fails fails its client's next request.
    tokio::spawn(connection);
    Ok(client)
}

/// What the database says is in an error's source.
fn told(error: tokio_postgres::Error) -> Box<dyn Error + Send + Sync> {
    match error.source() {
        Some(source) => format!("{error}: {source}").into(),
        None => error.into(),
    }
}

fn socket(directory: &Path) -> PathBuf {
    directory.join(format!(".s.PGSQL.{PORT}"))
}

/// A connection for what is no part of a measurement.
pub(crate) struct Console {
    runtime: Runtime,
    client: Client,
}

impl Console {
    pub(crate) fn connect(socket_directory: &Path, database: &str) -> Outcome<Console> {
        let runtime = runtime()?;
        let client = runtime.block_on(connect(socket_directory, database))?;
        Ok(Console { runtime, client })
    }

    /// Runs statements for their effect.
    pub(crate) fn run(&self, statements: &str) -> Outcome<()> {
        self.runtime.block_on(self.client.batch_execute(statements)).map_err(told)
    }

    /// The first columns of all rows, as text.
    pub(crate) fn column(&self, query: &str) -> Outcome<Vec<String>> {
        let messages = self.runtime.block_on(self.client.simple_query(query)).map_err(told)?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// The one value of a query.
    pub(crate) fn number(&self, query: &str) -> Outcome<u64> {
        let values = self.column(query)?;
        let value = values.first().ok_or_else(|| format!("no rows: {query}"))?;
        Ok(value.parse().map_err(|_| format!("{value:?} is no number: {query}"))?)
    }

    /// Stores users as registration does.
    pub(crate) fn store(&self, users: &[NewUser]) -> Outcome<()> {
        let sql = register::statement();
        let sent = sent(users);
        let columns = register::parameters(&sent);
        let parameters: [&(dyn ToSql + Sync); 6] = columns.each_ref().map(|column| column as _);
        let rows = self.runtime.block_on(async {
            let statement = self.client.prepare_typed(sql.text, sql.types).await?;
            self.client.query(&statement, &parameters).await
        });
        let rows = rows.map_err(told)?;
        match rows.len() == users.len() {
            true => Ok(()),
            false => Err(format!("{} of {} users were stored", rows.len(), users.len()).into()),
        }
    }

    /// Empties the tables, so that each measurement starts alike: no rows, nothing to write back. No server may harden
    /// passwords meanwhile: it would wait for the tables and they for it.
    pub(crate) fn start_afresh(&self) -> Outcome<()> {
        self.run("TRUNCATE users, password_upgrade_queue, sessions, idempotency_keys")?;
        self.run("CHECKPOINT")
    }

    /// Where the write-ahead log is, in bytes since its beginning.
    pub(crate) fn wal_bytes(&self) -> Outcome<u64> {
        self.number("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
    }
}
