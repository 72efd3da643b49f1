//! API tests: a real server, a real PostgreSQL, one behaviour a file.
#![allow(clippy::unwrap_used)]

#[path = "../support"]
mod support {
    pub(crate) mod client;
    pub(crate) mod metrics;
    pub(crate) mod postgres;
    pub(crate) mod server;
    pub(crate) mod session;
}

mod bodies;
mod duplicate_emails;
mod field_errors;
mod heads;
mod health;
mod idempotency;
mod malformed_json;
mod media_types;
mod metrics;
mod overload;
mod passwords;
mod persistence;
mod registering;
mod routing;
mod secrecy;
mod start_up_errors;
mod stopping;
mod timeouts;
mod usernames;
