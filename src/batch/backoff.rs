//! How long to wait before connecting again: doubling with full jitter, so that many shards do not come back as one.
//! Pure: the caller brings the randomness.

use std::time::Duration;

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
    pub fn after_failure(&mut self, random: u32) -> Duration {
        let step = self.first.saturating_mul(1 << self.failures.min(16)).min(self.most);
        self.failures = self.failures.saturating_add(1);
        step / 2 + (step / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// The last attempt has worked.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pause_doubles_up_to_its_bound_and_starts_again(random in proptest::collection::vec(any::<u32>(), 40)) {
            let (first, most) = (Duration::from_millis(20), Duration::from_secs(1));
            let mut backoff = Backoff::new(first, most);
            for (failures, random) in random.into_iter().enumerate() {
                let step = first.saturating_mul(1 << failures.min(16)).min(most);
                let pause = backoff.after_failure(random);
                prop_assert!(pause >= step / 2 && pause <= step);
            }
            backoff.reset();
            prop_assert!(backoff.after_failure(u32::MAX) <= first);
        }
    }
}
