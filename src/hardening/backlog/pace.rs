//! How soon the durable queue is claimed from, how much of it, for how long, and how old a record in it may become.
//! Pure functions of what a worker knows; claims nothing and waits for nothing.

use crate::{
    limits::{CLAIM_AGE, CLAIM_HELD_MAX, CLAIM_WORK},
    postgres::claim::Wanted,
};
use std::time::Duration;

/// What is configured of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Time between two looks at a queue that was empty.
    pub interval: Duration,
    /// Records claimed at once, at most.
    pub claim_size: usize,
    /// How long one statement may take.
    pub deadline: Duration,
    /// How old a weak record may become while password cores are free.
    pub weak_age_max: Duration,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Users at most.
    pub(super) most: usize,
    /// Users that there were.
    pub(super) found: usize,
    /// Records to write back.
    pub(super) written: usize,
    /// Weak records that stay in the queue.
    pub(super) left: usize,
}

impl Outcome {
    /// Nothing done at all means password cores that are busy with people.
    fn is_in_vain(&self) -> bool {
        self.left > 0 && self.written == 0
    }
}

/// The password cores since the queue was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// Since then.
    pub(super) elapsed: Duration,
    /// Time spent in jobs, over all workers that harden.
    pub(super) busy: Duration,
    /// How many those are.
    pub(super) workers: usize,
}

impl Pace {
    /// What to claim now: as many as `workers` can be expected to do in the time that a claim should take, when each
    /// takes `hash`.
    pub(super) fn wanted(&self, now_unix_ms: u64, hash: Duration, workers: usize) -> Wanted {
        let affordable = CLAIM_WORK.as_nanos() / hash.as_nanos().max(1);
        let affordable = usize::try_from(affordable).unwrap_or(usize::MAX).saturating_mul(workers);
        let most = affordable.clamp(1, self.claim_size);
        Wanted {
            most: u32::try_from(most).unwrap_or(u32::MAX),
            before_unix_ms: now_unix_ms.saturating_sub(CLAIM_AGE.as_millis() as u64),
            held_max: CLAIM_HELD_MAX + self.deadline,
        }
    }

    /// How long a hash that has begun in time is waited for beyond [`CLAIM_HELD_MAX`].
    pub(super) fn patience(&self, hash: Duration) -> Duration {
        (2 * hash).min(self.deadline / 2)
    }

    /// How long to wait before the next claim; zero while there is more to do.
    pub(super) fn pause(&self, outcome: Outcome) -> Duration {
        if outcome.is_in_vain() {
            // They may be free at any moment, and what waits for them is known to be there.
            self.interval.min(CLAIM_WORK)
        } else if outcome.found < outcome.most {
            self.interval
        } else {
            Duration::ZERO
        }
    }

    /// Whether the oldest record is older than it may be, although the password cores had time: somebody keeps it from
    /// being claimed.
    pub(super) fn is_overdue(&self, oldest_age: Duration, cores: Use) -> bool {
        let workers = u32::try_from(cores.workers).unwrap_or(u32::MAX);
        oldest_age > self.weak_age_max && 2 * cores.busy < cores.elapsed.saturating_mul(workers)
    }
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace() -> Pace {
        Pace { interval: SECOND, claim_size: 100, deadline: 5 * SECOND, weak_age_max: 60 * SECOND }
    }

    #[test]
    fn a_claim_is_sized_to_a_seconds_work() {
        let most = |hash_ms, workers| pace().wanted(0, Duration::from_millis(hash_ms), workers).most;
        assert_eq!((most(50, 1), most(50, 2), most(1, 2), most(5_000, 1)), (20, 40, 100, 1));
        assert_eq!(pace().wanted(0, Duration::ZERO, 1).most, 100, "nothing is known yet");
        assert_eq!(pace().wanted(12_345, SECOND, 1).before_unix_ms, 2_345);
    }

    #[test]
    fn full_claims_follow_each_other_and_others_pause() {
        let full = Outcome { most: 10, found: 10, written: 10, left: 0 };
        assert_eq!(pace().pause(full), Duration::ZERO);
        assert_eq!(pace().pause(Outcome { found: 9, written: 9, ..full }), SECOND, "that was all");
        assert_eq!(pace().pause(Outcome { written: 1, left: 9, ..full }), Duration::ZERO, "it gets on");
        let rare = Pace { interval: 15 * SECOND, ..pace() };
        assert_eq!(rare.pause(Outcome { found: 9, written: 9, ..full }), 15 * SECOND);
        assert_eq!(rare.pause(Outcome { written: 0, left: 10, ..full }), SECOND, "nobody has time, for now");
        assert_eq!(pace().pause(Outcome { written: 0, left: 0, ..full }), Duration::ZERO, "there was nothing to hash");
    }

    #[test]
    fn old_records_are_overdue_only_where_cores_had_time() {
        let free = Use { elapsed: 10 * SECOND, busy: 9 * SECOND, workers: 2 };
        assert!(pace().is_overdue(61 * SECOND, free));
        assert!(!pace().is_overdue(60 * SECOND, free), "not yet");
        assert!(!pace().is_overdue(3600 * SECOND, Use { busy: 10 * SECOND, ..free }), "a flood is worked off");
        assert!(!pace().is_overdue(3600 * SECOND, Use { workers: 0, ..free }), "nobody hardens here");
    }
}
