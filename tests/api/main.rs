//! API tests: a real server, a real PostgreSQL, one behaviour a file.
#![allow(clippy::unwrap_used)]

#[path = "../support"]
mod support {
    pub(crate) mod browser;
    pub(crate) mod client;
    pub(crate) mod collector;
    pub(crate) mod metrics;
    pub(crate) mod pooler;
    pub(crate) mod postgres;
    pub(crate) mod server;
    pub(crate) mod session;
    pub(crate) mod set_on_drop;
    pub(crate) mod tls;
}

mod access_tokens;
mod command_line;
mod connections_per_address;
mod cors;
mod dashboard;
mod duplicate_emails;
mod encryption;
mod expiry;
mod fair_queue;
mod field_errors;
mod go_environment;
mod hash_parameters;
mod health;
mod idempotency;
mod login;
mod login_and_hardening;
mod metrics;
mod migrating;
mod openapi;
mod overload;
mod password_cores;
mod passwords;
mod persistence;
mod planning;
mod pooler;
mod private_cluster;
mod profiling;
mod proxy_protocol;
mod rate_limits;
mod refreshing;
mod registering;
mod secrecy;
mod security_events;
mod sessions;
mod start_up_errors;
mod status;
mod stopping;
mod timeouts;
mod tls;
mod tls_certificates;
mod tls_programs;
mod top;
mod traces;
mod tuning;
mod usernames;
mod worker;
