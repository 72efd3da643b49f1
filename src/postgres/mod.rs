//! Everything that speaks to PostgreSQL.

pub mod backlog;
pub mod claim;
pub mod cluster;
pub mod connect;
pub mod examination;
pub mod link;
pub mod migrate;
pub mod sqlstate;
pub mod statements;
pub mod target;
mod tls;
mod transport;
