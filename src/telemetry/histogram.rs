//! Histograms with fixed bounds and one writer; never floats, never a search.
//!
//! Durations use bounds of 50 us times 1, 1.5, 2, 3, 4, 6, ... up to 13.1 s: two buckets an octave, so a quantile
//! read from them is off by less than half its value. A bucket is found from the position of the highest set bit
//! and the bit below it. Sizes use powers of two.
//!
//! Invariant: a histogram's count is the sum of its buckets, so the two can never disagree in a scrape. Its sum is a
//! value of its own and may be one observation behind or ahead.

use super::counters::Counter;

/// Resolution of the smallest bounds: two of these make the first bound, 50 us.
const DURATION_STEP_US: u64 = 25;

/// Finite bounds for durations; the last is over 10 s, so that the longest timeouts still fall below a bound.
pub(super) const DURATION_BOUNDS: usize = 37;

/// Buckets for durations: one a bound, and one for what is over all of them.
pub(super) const DURATION_BUCKETS: usize = DURATION_BOUNDS + 1;

/// Finite bounds for sizes: 1, 2, 4, ... 16384.
pub(super) const SIZE_BOUNDS: usize = 15;

/// Buckets for sizes: one a bound, and one for what is over all of them.
pub(super) const SIZE_BUCKETS: usize = SIZE_BOUNDS + 1;

/// Upper bounds of the duration buckets in microseconds, inclusive, ascending.
pub(super) const DURATION_BOUNDS_US: [u64; DURATION_BOUNDS] = {
    let mut bounds = [2 * DURATION_STEP_US; DURATION_BOUNDS];
    let mut i = 1;
    while i < DURATION_BOUNDS {
        let octave = (i as u64 - 1) / 2;
        let half = (i as u64 - 1) % 2;
        bounds[i] = DURATION_STEP_US * ((3 + half) << octave);
        i += 1;
    }
    bounds
};

const _: () = assert!(DURATION_BOUNDS_US[0] == 50);
const _: () = assert!(DURATION_BOUNDS_US[DURATION_BOUNDS - 1] >= 10_000_000);

/// Upper bounds of the size buckets, inclusive, ascending.
pub(super) const SIZE_BOUNDS_ITEMS: [u64; SIZE_BOUNDS] = {
    let mut bounds = [1; SIZE_BOUNDS];
    let mut i = 1;
    while i < SIZE_BOUNDS {
        bounds[i] = 1 << i;
        i += 1;
    }
    bounds
};

/// The bucket of a duration. With `x` the number of whole steps below it, the octave is the highest set bit of `x`
/// and the half of the octave is the bit below that one.
#[inline]
fn duration_bucket(elapsed_us: u64) -> usize {
    // Less one because a bound belongs to the bucket below it (`le` is "less or equal").
    let steps = elapsed_us.saturating_sub(1) / DURATION_STEP_US;
    if steps < 2 {
        return 0;
    }
    let octave = steps.ilog2() - 1;
    let half = (steps >> octave) & 1;
    (1 + 2 * octave as usize + half as usize).min(DURATION_BOUNDS)
}

/// The bucket of a size: the number of bits of the size less one.
#[inline]
fn size_bucket(size: u64) -> usize {
    let bits = u64::BITS - size.saturating_sub(1).leading_zeros();
    (bits as usize).min(SIZE_BOUNDS)
}

/// What both kinds are made of.
#[derive(Debug)]
pub(super) struct Buckets<const N: usize> {
    pub(super) sum: Counter,
    pub(super) counts: [Counter; N],
}

impl<const N: usize> Buckets<N> {
    const fn new() -> Self {
        Self { sum: Counter::new(), counts: [const { Counter::new() }; N] }
    }
}

/// How long something took.
#[derive(Debug)]
pub struct DurationHistogram(pub(super) Buckets<DURATION_BUCKETS>);

impl DurationHistogram {
    /// An empty histogram.
    pub const fn new() -> Self {
        Self(Buckets::new())
    }

