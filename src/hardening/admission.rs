//! Whether one more person may wait for a password core, and when to come again if not. A pure function of what is
//! known on a shard; hashes nothing, waits for nothing.

use std::time::Duration;

use crate::limits;

/// What there is to do before a job that would be taken in now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressure {
    /// Jobs waiting.
    pub waiting: usize,
    /// Most jobs that may wait.
    pub waiting_max: usize,
    /// Workers that take such jobs and come to the end of them.
    pub workers: usize,
    /// Those of them that are in a job.
    pub working: usize,
    /// How long one hash takes, by experience.
    pub hash: Duration,
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It would begin in time.
    Admit,
    /// It would not.
    Busy {
        /// In how many seconds those who wait now will have been served; at least 1.
        retry_after_s: u64,
    },
}

impl Pressure {
    /// Decides about a job that has to begin within `deadline`.
    #[must_use]
    pub fn decide(&self, deadline: Duration) -> Admission {
        if self.workers > 0 && self.waiting < self.waiting_max && self.begins_in() <= deadline {
            Admission::Admit
        } else {
            Admission::Busy { retry_after_s: self.retry_after_s() }
        }
    }

    /// How long a job taken in now would wait. The hashes under way count whole: how far they are is not known.
    #[must_use]
    pub fn begins_in(&self) -> Duration {
        let workers = self.workers.max(1);
        let idle = workers.saturating_sub(self.working);
        if self.waiting < idle {
            return Duration::ZERO;
        }
        // Rounds of hashes on all workers, the one under way included.
        let rounds = (self.waiting - idle) / workers + 1;
        self.hash.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
    }

    /// For `Retry-After` (RFC 9110 section 10.2.3), in seconds.
    #[must_use]
    pub fn retry_after_s(&self) -> u64 {
        let drained = self.begins_in();
        let whole_s = drained.as_secs() + u64::from(drained.subsec_nanos() > 0);
        whole_s.clamp(1, limits::PASSWORD_RETRY_AFTER_S_MAX)
    }
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: Duration = Duration::from_millis(15);
    const LONG: Duration = Duration::from_secs(3600);

    fn pressure(waiting: usize, workers: usize, working: usize) -> Pressure {
        Pressure { waiting, waiting_max: 64, workers, working, hash: HASH }
    }

    #[test]
    fn an_idle_worker_begins_at_once_however_slow_hashes_are() {
        let slow = Pressure { hash: LONG, ..pressure(0, 1, 0) };
        assert_eq!(slow.decide(Duration::ZERO), Admission::Admit);
        assert_eq!(pressure(1, 4, 2).begins_in(), Duration::ZERO, "two are idle, one waits");
    }

    #[test]
    fn nobody_waits_where_no_worker_is_left() {
        assert_ne!(pressure(0, 0, 0).decide(LONG), Admission::Admit);
    }

    #[test]
    fn the_wait_grows_by_a_hash_with_each_round_of_workers() {
        assert_eq!(pressure(0, 1, 1).begins_in(), HASH);
        assert_eq!(pressure(3, 1, 1).begins_in(), 4 * HASH);
        assert_eq!(pressure(3, 4, 4).begins_in(), HASH);
        assert_eq!(pressure(4, 4, 4).begins_in(), 2 * HASH);
    }

    #[test]
    fn a_full_queue_and_a_late_turn_are_both_refused() {
        let Admission::Busy { retry_after_s } = pressure(64, 1, 1).decide(LONG) else { panic!("it is full") };
        assert_eq!(retry_after_s, 1, "65 hashes of 15 ms");
        assert_eq!(pressure(9, 1, 1).decide(9 * HASH), Admission::Busy { retry_after_s: 1 });
        assert_eq!(pressure(9, 1, 1).decide(10 * HASH), Admission::Admit);
        let slow = Pressure { hash: Duration::from_millis(250), ..pressure(64, 1, 1) };
        assert_eq!(slow.decide(LONG), Admission::Busy { retry_after_s: 17 });
    }

    fn any_pressure() -> impl Strategy<Value = Pressure> {
        (0..5000_usize, 1..5000_usize, 1..200_usize, 0..200_usize, 0..10_000_000_000_u64).prop_map(
            |(waiting, waiting_max, workers, working, hash_ns)| Pressure {
                waiting,
                waiting_max,
                workers,
                working: working.min(workers),
                hash: Duration::from_nanos(hash_ns),
            },
        )
    }

    fn any_deadline() -> impl Strategy<Value = Duration> {
        (0..60_000_u64).prop_map(Duration::from_millis)
    }

    proptest! {
        #[test]
        fn more_to_do_never_opens_a_door_that_less_has_closed(pressure in any_pressure(), deadline in any_deadline()) {
            let more = Pressure { waiting: pressure.waiting + 1, ..pressure };
            prop_assert!(more.begins_in() >= pressure.begins_in());
            prop_assert!(more.retry_after_s() >= pressure.retry_after_s());
            if more.decide(deadline) == Admission::Admit {
                prop_assert_eq!(pressure.decide(deadline), Admission::Admit);
            }
        }

        #[test]
        fn whoever_is_admitted_begins_in_time_in_a_simulation(pressure in any_pressure(), deadline in any_deadline()) {
            if pressure.decide(deadline) == Admission::Admit {
                prop_assert!(pressure.waiting < pressure.waiting_max);
                // Each worker takes whatever comes first; those at work have just begun.
                let mut free_at = vec![Duration::ZERO; pressure.workers];
                free_at[..pressure.working].fill(pressure.hash);
                for _ in 0..pressure.waiting {
                    *free_at.iter_mut().min().unwrap() += pressure.hash;
                }
                prop_assert!(*free_at.iter().min().unwrap() <= deadline);
            }
        }

        #[test]
        fn the_refused_are_told_a_time_in_bounds(pressure in any_pressure()) {
            if let Admission::Busy { retry_after_s } = pressure.decide(Duration::ZERO) {
                prop_assert!((1..=limits::PASSWORD_RETRY_AFTER_S_MAX).contains(&retry_after_s));
            }
        }
    }
}
