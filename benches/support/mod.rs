//! What several benches need: a durable PostgreSQL of their own, processes that end with the bench, and users to
//! store. Measures nothing itself.

// Each bench uses its share of this.
#![allow(dead_code)]

pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod interrupt;
pub(crate) mod process;
pub(crate) mod users;

/// A bench that fails tells a person why; nothing else looks at the error.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
