//! What a server has room for, as its settings say: for plans. Looks at nothing that changes from moment to moment.

use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// By the simple protocol, as the first question of a session is. `reserved_connections` came with PostgreSQL 16.
const QUESTION: &str = "SELECT current_setting('max_connections'), \
     current_setting('superuser_reserved_connections')::int \
     + coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int, \
     pg_catalog.pg_size_bytes(current_setting('shared_buffers')), \
     coalesce(inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1', true)";

/// A server's room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Connections of everybody together.
    pub connections_max: u32,
    /// How many of them only superusers and other privileged roles get.
    pub connections_reserved: u32,
    /// Memory that all its processes share.
    pub shared_buffers_bytes: u64,
    /// Whether it was reached by Unix socket or loopback, and so takes its memory from this machine.
    pub here: bool,
}

/// Asks the server.
///
/// # Errors
/// It does not answer, or is none that has these settings.
pub async fn capacity(client: &Client) -> Result<Option<Capacity>, Error> {
    let answer = client.simple_query(QUESTION).await?;
    Ok(answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(Capacity {
            connections_max: row.get(0)?.parse().ok()?,
            connections_reserved: row.get(1)?.parse().ok()?,
            shared_buffers_bytes: row.get(2)?.parse().ok()?,
            here: row.get(3)? == "t",
        }),
        _ => None,
    }))
}
