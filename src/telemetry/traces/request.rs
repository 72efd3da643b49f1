//! The trace of one request: its names for the log, and, where it is recorded, its parts with their times.

use std::cell::RefCell;
use std::future::Future;
use std::time::{Duration, Instant};

use crate::http::trace_context::{SpanId, TraceId, TraceParent};
use crate::limits::TRACE_PARTS_MAX;

/// What a log record says of the request it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceIds {
    /// The trace.
    pub trace: TraceId,
    /// The request's own span where it is recorded, its caller's otherwise.
    pub span: SpanId,
}

/// The trace of a request under way. Costs nothing, and allocates nothing, for one that is not recorded.
#[derive(Debug, Default)]
pub struct RequestTrace {
    ids: Option<TraceIds>,
    recording: Option<Recording>,
}

#[derive(Debug)]
struct Recording {
    caller: Option<SpanId>,
    parts: RefCell<Vec<TimedPart>>,
}

/// A part of a request that waits for somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A batched statement, by its name: from the queue to the answer.
    Statement(&'static str),
    /// A password on a password core, the wait for it included.
    Password,
}

#[derive(Debug)]
pub(super) struct TimedPart {
    pub(super) part: Part,
    pub(super) begun: Instant,
    pub(super) ended: Instant,
    /// How much of it was spent in a queue, where that is known.
    pub(super) waited: Option<Duration>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// The method; none when it is not a known one.
    pub method: Option<&'static str>,
    /// The pattern of its path; none when it reached no endpoint.
    pub route: Option<&'static str>,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The status of its reply.
    pub status: u16,
    /// The code of the problem that it was answered with.
    pub problem: Option<&'static str>,
}

/// A request that is over, as a span.
#[derive(Debug)]
pub struct Span {
    pub(super) ids: TraceIds,
    pub(super) caller: Option<SpanId>,
    pub(super) served: Served,
    pub(super) path: Option<Box<str>>,
    pub(super) parts: Vec<TimedPart>,
    pub(super) started: Instant,
    pub(super) ended: Instant,
    pub(super) ended_unix_ns: u64,
}

impl RequestTrace {
    /// A trace of which nothing is recorded here; its names are its caller's.
    #[inline]
    pub(super) fn unrecorded(parent: Option<TraceParent>) -> Self {
        Self { ids: parent.map(|parent| TraceIds { trace: parent.trace, span: parent.span }), recording: None }
    }

    pub(super) fn recorded(ids: TraceIds, caller: Option<SpanId>) -> Self {
        Self { ids: Some(ids), recording: Some(Recording { caller, parts: RefCell::default() }) }
    }

    /// The names, if the request has any.
    pub const fn ids(&self) -> Option<TraceIds> {
        self.ids
    }

    /// Does the work of a part, and notes when.
    #[inline]
    pub async fn timed<T>(&self, part: Part, work: impl Future<Output = T>) -> T {
        let Some(recording) = &self.recording else { return work.await };
        let begun = Instant::now();
        let outcome = work.await;
        let mut parts = recording.parts.borrow_mut();
        if parts.len() < TRACE_PARTS_MAX {
            parts.push(TimedPart { part, begun, ended: Instant::now(), waited: None });
        }
        outcome
    }

    /// Says how long the part that was noted last had waited in a queue.
    #[inline]
    pub fn waited(&self, waited: Duration) {
        if let Some(recording) = &self.recording
            && let Some(last) = recording.parts.borrow_mut().last_mut()
        {
            last.waited = Some(waited);
        }
    }

    /// The span of a request that was served like this, and had this path if it reached an endpoint; none of one that
    /// is not recorded.
    #[inline]
    pub fn served(self, served: Served, path: Option<&str>) -> Option<Box<Span>> {
        let (Recording { caller, parts }, ids) = (self.recording?, self.ids?);
        let now = Instant::now();
        let (path, parts) = (path.map(Box::from), parts.into_inner());
        Some(Box::new(Span { ids, caller, served, path, parts, started: now, ended: now, ended_unix_ns: 0 }))
    }
}

impl Span {
    pub(super) fn over(&mut self, started: Instant, ended: Instant, ended_unix_ns: u64) {
        (self.started, self.ended, self.ended_unix_ns) = (started, ended, ended_unix_ns);
    }

    /// Itself and its parts.
    pub(super) fn spans(&self) -> u64 {
        1 + self.parts.len() as u64
    }
}
