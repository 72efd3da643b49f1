//! Faults: real servers and a real PostgreSQL whose parts are broken while clients write down each answer, which is
//! then compared with the database. One fault a file. Bounded, seeded, and never a judge of speed.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

#[path = "../support"]
mod support {
    pub(crate) mod client;
    pub(crate) mod metrics;
    pub(crate) mod postgres;
    pub(crate) mod server;
    pub(crate) mod session;
}

mod backends_terminated;
mod blackholed;
mod clients_that_leave;
mod connections_exhausted;
mod descriptors_exhausted;
mod disk_full;
mod durability_lost;
mod equal_emails;
mod failover;
mod floods;
mod hardening_killed;
mod journal;
mod load;
mod lost_rotation;
mod poison_item;
mod postmaster_killed;
mod proxy;
mod read_only;
mod rude_clients;
mod server_killed;
mod sessions_outlive_the_database;
mod slow_network;
mod stopped_under_load;
mod table_locked;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};
use support::server::{PATIENCE, Server};

/// Tests that load the machine take turns: what they break shows as well one after the other.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where random moments of a test come from; printed, and taken from `JEDAY_FAULTS_SEED` to replay.
fn seed() -> u64 {
    let given = std::env::var("JEDAY_FAULTS_SEED").ok().map(|text| text.parse().expect("a seed is a number"));
    let seed = given.unwrap_or_else(|| u64::from(getrandom::u32().unwrap()));
    eprintln!("replay with JEDAY_FAULTS_SEED={seed}");
    seed
}

/// How often a test does its work over: `brief` times, or as `JEDAY_TEST_ROUNDS` asks for: so many times, or `full`.
fn rounds(brief: usize, full: usize) -> usize {
    match std::env::var("JEDAY_TEST_ROUNDS").as_deref() {
        Ok("full") => full,
        Ok(text) => text.parse().expect("rounds are a number, or full"),
        Err(_) => brief,
    }
}

/// A number below `bound`, the `step`-th of its seed (SplitMix64's mixer).
fn random(seed: u64, step: u64, bound: u64) -> u64 {
    let mixed = seed.wrapping_add((step + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % bound
}

/// Waits until something holds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "never happened: {what}");
        thread::sleep(Duration::from_millis(10));
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
