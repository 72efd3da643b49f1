//! Jeday: a self-hosted authentication server, thread per core on io_uring, with PostgreSQL behind it.
//!
//! The library exists so that the benches and the tests can reach the parts; the product is the binary.

#![forbid(unsafe_code)]

pub mod account;
pub mod batch;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connection;
mod fail_points;
pub mod handlers;
pub mod hardening;
pub mod http;
pub mod keys;
pub mod limits;
pub mod postgres;
pub mod rate_limit;
pub mod routes;
pub mod server;
#[cfg(test)]
mod simulation;
pub mod telemetry;
pub mod tls;
pub mod tokens;
