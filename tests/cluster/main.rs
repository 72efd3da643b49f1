//! The private PostgreSQL cluster and the migrations, against real PostgreSQL programs: one behaviour a test.

mod accounts;
mod lifecycle;
mod migrations;
mod orphans;
mod support;
