//! One hash on a password core: what goes there, what comes back, and what a worker makes of it. Every question about a
//! password is the same job; only the shard that asked knows what the tag is compared with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use shards::offload::Urgency;
use zeroize::Zeroizing;

use super::argon2id::{HashError, HashMemory};
use super::{Params, WeakDigest};
use crate::fail_points::{self, FailPoint};

/// What is hashed. Wiped on drop.
pub(super) enum Secret {
    /// For this server's records.
    Digest(WeakDigest),
    /// For another program's.
    Password(Zeroizing<Vec<u8>>),
}

impl Secret {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Digest(digest) => digest.as_bytes(),
            Self::Password(password) => password,
        }
    }
}

/// One hash to compute.
pub(super) struct Job {
    pub(super) urgency: Urgency,
    pub(super) secret: Secret,
    pub(super) salt: Vec<u8>,
    pub(super) params: Params,
    pub(super) tag_bytes: usize,
    pub(super) submitted: Instant,
    /// When it has to begin.
    pub(super) deadline: Instant,
}

/// A computed hash.
pub(super) struct Hashed {
    pub(super) tag: Zeroizing<Vec<u8>>,
    /// From submission to the hash's beginning.
    pub(super) waited: Duration,
}

/// Why a job was answered without a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unhashed {
    /// Its turn came after its deadline.
    Late,
    /// There was no memory.
    Failed,
}

pub(super) type Answer = Result<Hashed, Unhashed>;

/// What a worker hashes with.
pub(super) trait Hasher: 'static {
    fn hash(&mut self, params: Params, password: &[u8], salt: &[u8], tag: &mut [u8]) -> Result<(), HashError>;

    /// Leaves nothing of earlier hashes.
    fn wipe(&mut self);
}

impl Hasher for HashMemory {
    fn hash(&mut self, params: Params, password: &[u8], salt: &[u8], tag: &mut [u8]) -> Result<(), HashError> {
        HashMemory::hash(self, params, password, salt, tag)
    }

    fn wipe(&mut self) {
        HashMemory::wipe(self);
    }
}

/// Does one job on a worker.
pub(super) fn run(hasher: &mut impl Hasher, job: &Job, gauges: &Gauges) -> Answer {
    let began = Instant::now();
    if began > job.deadline {
        gauges.late.fetch_add(1, Ordering::Relaxed);
        return Err(Unhashed::Late);
    }
    let mut tag = Zeroizing::new(vec![0; job.tag_bytes]);
    fail_points::pass(FailPoint::Hash);
    if let Err(error) = hasher.hash(job.params, job.secret.as_bytes(), &job.salt, &mut tag) {
        gauges.failed.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%error, params = %job.params, "a password could not be hashed");
        return Err(Unhashed::Failed);
    }
    gauges.hash(job.urgency).observe(began.elapsed());
    Ok(Hashed { tag, waited: began.saturating_duration_since(job.submitted) })
}

/// What the workers of one pool tell the shards, without locks.
#[derive(Default)]
pub(super) struct Gauges {
    urgent: MovingMean,
    background: MovingMean,
    pub(super) late: AtomicU64,
    pub(super) failed: AtomicU64,
    /// Counted on shards: records that could not be read.
    pub(super) unreadable: AtomicU64,
}

impl Gauges {
    /// How long hashes of this urgency take. Kept apart: on a shard's CPU the ones in the background have to give way.
    pub(super) const fn hash(&self, urgency: Urgency) -> &MovingMean {
        match urgency {
            Urgency::Urgent => &self.urgent,
            Urgency::Background => &self.background,
        }
    }
}

/// A mean in which each observation counts for an eighth, so that it follows within some ten hashes. Two workers that
/// observe at once may lose one of both, which such a mean can afford.
#[derive(Default)]
pub(super) struct MovingMean {
    /// 0 before the first observation.
    nanoseconds: AtomicU64,
}

impl MovingMean {
    const WEIGHT: u64 = 8;

    pub(super) fn observe(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
        let mean = match self.nanoseconds.load(Ordering::Relaxed) {
            0 => time,
            mean => mean - mean / Self::WEIGHT + time / Self::WEIGHT,
        };
        self.nanoseconds.store(mean, Ordering::Relaxed);
    }

    /// Zero when nothing was observed yet.
    pub(super) fn get(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_follows_and_forgets_one_outlier() {
        let mean = MovingMean::default();
        assert_eq!(mean.get(), Duration::ZERO);
        mean.observe(Duration::from_millis(15));
        assert_eq!(mean.get(), Duration::from_millis(15), "the first is the best guess there is");
        mean.observe(Duration::from_millis(95));
        assert_eq!(mean.get(), Duration::from_millis(25));
        for _ in 0..40 {
            mean.observe(Duration::from_millis(15));
        }
        assert!(mean.get() < Duration::from_micros(15_200), "{:?}", mean.get());
        mean.observe(Duration::MAX);
        assert!(mean.get() > Duration::from_secs(1));
    }
}
