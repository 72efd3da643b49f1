//! Counters per shard, merged on scrape; logs; traces; the profiler.
//!
//! A shard [claims](Registry::claim) its metrics on its own thread and is their only writer, so counting takes no lock
//! and no locked instruction. A scrape reads all shards' counters without their help. Nothing here ever waits for a
//! reader, a disk or a terminal.

mod counters;
mod hardening;
mod histogram;
mod logs;
mod names;
mod process;
mod profiler;
mod prometheus;
mod rate_limited;
mod registry;
mod security;
mod shard_metrics;
mod snapshot;
mod statuses;
mod tls;
mod traces;

pub use counters::{Counter, Gauge};
pub use hardening::{BacklogFigures, HardeningFigures, WorkerFigures};
pub use histogram::{DurationHistogram, SizeHistogram};
pub use logs::{DroppedLines, InitError, LogFormat, LogGuard, UnknownFormat, init, name_shard};
pub use names::{Names, OUTCOMES_MAX, PARSE_ERRORS_MAX, ROUTES_MAX, RouteName, STATEMENTS_MAX, StatementName};
pub use profiler::{Profile, ProfileError, Profiling};
pub use prometheus::CONTENT_TYPE;
pub use rate_limited::RateLimited;
pub use registry::{Recorder, Registry};
pub use security::{SECURITY_TARGET, SecurityEvent, SecurityEventKind, SecurityEvents, SecurityLog};
pub use shard_metrics::{
    Batch, CloseReason, ConnectionGroup, Connections, Database, ParseErrors, Requests, ShardMetrics,
};
pub use tls::{CertificateFigures, Tls, TlsFailure, TlsHandshake};
pub use traces::{
    Exporter, ExporterError, Part, RequestTrace, Served, Span, TraceConfig, TraceCounts, TraceIds, Tracer, Traces,
};
