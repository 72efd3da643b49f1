//! Everything that speaks to PostgreSQL.

pub mod link;
pub mod sqlstate;
pub mod statements;
