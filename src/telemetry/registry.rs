//! Where shards leave their metrics and readers find them. Neither ever waits for the other.

use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use super::counters::Gauge;
use super::hardening::HardeningFigures;
use super::logs::{self, DroppedLines};
use super::names::Names;
use super::process::{ProcessStats, ThreadClock, start_time_ms};
use super::prometheus;
use super::shard_metrics::{Batch, ShardMetrics};
use super::snapshot::Snapshot;
use super::tls::CertificateFigures;
use super::traces::TraceCounts;

type HardeningSource = Box<dyn Fn() -> HardeningFigures + Send + Sync>;
type CertificateSource = Box<dyn Fn() -> CertificateFigures + Send + Sync>;

/// The metrics of all shards. Made once, before the first shard starts, and shared by all.
pub struct Registry {
    names: Names,
    slots: Box<[OnceLock<Slot>]>,
    dropped_lines: OnceLock<DroppedLines>,
    hardening: OnceLock<HardeningSource>,
    certificate: OnceLock<CertificateSource>,
    traces: OnceLock<Arc<TraceCounts>>,
    started_ms: Option<u64>,
}

/// What a shard has in hand.
#[derive(Debug, Default)]
pub struct ShardLoad {
    /// Connections of clients.
    pub connections: u64,
    /// Items that wait to be sent to the database.
    pub queued: u64,
    /// Requests that wait for it.
    pub waiters: u64,
    /// The request begun last, by its method and the pattern of its path.
    pub last_request: Option<String>,
}

#[derive(Debug)]
struct Slot {
    metrics: Arc<ShardMetrics>,
    clock: ThreadClock,
}

impl Registry {
    /// A registry with room for `shards` shards.
    ///
    /// # Panics
    /// When there are more names than slots: see [`Names::assert_fit`].
    pub fn new(names: Names, shards: usize) -> Self {
        names.assert_fit();
        Self {
            names,
            slots: (0..shards).map(|_| OnceLock::new()).collect(),
            dropped_lines: OnceLock::new(),
            hardening: OnceLock::new(),
            certificate: OnceLock::new(),
            traces: OnceLock::new(),
            started_ms: start_time_ms(),
        }
    }

    /// Makes the calling thread the writer of a shard's metrics, measures its CPU time from now on, and names the shard
    /// in what the thread logs.
    ///
    /// To be called on the shard's own thread: the memory then lies at that thread's NUMA node.
    ///
    /// # Panics
    /// When the shard is out of range or has a writer already: two writers would lose counts.
    pub fn claim(&self, shard: usize) -> Recorder {
        let metrics = Arc::new(ShardMetrics::default());
        let slot = Slot { metrics: Arc::clone(&metrics), clock: ThreadClock::of_this_thread() };
        assert!(shard < self.slots.len(), "shard {shard} has no metrics");
        let claimed = self.slots[shard].set(slot);
        assert!(claimed.is_ok(), "the metrics of shard {shard} have a writer");
        logs::name_shard(shard);
        Recorder::new(metrics)
    }

    /// Exports the number of log lines that were dropped. Only the first call counts.
    pub fn export_dropped_lines(&self, lines: DroppedLines) {
        let _ = self.dropped_lines.set(lines);
    }

    /// Exports what password hashing is like; `source` is asked at each scrape, on a helper thread. Only the first call
    /// counts.
    pub fn export_hardening(&self, source: impl Fn() -> HardeningFigures + Send + Sync + 'static) {
        let _ = self.hardening.set(Box::new(source));
    }

    /// Exports what the certificate of TLS is like, and what came of handshakes with it; `source` is asked at each
    /// scrape. Only the first call counts.
    pub fn export_certificate(&self, source: impl Fn() -> CertificateFigures + Send + Sync + 'static) {
        let _ = self.certificate.set(Box::new(source));
    }

    /// Exports what becomes of spans. Only the first call counts.
    pub fn export_traces(&self, counts: Arc<TraceCounts>) {
        let _ = self.traces.set(counts);
    }

    /// All metrics in the format that [`CONTENT_TYPE`](super::CONTENT_TYPE) names.
    ///
    /// Takes about 70 us for 130 kB with two shards and 320 us for 390 kB with 64, where the shards' own histograms are
    /// half the page, and reads `/proc`: on a shard's behalf it belongs on a helper thread.
    pub fn render(&self) -> String {
        prometheus::render(&self.names, &self.snapshot())
    }

    /// What this shard has in hand, as far as it can be told without asking it.
    pub fn load(&self, shard: usize) -> ShardLoad {
        let Some(slot) = self.slots.get(shard).and_then(OnceLock::get) else { return ShardLoad::default() };
        let metrics = &slot.metrics;
        let sum = |of: fn(&Batch) -> &Gauge| metrics.batches.iter().map(|batch| of(batch).get()).sum();
        let last = usize::try_from(metrics.requests.last.get()).ok().and_then(|last| last.checked_sub(1));
        ShardLoad {
            connections: metrics.connections.open(),
            queued: sum(|batch| &batch.queued),
            waiters: sum(|batch| &batch.waiters),
            last_request: last
                .and_then(|route| self.names.routes.get(route))
                .map(|route| format!("{} {}", route.method, route.path)),
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::empty(&self.names);
        for (shard, slot) in self.slots.iter().enumerate() {
            if let Some(slot) = slot.get() {
                snapshot.merge(shard, &slot.metrics, slot.clock.cpu_ns());
            }
        }
        snapshot.log_lines_dropped = self.dropped_lines.get().map_or(0, DroppedLines::get);
        snapshot.traces = self.traces.get().map(|counts| counts.figures()).unwrap_or_default();
        snapshot.hardening = self.hardening.get().map(|source| source());
        snapshot.certificate = self.certificate.get().map(|source| source());
        snapshot.started_ms = self.started_ms;
        snapshot.process = ProcessStats::read();
        snapshot
    }
}

/// The right to write one shard's metrics. It cannot leave the thread that claimed it, so there is only one writer.
///
/// A clone is for the same thread, and costs an atomic increment: share a reference on the request path.
///
/// ```compile_fail,E0277
/// fn leaves_its_thread<T: Send>() {}
/// leaves_its_thread::<jeday::telemetry::Recorder>();
/// ```
#[derive(Clone, Debug)]
pub struct Recorder {
    metrics: Arc<ShardMetrics>,
    one_thread: PhantomData<Rc<()>>,
}

impl Recorder {
    fn new(metrics: Arc<ShardMetrics>) -> Self {
        Self { metrics, one_thread: PhantomData }
    }

    /// A recorder that nobody reads, for tests and for commands that serve nothing.
    pub fn detached() -> Self {
        Self::new(Arc::default())
    }
}

impl Deref for Recorder {
    type Target = ShardMetrics;

    fn deref(&self) -> &ShardMetrics {
        &self.metrics
    }
}

#[cfg(test)]
mod tests;
