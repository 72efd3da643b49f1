//! Connections to a real PostgreSQL.
