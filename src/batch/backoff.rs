//! How long to wait before connecting again: doubling with full jitter, so that many shards do not come back as one.
//! Pure: the caller brings the randomness.

use std::time::Duration;

/// How an attempt to have a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There was none.
    NeverUp,
    /// There was one.
    Lost {
        /// Whether a batch came through.
        has_served: bool,
        /// For how long.
        was_up: Duration,
    },
}

/// The pause before the next attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts at `first` and doubles up to `most`.
    pub fn new(first: Duration, most: Duration) -> Backoff {
        Backoff { first, most, failures: 0 }
    }

    /// The pause after one more failure: between a half and the whole of the doubled step, as `random` says.
    fn after_failure(&mut self, random: u32) -> Duration {
        let step = self.first.saturating_mul(1 << self.failures.min(16)).min(self.most);
        self.failures = self.failures.saturating_add(1);
        step / 2 + (step / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// The pause before the next attempt at a connection, or none. A server that lets us in and serves nothing is no
    /// better than one that does not: coming back at once would go on in circles.
    pub fn pause_after(&mut self, ended: Ended, random: u32) -> Option<Duration> {
        match ended {
            Ended::Lost { has_served, was_up } if has_served || was_up > self.most => {
                self.failures = 0;
                None
            }
            Ended::Lost { .. } | Ended::NeverUp => Some(self.after_failure(random)),
        }
    }
}

#[cfg(test)]
mod tests;
