//! Connections to a real PostgreSQL: reaching it, TLS, log-in, poolers, and what becomes of statements when it fails.
#![allow(clippy::unwrap_used)]

#[path = "../support"]
mod support {
    pub(crate) mod pooler;
    pub(crate) mod postgres;
    pub(crate) mod session;
    pub(crate) use postgres::*;
}

mod attributes;
mod authentication;
mod data;
mod durability;
mod ending_sessions;
mod groups;
mod hardening;
mod looking_up;
mod outcomes;
mod plans;
mod pooler;
mod reaching;
mod rotating_sessions;
mod starting_sessions;
mod statements;
mod tls;
mod tuned;

use jeday::postgres::{
    connect::{ConnectError, ConnectOptions, connect},
    link::{Link, Sql},
    target::Target,
};
use std::time::{Duration, Instant};
use support::TestCluster;
use tokio_postgres::types::Type;

/// Runs on a shard of the test's own.
fn on_shard<T>(future: impl Future<Output = T>) -> T {
    shards::block_on(future).expect("io_uring is available")
}

fn target(text: &str) -> Target {
    Target::parse(text, |_| None).unwrap_or_else(|error| panic!("{text}: {error}"))
}

async fn try_link(url: &str) -> Result<Link, ConnectError> {
    connect(&target(url), &ConnectOptions::default()).await
}

async fn link(url: &str) -> Link {
    try_link(url).await.unwrap_or_else(|error| panic!("{url}: {error}"))
}

async fn refusal(url: &str) -> ConnectError {
    match try_link(url).await {
        Ok(link) => panic!("{url} was accepted: {:?}", link.server()),
        Err(error) => error,
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

static ADD: Sql = Sql { name: "add", text: "SELECT $1 + 1", types: &[Type::INT4] };
static SLEEP: Sql = Sql { name: "sleep", text: "SELECT 1 FROM pg_sleep($1)", types: &[Type::FLOAT8] };
static WHO: Sql = Sql { name: "who", text: "SELECT pg_backend_pid(), current_database()::text", types: &[] };

async fn add(link: &Link, number: i32) -> i32 {
    link.query(&ADD, &[&number], soon()).await.unwrap()[0].get(0)
}

async fn backend(link: &Link) -> i32 {
    link.query(&WHO, &[], soon()).await.unwrap()[0].get(0)
}

/// Polls until true; the server does some things in its own time.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..100 {
        if holds() {
            return;
        }
        shards::sleep(Duration::from_millis(50)).await;
    }
    panic!("never happened: {what}");
}

fn running_sleeps(cluster: &TestCluster, database: &str) -> String {
    let condition = format!("datname = '{database}' AND wait_event = 'PgSleep'");
    cluster.sql("postgres", &format!("SELECT count(*) FROM pg_stat_activity WHERE {condition}"))
}
