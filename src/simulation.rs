//! What simulations share: random numbers that are the same on every machine, and seeds that are told when one fails.
//! `JEDAY_SIMULATION_SEED=N cargo test -p jeday --lib NAME` replays seed N of a simulation and nothing else;
//! `JEDAY_TEST_ROUNDS=N` has N times as many seeds tried.

use std::{
    cell::Cell,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// SplitMix64: small, and all of it follows from the seed.
pub(crate) struct Random(Cell<u64>);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(Cell::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn percent(&self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// Runs a simulation for the seeds that are always tried and for as many new ones, and adds up what it counts; none
/// when one seed alone is replayed.
pub(crate) fn by_seed(known: Range<u64>, new: u64, simulate: impl Fn(u64) -> u64) -> Option<u64> {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().expect("it is a number"));
    if let Some(seed) = number("JEDAY_SIMULATION_SEED") {
        simulate(seed);
        return None;
    }
    let start = u64::from(getrandom::u32().expect("the system has random numbers"));
    let new = new * number("JEDAY_TEST_ROUNDS").unwrap_or(1);
    let run = |seed| {
        let ran = catch_unwind(AssertUnwindSafe(|| simulate(seed)));
        ran.unwrap_or_else(|panic| {
            let reason = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            panic!("replay with JEDAY_SIMULATION_SEED={seed}: {reason}")
        })
    };
    Some(known.chain(start..start + new).map(run).sum())
}
