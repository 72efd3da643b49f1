//! The private PostgreSQL cluster and the migrations, against real PostgreSQL programs: one behaviour a test.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod accounts;
mod lifecycle;
mod migrations;
mod orphans;
mod support;
