//! Which requests are recorded, and names for what is. Never for secrets: whoever sees enough numbers can compute the
//! next.

use std::cell::Cell;

use crate::http::trace_context::{SpanId, TraceId};

/// A share of all traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ratio {
    below: u64,
}

impl Ratio {
    /// Of a share between 0 and 1.
    pub(super) fn new(share: f64) -> Self {
        /// 2^63: as other samplers by the name of a trace have it, the lowest bit does not count.
        const ALL: f64 = 9_223_372_036_854_775_808.0;
        // Exact at both ends; the conversion saturates.
        Self { below: (share * ALL) as u64 }
    }

    /// Whether it takes the trace whose name ends in these 8 bytes (OpenTelemetry's `TraceIdRatioBased`).
    #[inline]
    pub(super) const fn takes(self, end: u64) -> bool {
        end >> 1 < self.below
    }
}

/// Numbers from xoroshiro128++, which takes a nanosecond.
pub(super) struct Generator(Cell<[u64; 2]>);

impl Generator {
    pub(super) fn new(seed: [u8; 16]) -> Self {
        let seed = u128::from_le_bytes(seed);
        // All zero is the one state that it does not leave.
        Self(Cell::new([seed as u64, (seed >> 64) as u64 | 1]))
    }

    #[inline]
    pub(super) fn next(&self) -> u64 {
        let [first, mut second] = self.0.get();
        let number = first.wrapping_add(second).rotate_left(17).wrapping_add(first);
        second ^= first;
        self.0.set([first.rotate_left(49) ^ second ^ (second << 21), second.rotate_left(28)]);
        number
    }

    /// The name of a new trace, with this end.
    pub(super) fn trace_id(&self, end: u64) -> TraceId {
        loop {
            let name = u128::from(self.next()) << 64 | u128::from(end);
            if let Some(id) = TraceId::new(name.to_be_bytes()) {
                return id;
            }
        }
    }

    /// The name of a new span.
    pub(super) fn span_id(&self) -> SpanId {
        loop {
            if let Some(id) = SpanId::new(self.next().to_be_bytes()) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_and_all_are_exact() {
        for end in [0, 1, 2, u64::MAX / 2, u64::MAX] {
            assert!(!Ratio::new(0.0).takes(end), "{end}");
            assert!(Ratio::new(1.0).takes(end), "{end}");
        }
    }

    #[test]
    fn a_share_is_taken_as_large_as_it_was_asked_for() {
        let random = Generator::new([7; 16]);
        let ratio = Ratio::new(0.01);
        let taken = (0..1_000_000).filter(|_| ratio.takes(random.next())).count();
        // Five standard deviations of 100.
        assert!((9_500..=10_500).contains(&taken), "{taken}");
    }

    #[test]
    fn a_trace_that_is_taken_is_taken_by_its_name_too() {
        let random = Generator::new([0; 16]);
        let end = random.next();
        let name = random.trace_id(end);
        assert_eq!(name.bytes()[8..], end.to_be_bytes());
        assert_ne!(random.trace_id(end), name);
    }
}
