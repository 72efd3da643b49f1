//! Says a repeated error once per interval, with the number of times it was held back; never drops that number.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The gate before one log line. Each shard has its own, so shards share nothing and each tells its own story.
///
/// ```
/// # use std::time::{Duration, Instant};
/// # use jeday::telemetry::RateLimited;
/// let unreachable = RateLimited::new(Duration::from_secs(10));
/// for _ in 0..3 {
///     if let Some(suppressed) = unreachable.admit(Instant::now()) {
///         tracing::warn!(suppressed, "database unreachable");
///     }
/// }
/// ```
#[derive(Debug)]
pub struct RateLimited {
    interval: Duration,
    admitted_at: Cell<Option<Instant>>,
    suppressed: Cell<u64>,
}

impl RateLimited {
    /// A gate that opens at once, and then once per `interval`.
    pub const fn new(interval: Duration) -> Self {
        Self { interval, admitted_at: Cell::new(None), suppressed: Cell::new(0) }
    }

    /// When the line may be written now: how many were held back since the last one that was. Otherwise none, and
    /// this one is counted among them.
    pub fn admit(&self, now: Instant) -> Option<u64> {
        let closed = self.admitted_at.get().is_some_and(|last| now.saturating_duration_since(last) < self.interval);
        if closed {
            self.suppressed.set(self.suppressed.get().saturating_add(1));
            return None;
        }
        self.admitted_at.set(Some(now));
        Some(self.suppressed.take())
    }

    /// The trouble is over: how many lines were held back since the last one. The next error is said at once.
    pub fn recovered(&self) -> u64 {
        self.admitted_at.set(None);
        self.suppressed.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    #[test]
    fn a_burst_is_said_once_and_counted() {
        let gate = RateLimited::new(INTERVAL);
        let start = Instant::now();
        assert_eq!(gate.admit(start), Some(0));
        assert_eq!(gate.admit(start), None);
        assert_eq!(gate.admit(start + INTERVAL - Duration::from_nanos(1)), None);
        assert_eq!(gate.admit(start + INTERVAL), Some(2));
        assert_eq!(gate.admit(start + INTERVAL), None);
    }

    #[test]
    fn rare_errors_are_all_said() {
        let gate = RateLimited::new(INTERVAL);
        let start = Instant::now();
        for i in 0..5 {
            assert_eq!(gate.admit(start + INTERVAL * i), Some(0));
        }
    }

    #[test]
    fn recovery_tells_what_was_held_back_and_opens_the_gate() {
        let gate = RateLimited::new(INTERVAL);
        let start = Instant::now();
        assert_eq!(gate.admit(start), Some(0));
        assert_eq!(gate.admit(start), None);
        assert_eq!(gate.recovered(), 1);
        assert_eq!(gate.admit(start), Some(0));
    }
}