    /// Counts one duration, in microseconds. Only the owning thread may call this.
    #[inline]
    pub fn observe(&self, elapsed_us: u64) {
        self.0.counts[duration_bucket(elapsed_us)].inc();
        self.0.sum.add(elapsed_us);
    }
}

impl Default for DurationHistogram {
    fn default() -> Self {
        Self::new()
    }
}

/// How many there were of something.
#[derive(Debug)]
pub struct SizeHistogram(pub(super) Buckets<SIZE_BUCKETS>);

impl SizeHistogram {
    /// An empty histogram.
    pub const fn new() -> Self {
        Self(Buckets::new())
    }

    /// Counts one size, in items. Only the owning thread may call this.
    #[inline]
    pub fn observe(&self, size: u64) {
        self.0.counts[size_bucket(size)].inc();
        self.0.sum.add(size);
    }
}

impl Default for SizeHistogram {
    fn default() -> Self {
        Self::new()
    }
}

/// The plain values of one histogram, or of several added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BucketTotals<const N: usize> {
    pub(super) sum: u64,
    pub(super) counts: [u64; N],
}

impl<const N: usize> BucketTotals<N> {
    pub(super) const ZERO: Self = Self { sum: 0, counts: [0; N] };

    pub(super) fn merge(&mut self, buckets: &Buckets<N>) {
        self.sum = self.sum.wrapping_add(buckets.sum.get());
        for (total, count) in self.counts.iter_mut().zip(&buckets.counts) {
            *total = total.wrapping_add(count.get());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive_bucket(bounds: &[u64], value: u64) -> usize {
        bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len())
    }

    #[test]
    fn duration_bounds_grow_by_half_or_a_third() {
        assert_eq!(DURATION_BOUNDS_US[..6], [50, 75, 100, 150, 200, 300]);
        assert_eq!(DURATION_BOUNDS_US[DURATION_BOUNDS - 1], 13_107_200);
        for pair in DURATION_BOUNDS_US.windows(2) {
            assert!(pair[1] * 2 == pair[0] * 3 || pair[1] * 3 == pair[0] * 4);
        }
    }

    #[test]
    fn a_bound_belongs_to_the_bucket_it_closes() {
        for (i, bound) in DURATION_BOUNDS_US.iter().enumerate() {
            assert_eq!(duration_bucket(*bound), i);
            assert_eq!(duration_bucket(bound + 1), i + 1);
        }
        for (i, bound) in SIZE_BOUNDS_ITEMS.iter().enumerate() {
            assert_eq!(size_bucket(*bound), i);
            assert_eq!(size_bucket(bound + 1), i + 1);
        }
    }

    #[test]
    fn extremes_land_in_the_outer_buckets() {
        assert_eq!(duration_bucket(0), 0);
        assert_eq!(duration_bucket(u64::MAX), DURATION_BOUNDS);
        assert_eq!(size_bucket(0), 0);
        assert_eq!(size_bucket(u64::MAX), SIZE_BOUNDS);
    }

    #[test]
    fn merging_adds_buckets_and_sums() {
        let (a, b) = (DurationHistogram::new(), DurationHistogram::new());
        a.observe(40);
        a.observe(20_000_000);
        b.observe(60);
        b.observe(50);
        let mut totals = BucketTotals::ZERO;
        totals.merge(&a.0);
        totals.merge(&b.0);
        assert_eq!(totals.sum, 20_000_150);
        assert_eq!(totals.counts[..2], [2, 1]);
        assert_eq!(totals.counts[DURATION_BOUNDS], 1);
        assert_eq!(totals.counts.iter().sum::<u64>(), 4);
    }

    proptest! {
        #[test]
        fn duration_bucket_agrees_with_a_search(us in prop_oneof![0_u64..20_000_000, 0_u64..2_000, any::<u64>()]) {
            prop_assert_eq!(duration_bucket(us), naive_bucket(&DURATION_BOUNDS_US, us));
        }

        #[test]
        fn size_bucket_agrees_with_a_search(size in prop_oneof![0_u64..40_000, 0_u64..64, any::<u64>()]) {
            prop_assert_eq!(size_bucket(size), naive_bucket(&SIZE_BOUNDS_ITEMS, size));
        }
    }
}
