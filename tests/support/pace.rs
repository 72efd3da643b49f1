//! When tests under load do things: in turns, at random moments that can be replayed, until something holds.
#![allow(dead_code, clippy::print_stderr, clippy::unwrap_used)]

use super::server::PATIENCE;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Tests that load the machine take turns: what they break shows as well one after the other.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long or how often something is done: as this variable says, or as usual.
pub(crate) fn given(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("it is a number"))
}

/// Where random moments of a test come from; printed, and taken from `JEDAY_FAULTS_SEED` to replay.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("JEDAY_FAULTS_SEED").ok().map(|text| text.parse().expect("a seed is a number"));
    let seed = given.unwrap_or_else(|| u64::from(getrandom::u32().unwrap()));
    eprintln!("replay with JEDAY_FAULTS_SEED={seed}");
    seed
}

/// A number below `bound`, the `step`-th of its seed (SplitMix64's mixer).
pub(crate) fn random(seed: u64, step: u64, bound: u64) -> u64 {
    let mixed = seed.wrapping_add((step + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % bound
}

/// Waits until something holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < until, "never happened: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
