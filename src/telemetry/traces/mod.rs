//! Traces of sampled requests, sent to a collector by OTLP. A shard that samples a request notes when its parts began
//! and ended, and puts that into a bounded queue; a thread of its own does everything else. Never waits for that
//! thread: what finds the queue full is dropped and counted.
//!
//! Nothing of a client but the path of the route it reached is in a span: no address, no header, no body, no id of a
//! user.

mod exporter;
mod otlp;
mod request;
mod sampling;

pub use exporter::{Exporter, ExporterError, TraceConfig};
pub use request::{Part, RequestTrace, Served, Span, TraceIds};

use sampling::{Generator, Ratio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use crate::clock;
use crate::http::trace_context::TraceParent;

/// What the tracers of all shards are made of.
#[derive(Clone)]
pub struct Traces {
    ratio: Ratio,
    queue: SyncSender<Box<Span>>,
    counts: Arc<TraceCounts>,
}

/// What became of spans. Written by several threads, but for sampled requests only.
#[derive(Debug, Default)]
pub struct TraceCounts {
    /// Made.
    recorded: AtomicU64,
    /// Taken by the collector.
    exported: AtomicU64,
    /// Dropped, by [`DropReason`].
    dropped: [AtomicU64; DropReason::ALL.len()],
}

/// The same as plain numbers.
#[derive(Debug, Default)]
pub(super) struct TraceFigures {
    pub(super) exported: u64,
    /// By [`DropReason`].
    pub(super) dropped: [u64; DropReason::ALL.len()],
}

/// Why spans were dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DropReason {
    /// The collector, or the way to it, was too slow for the queue.
    QueueFull,
    /// It could not be reached, or was not able to take them, for longer than they are kept.
    Unreachable,
    /// It will not take them.
    Refused,
}

impl DropReason {
    pub(super) const ALL: [(Self, &'static str); 3] =
        [(Self::QueueFull, "queue_full"), (Self::Unreachable, "unreachable"), (Self::Refused, "refused")];
}

impl TraceCounts {
    fn lose(&self, reason: DropReason, spans: u64) {
        self.dropped[reason as usize].fetch_add(spans, Relaxed);
    }

    pub(super) fn figures(&self) -> TraceFigures {
        let dropped = self.dropped.each_ref().map(|count| count.load(Relaxed));
        TraceFigures { exported: self.exported.load(Relaxed), dropped }
    }

    /// Spans that were dropped, for whatever reason.
    fn lost(&self) -> u64 {
        self.dropped.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// Spans that are neither exported nor dropped yet.
    fn pending(&self) -> u64 {
        self.recorded.load(Relaxed).saturating_sub(self.lost() + self.exported.load(Relaxed))
    }
}

/// One shard's part in tracing.
pub struct Tracer(Option<Recorder>);

/// What it takes to record.
struct Recorder {
    traces: Traces,
    random: Generator,
}

impl Tracer {
    /// A tracer that records what it samples, or nothing where there are no traces. `seed` is random.
    pub fn new(traces: Option<&Traces>, seed: [u8; 16]) -> Self {
        Self(traces.map(|traces| Recorder { traces: traces.clone(), random: Generator::new(seed) }))
    }

    /// The trace of a request that has this `traceparent`, and whether it is recorded. A caller who is `trusted` has
    /// decided that already; anybody else could choose a name of a trace that every ratio takes, so chance decides.
    #[inline]
    pub fn begin(&self, traceparent: Option<&[u8]>, trusted: impl FnOnce() -> bool) -> RequestTrace {
        let parent = traceparent.and_then(TraceParent::parse);
        match &self.0 {
            None => RequestTrace::unrecorded(parent),
            Some(recorder) => recorder.begin(parent, trusted),
        }
    }

    /// Hands over the span of a request whose reply has gone out just now.
    #[inline]
    pub fn end(&self, span: Option<Box<Span>>, started: Instant) {
        if let (Some(span), Some(recorder)) = (span, &self.0) {
            recorder.end(span, started);
        }
    }
}

impl Recorder {
    #[inline]
    fn begin(&self, parent: Option<TraceParent>, trusted: impl FnOnce() -> bool) -> RequestTrace {
        let chance = self.random.next();
        let sampled = match &parent {
            Some(parent) if trusted() => parent.sampled,
            _ => self.traces.ratio.takes(chance),
        };
        if sampled { self.record(parent, chance) } else { RequestTrace::unrecorded(parent) }
    }

    /// A trace that begins here has the number that has let it in as the end of its name, so that those further down
    /// who decide by the name, and a ratio that is as large, come to the same.
    #[cold]
    fn record(&self, parent: Option<TraceParent>, chance: u64) -> RequestTrace {
        let trace = parent.map_or_else(|| self.random.trace_id(chance), |parent| parent.trace);
        RequestTrace::recorded(TraceIds { trace, span: self.random.span_id() }, parent.map(|parent| parent.span))
    }

    #[cold]
    fn end(&self, mut span: Box<Span>, started: Instant) {
        span.over(started, Instant::now(), clock::unix_ns());
        let (counts, spans) = (&self.traces.counts, span.spans());
        counts.recorded.fetch_add(spans, Relaxed);
        if self.traces.queue.try_send(span).is_err() {
            counts.lose(DropReason::QueueFull, spans);
        }
    }
}

#[cfg(test)]
mod tests;
