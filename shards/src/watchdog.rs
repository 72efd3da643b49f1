//! Who has stopped getting on: a pure function of signs of life and of the times at which they were looked at. Knows no
//! clock and no thread, and ends nothing.
//!
//! What counts is time that was watched. A look that comes late counts no more than one in time: whatever has held the
//! watchdog up, a stopped process, a paused machine or a clock that was set, has held up those it watches as well.
//!
//! Invariant: time counted against anyone <= looks since the last sign of life * interval.

use std::time::{Duration, Instant};

/// What somebody who is watched shows at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// A number that moves for as long as work gets on.
    Progress(u64),
    /// There is nothing to do, or nobody is left to do it.
    Idle,
    /// It would run, and the machine has no CPU for it: a fault, but none that ending the process would cure.
    Starved,
}

/// What a look has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// This one has shown nothing for too long; said once.
    Stalled {
        /// Position among the watched.
        index: usize,
        /// For how long, as far as it was watched.
        silent: Duration,
    },
    /// One that had stalled gets on again.
    Recovered {
        /// Position among the watched.
        index: usize,
    },
}

/// Watches over a number of threads.
#[derive(Debug)]
pub struct Watchdog {
    interval: Duration,
    looked_at: Option<Instant>,
    watched: Vec<Watched>,
}

#[derive(Debug, Clone, Default)]
struct Watched {
    progress: Option<u64>,
    silent: Duration,
    stalled: bool,
}

impl Watchdog {
    /// For so many, to be looked at once in each `interval`.
    #[must_use]
    pub fn new(count: usize, interval: Duration) -> Watchdog {
        Watchdog { interval, looked_at: None, watched: vec![Watched::default(); count] }
    }

    /// Looks at all, each with its sign and the longest silence that it is allowed.
    ///
    /// # Panics
    /// When there are not as many signs as are watched.
    pub fn look(&mut self, now: Instant, signs: &[(Sign, Duration)]) -> Vec<Finding> {
        assert_eq!(signs.len(), self.watched.len(), "everybody who is watched shows a sign");
        let since = self.looked_at.replace(now);
        let watched_for = since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since)).min(self.interval);
        let mut findings = Vec::new();
        for (index, (watched, &(sign, allowed))) in self.watched.iter_mut().zip(signs).enumerate() {
            let progress = match sign {
                Sign::Progress(progress) if watched.progress == Some(progress) => {
                    watched.silent += watched_for;
                    if watched.silent >= allowed && !watched.stalled {
                        watched.stalled = true;
                        findings.push(Finding::Stalled { index, silent: watched.silent });
                    }
                    continue;
                }
                Sign::Starved => continue,
                Sign::Progress(progress) => Some(progress),
                Sign::Idle => None,
            };
            if watched.stalled {
                findings.push(Finding::Recovered { index });
            }
            *watched = Watched { progress, ..Watched::default() };
        }
        findings
    }

    /// Whether this one has shown nothing new at the last look.
    #[must_use]
    pub fn is_silent(&self, index: usize) -> bool {
        !self.watched[index].silent.is_zero()
    }

    /// Whether this one had stalled at the last look.
    #[must_use]
    pub fn has_stalled(&self, index: usize) -> bool {
        self.watched[index].stalled
    }
}

#[cfg(test)]
mod tests;
