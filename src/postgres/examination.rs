//! What a server is set to, as far as it decides how fast and how many it serves: for plans, and for the doctor. Judges
//! nothing.

use super::link::{Link, LinkError, Sql};
use crate::limits::EXAMINATION_TIMEOUT;
use std::time::{Duration, Instant};

/// Settings of a server as this session has them, and how much it has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// Sessions of everybody that may be open at once.
    pub connections_max: u64,
    /// How many of them only superusers and other privileged roles get.
    pub connections_reserved: u64,
    /// Sessions that are open, without this one; those of others only as far as the role may see them.
    pub connections_open: u64,
    /// Bytes of the server's own cache.
    pub shared_buffers: u64,
    /// Bytes of log after which a checkpoint begins.
    pub wal_bytes_max: u64,
    /// Time after which a checkpoint begins.
    pub checkpoint_timeout: Duration,
    /// How long a commit waits for others to share its flush.
    pub commit_delay: Duration,
    /// What a commit waits for.
    pub synchronous_commit: String,
    /// The server's time of day, in milliseconds since 1970.
    pub unix_ms: u64,
    /// Whether it was reached by Unix socket or loopback, and so takes its memory from this machine.
    pub here: bool,
}

/// `reserved_connections` came with PostgreSQL 16.
static EXAMINE: Sql = Sql {
    name: "examine",
    text: "SELECT current_setting('max_connections')::bigint,
    current_setting('superuser_reserved_connections')::bigint
        + coalesce(nullif(current_setting('reserved_connections', true), '')::bigint, 0),
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),
    pg_size_bytes(current_setting('shared_buffers')),
    pg_size_bytes(current_setting('max_wal_size')),
    extract(epoch FROM current_setting('checkpoint_timeout')::interval)::bigint,
    current_setting('commit_delay')::bigint,
    current_setting('synchronous_commit'),
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    coalesce(inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1', true)",
    types: &[],
};

/// Asks the server.
///
/// # Errors
/// [`LinkError`]; asking has no effect.
pub async fn examine(link: &Link) -> Result<Examination, LinkError> {
    let rows = link.query_planned_anew(&EXAMINE, &[], Instant::now() + EXAMINATION_TIMEOUT).await?;
    let row = rows.first().expect("a SELECT without FROM gives one row");
    let number = |column| row.get::<_, i64>(column).max(0).cast_unsigned();
    Ok(Examination {
        connections_max: number(0),
        connections_reserved: number(1),
        connections_open: number(2),
        shared_buffers: number(3),
        wal_bytes_max: number(4),
        checkpoint_timeout: Duration::from_secs(number(5)),
        commit_delay: Duration::from_micros(number(6)),
        synchronous_commit: row.get(7),
        unix_ms: number(8),
        here: row.get(9),
    })
}
