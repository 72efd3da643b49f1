//! Counters and gauges with one writer and any number of readers.
//!
//! A write is a plain load, add and store: no lock prefix and no lock, so it costs a shard about as much as
//! incrementing a local variable. That is sound only because each value is written by one thread; see
//! [`Recorder`](super::Recorder), which keeps it so. Never use these for a value that two threads write:
//! increments would be lost.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A value that only grows. Readers on other threads see it grow, possibly a moment late.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// A counter at zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds one. Only the owning thread may call this.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Adds `n`. Only the owning thread may call this.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// The value now, from any thread.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A value that goes up and down, never below zero.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// A gauge at zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds one. Only the owning thread may call this.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Takes one away. Only the owning thread may call this.
    #[inline]
    pub fn dec(&self) {
        self.sub(1);
    }

    /// Adds `n`. Only the owning thread may call this.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Takes `n` away and stops at zero. Only the owning thread may call this.
    #[inline]
    pub fn sub(&self, n: u64) {
        let now = self.0.load(Relaxed);
        debug_assert!(now >= n, "a gauge at {now} cannot lose {n}");
        self.0.store(now.saturating_sub(n), Relaxed);
    }

    /// Sets the value. Only the owning thread may call this.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    /// The value now, from any thread.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_adds_up() {
        let counter = Counter::new();
        counter.inc();
        counter.add(41);
        assert_eq!(counter.get(), 42);
    }

    #[test]
    fn gauge_follows_what_comes_and_goes() {
        let gauge = Gauge::new();
        gauge.add(3);
        gauge.inc();
        gauge.dec();
        gauge.sub(2);
        assert_eq!(gauge.get(), 1);
        gauge.set(7);
        assert_eq!(gauge.get(), 7);
    }
}
