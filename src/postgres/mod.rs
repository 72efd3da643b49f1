//! Everything that speaks to PostgreSQL.

pub mod cluster;
pub mod migrate;
pub mod statements;
