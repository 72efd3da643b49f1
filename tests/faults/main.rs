//! Faults: real servers and a real PostgreSQL whose parts are broken while clients write down each answer, which is
//! then compared with the database. One fault a file. Bounded, seeded, and never a judge of speed.
#![allow(clippy::unwrap_used)]

#[path = "../support"]
mod support {
    pub(crate) mod client;
    pub(crate) mod metrics;
    pub(crate) mod pace;
    pub(crate) mod postgres;
    pub(crate) mod server;
    pub(crate) mod session;
}

mod backends_terminated;
mod blackholed;
mod connections_exhausted;
mod durability_lost;
mod equal_emails;
mod hardening_killed;
mod journal;
mod load;
mod lost_rotation;
mod poison_item;
mod postmaster_killed;
mod proxy;
mod read_only;
mod server_killed;
mod sessions_outlive_the_database;
mod stopped_under_load;
mod table_locked;

pub(crate) use support::pace::{eventually, random, seed, turn};
use support::server::Server;

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
