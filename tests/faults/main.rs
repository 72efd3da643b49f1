//! Faults: real servers and a real PostgreSQL whose parts are broken while clients write down each answer, which is
//! then compared with the database. One fault a file. Bounded, seeded, and never a judge of speed.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

#[path = "../support"]
mod support {
    pub(crate) mod client;
    pub(crate) mod metrics;
    pub(crate) mod pace;
    pub(crate) mod postgres;
    pub(crate) mod server;
    pub(crate) mod session;
    pub(crate) mod set_on_drop;
}

mod backends_terminated;
mod blackholed;
mod clock_jumps;
mod connections_exhausted;
mod disk_full;
mod durability_lost;
mod equal_emails;
mod fail_points;
mod failover;
mod floods;
mod hardening_killed;
mod journal;
mod killed_after_commit;
mod load;
mod lost_rotation;
mod newer_schema;
mod out_of_memory;
mod poison_item;
mod postmaster_killed;
mod proxy;
mod racing_refreshes;
mod read_only;
mod rolling_restart;
mod server_killed;
mod sessions_outlive_the_database;
mod slow_network;
mod stalled_shard;
mod stopped_under_load;
mod stuck_core;
mod table_locked;

pub(crate) use support::pace::{eventually, random, seed, turn};
use support::server::Server;

/// How often a test does its work over: `brief` times, or as `JEDAY_TEST_ROUNDS` asks for: so many times, or `full`.
fn rounds(brief: usize, full: usize) -> usize {
    match std::env::var("JEDAY_TEST_ROUNDS").as_deref() {
        Ok("full") => full,
        Ok(text) => text.parse().expect("rounds are a number, or full"),
        Err(_) => brief,
    }
}

/// Waits until the server stores users again, by itself.
fn await_service(server: &Server, name: &str) {
    let mut attempt = 0;
    eventually("a registration goes through", || {
        attempt += 1;
        let reply = server.connect().register(&format!("{name}-{attempt}@back.example"));
        assert!([201, 503].contains(&reply.status), "{reply:?}");
        reply.status == 201
    });
    eventually("it says that it is ready", || server.connect().get("/health/ready").status == 200);
}
