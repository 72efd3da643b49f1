//! When a batch leaves. A pure function of what is queued and which connections are free; no I/O, no clock.

use std::time::{Duration, Instant};

/// How a batch may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Items in one batch at most.
    pub length_max: usize,
    /// How long a batch that is not full waits for company though a connection is free; zero sends at once.
    pub wait: Duration,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Send this many of the oldest items.
    Send(usize),
    /// Look again then, or when more has come.
    WaitUntil(Instant),
    /// Look again when an item has come or a connection has become free.
    Wait,
}

impl Window {
    /// Decides for `queued` items of which the oldest came at `oldest`, with `free` connections idle.
    pub fn decide(&self, now: Instant, queued: usize, oldest: Option<Instant>, free: usize) -> Decision {
        let Some(oldest) = oldest.filter(|_| queued > 0 && free > 0) else { return Decision::Wait };
        if queued >= self.length_max {
            return Decision::Send(self.length_max);
        }
        let due = oldest + self.wait;
        if due <= now { Decision::Send(queued) } else { Decision::WaitUntil(due) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: Window = Window { length_max: 100, wait: Duration::ZERO };

    #[test]
    fn lone_item_leaves_at_once_when_a_connection_is_free() {
        let now = Instant::now();
        assert_eq!(WINDOW.decide(now, 1, Some(now), 1), Decision::Send(1));
    }

    #[test]
    fn batch_grows_only_while_all_connections_are_busy() {
        let now = Instant::now();
        assert_eq!(WINDOW.decide(now, 99, Some(now), 0), Decision::Wait);
        assert_eq!(WINDOW.decide(now, 250, Some(now), 1), Decision::Send(100));
    }

    #[test]
    fn extra_wait_counts_from_the_oldest_item_and_ends_when_full() {
        let window = Window { wait: Duration::from_millis(10), ..WINDOW };
        let now = Instant::now();
        assert_eq!(window.decide(now, 1, Some(now), 1), Decision::WaitUntil(now + window.wait));
        assert_eq!(window.decide(now + window.wait, 1, Some(now), 1), Decision::Send(1));
        assert_eq!(window.decide(now, 100, Some(now), 1), Decision::Send(100));
    }

    proptest! {
        #[test]
        fn never_sends_more_than_is_queued_or_allowed_and_never_waits_in_vain(
            queued in 0usize..1000,
            free in 0usize..4,
            wait_ms in 0u64..50,
            age_ms in 0u64..50,
            length_max in 1usize..500,
        ) {
            let window = Window { length_max, wait: Duration::from_millis(wait_ms) };
            let oldest = Instant::now();
            let now = oldest + Duration::from_millis(age_ms);
            match window.decide(now, queued, (queued > 0).then_some(oldest), free) {
                Decision::Send(count) => prop_assert!(free > 0 && count > 0 && count <= queued.min(length_max)),
                Decision::WaitUntil(due) => prop_assert!(free > 0 && queued > 0 && due > now && queued < length_max),
                Decision::Wait => prop_assert!(queued == 0 || free == 0),
            }
        }
    }
}
