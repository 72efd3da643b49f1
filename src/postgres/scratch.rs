//! A database for measurements: made, measured in, and dropped again, with how much was logged and which process
//! serves it. Touches no database but one of that name, and no table of any.

use super::link::{Link, LinkError, Sql};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Instant};

/// What every scratch database is called by.
const PREFIX: &str = "jeday_tune_";

/// The name of a scratch database: the prefix and 16 hexadecimal digits, so that it needs no quoting and can be taken
/// for nobody else's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScratchName(u64);

impl ScratchName {
    /// The number tells it from others on the same server.
    pub fn new(number: u64) -> ScratchName {
        ScratchName(number)
    }

    /// A connection string for it, on the server that another one names: of equal keywords the last counts.
    pub fn within(&self, url: &str) -> String {
        let url = url.trim();
        let is_uri = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let between = match (is_uri, url.contains('?')) {
            (true, true) => "&",
            (true, false) => "?",
            (false, _) => " ",
        };
        format!("{url}{between}dbname={self}")
    }
}

impl fmt::Display for ScratchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{:016x}", self.0)
    }
}

impl From<ScratchName> for String {
    fn from(name: ScratchName) -> String {
        name.to_string()
    }
}

impl TryFrom<String> for ScratchName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<ScratchName, &'static str> {
        let number = text.strip_prefix(PREFIX).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let name = number.map(ScratchName).filter(|name| name.to_string() == text);
        name.ok_or("not the name of a scratch database")
    }
}

/// Where the server's log stands, in bytes; whose process serves this session.
static LOOK: Sql = Sql {
    name: "look_at_scratch",
    text: "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint, pg_backend_pid(),
    coalesce(inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1', true)",
    types: &[],
};

/// What a look at the server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Bytes of log that were written since the cluster was made.
    pub wal_bytes: u64,
    /// The process that serves the session, if it is reached by Unix socket or loopback.
    pub backend: Option<u32>,
}

/// Makes it empty, whether it is there or not. Sessions in it are ended.
///
/// # Errors
/// [`LinkError`], such as for a role that may not make databases.
pub async fn create(link: &Link, name: &ScratchName, deadline: Instant) -> Result<(), LinkError> {
    drop(link, name, deadline).await?;
    // The other template may have been changed, and may be in use.
    link.command(&format!("CREATE DATABASE {name} TEMPLATE template0"), deadline).await
}

/// Drops it, if it is there. Sessions in it are ended.
///
/// # Errors
/// [`LinkError`].
pub async fn drop(link: &Link, name: &ScratchName, deadline: Instant) -> Result<(), LinkError> {
    link.command(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), deadline).await
}

/// Looks at the server.
///
/// # Errors
/// [`LinkError`]; looking has no effect.
pub async fn look(link: &Link, deadline: Instant) -> Result<Look, LinkError> {
    let rows = link.query_planned_anew(&LOOK, &[], deadline).await?;
    let row = rows.first().expect("a SELECT without FROM gives one row");
    let backend = row.get::<_, bool>(2).then(|| row.get::<_, i32>(1).cast_unsigned());
    Ok(Look { wal_bytes: row.get::<_, i64>(0).max(0).cast_unsigned(), backend })
}

#[cfg(test)]
mod tests {
    use super::super::target::Target;
    use super::*;

    #[test]
    fn only_names_of_scratch_databases_are_taken_for_them() {
        let name = ScratchName::new(0xbeef);
        assert_eq!(name.to_string(), "jeday_tune_000000000000beef");
        assert_eq!(ScratchName::try_from(name.to_string()), Ok(name));
        for other in ["jeday", "jeday_tune_", "jeday_tune_beef", "jeday_tune_000000000000BEEF", "jeday_tune_x; --"] {
            assert!(ScratchName::try_from(other.to_owned()).is_err(), "{other}");
        }
    }

    #[test]
    fn another_database_of_the_same_server_is_named() {
        let name = ScratchName::new(1);
        for url in [
            "postgres://me:word@host:5433/auth",
            "postgres://me@host/auth?sslmode=require",
            "postgresql://host",
            "host=host dbname=auth",
            "",
        ] {
            let target = Target::parse(&name.within(url), |_| None).unwrap();
            assert_eq!(target.database(), Some("jeday_tune_0000000000000001"), "{url}");
        }
    }
}
