//! The thread that sends spans to the collector: OTLP over HTTP, in protobuf. Whatever becomes of the collector costs
//! the server nothing but the spans: messages are bounded, attempts are counted, and at the end of the process it waits
//! for a bounded time.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io};

use rustls_native_certs::load_native_certs;
use thiserror::Error;
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};

use super::otlp;
use super::request::Span;
use super::sampling::Ratio;
use super::{DropReason, TraceCounts, Traces};
use crate::clock;
use crate::limits::{
    COMPLAINT_INTERVAL, TRACE_ANSWER_BYTES_MAX, TRACE_EXPORT_ATTEMPTS_MAX, TRACE_EXPORT_BATCH_MAX,
    TRACE_EXPORT_INTERVAL, TRACE_EXPORT_TIMEOUT, TRACE_QUEUE_MAX, TRACE_RETRY_PAUSE_FIRST, TRACE_RETRY_PAUSE_MAX,
};
use crate::telemetry::RateLimited;

/// What is traced, and where to.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceConfig {
    /// The URL that messages are posted to.
    pub endpoint: String,
    /// Under which name this service is known.
    pub service_name: String,
    /// The share of requests that are recorded, between 0 and 1, where no trusted caller has decided.
    pub sample_ratio: f64,
}

/// Traces cannot be exported.
#[derive(Debug, Error)]
#[error("the thread that exports traces cannot be started: {0}")]
pub struct ExporterError(#[from] io::Error);

/// The running thread.
pub struct Exporter {
    traces: Traces,
    stop_by: Arc<OnceLock<Instant>>,
    thread: JoinHandle<()>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
}

impl Exporter {
    /// Starts the thread. The collector need not be there.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(config: &TraceConfig) -> Result<Self, ExporterError> {
        let (queue, recorded) = sync_channel(TRACE_QUEUE_MAX);
        let (alive, ended) = channel();
        let counts = Arc::new(TraceCounts::default());
        let stop_by = Arc::new(OnceLock::new());
        let sender = Worker {
            collector: Collector::new(config),
            service_name: config.service_name.clone(),
            recorded,
            counts: counts.clone(),
            stop_by: stop_by.clone(),
            complaints: RateLimited::new(COMPLAINT_INTERVAL),
            _alive: alive,
        };
        let thread = thread::Builder::new().name("traces".to_owned()).spawn(move || sender.run())?;
        let traces = Traces { ratio: Ratio::new(config.sample_ratio), queue, counts };
        Ok(Self { traces, stop_by, thread, ended })
    }

    /// What shards make their tracers of.
    pub fn traces(&self) -> Traces {
        self.traces.clone()
    }

    /// What has become of spans.
    pub fn counts(&self) -> Arc<TraceCounts> {
        self.traces.counts.clone()
    }

    /// Exports what is there, if the collector takes it within this time, and tells how many spans are lost.
    pub fn stop(self, within: Duration) -> u64 {
        let lost_before = self.traces.counts.lost();
        let _ = self.stop_by.set(Instant::now() + within);
        self.thread.thread().unpark();
        if self.ended.recv_timeout(within) == Err(RecvTimeoutError::Timeout) {
            return self.traces.counts.pending();
        }
        self.traces.counts.lost() - lost_before
    }
}

/// What the thread has.
struct Worker {
    collector: Collector,
    service_name: String,
    recorded: Receiver<Box<Span>>,
    counts: Arc<TraceCounts>,
    /// Set when the process is to end: by when.
    stop_by: Arc<OnceLock<Instant>>,
    complaints: RateLimited,
    _alive: Sender<()>,
}

impl Worker {
    /// Looks into the queue now and then instead of waiting for it: whoever puts something in then wakes nobody.
    fn run(self) {
        loop {
            // Before the look: what was put in before the process was told to stop is found.
            let stopping = self.stop_by.get().is_some();
            let batch: Vec<_> = self.recorded.try_iter().take(TRACE_EXPORT_BATCH_MAX).collect();
            let is_full = batch.len() == TRACE_EXPORT_BATCH_MAX;
            if !batch.is_empty() {
                self.export(&batch);
            }
            if !is_full && stopping {
                return;
            }
            if !is_full {
                self.pause(TRACE_EXPORT_INTERVAL);
            }
        }
    }

    /// Exports one message, or drops it.
    fn export(&self, batch: &[Box<Span>]) {
        let message = otlp::encode(&self.service_name, batch);
        let spans = batch.iter().map(|span| span.spans()).sum();
        let mut pause = TRACE_RETRY_PAUSE_FIRST;
        let mut attempts = 1;
        let (reason, fault) = loop {
            match self.collector.post(&message, self.timeout()) {
                Ok(partial) => return self.exported(spans, partial),
                Err(fault @ Fault::Refused(_)) => break (DropReason::Refused, fault),
                Err(fault) if attempts == TRACE_EXPORT_ATTEMPTS_MAX || self.stop_by.get().is_some() => {
                    break (DropReason::Unreachable, fault);
                }
                Err(fault) => {
                    self.complain(&fault, 0);
                    self.pause(fault.wants_pause().unwrap_or_else(|| jittered(pause)).min(TRACE_RETRY_PAUSE_MAX));
                }
            }
            attempts += 1;
            pause *= 2;
        };
        self.counts.lose(reason, spans);
        self.complain(&fault, spans);
    }

    fn exported(&self, spans: u64, partial: Option<otlp::PartialSuccess>) {
        let rejected = partial.as_ref().map_or(0, |partial| partial.rejected_spans.unsigned_abs().min(spans));
        self.counts.exported.fetch_add(spans - rejected, Relaxed);
        let Some(partial) = partial else { return };
        self.counts.lose(DropReason::Refused, rejected);
        self.complain(&partial.error_message.escape_debug(), rejected);
    }

    fn complain(&self, fault: &dyn fmt::Display, dropped: u64) {
        if let Some(suppressed) = self.complaints.admit(Instant::now()) {
            tracing::warn!(error = %fault, dropped, suppressed, "the collector has not taken traces");
        }
    }

    /// How long an attempt may take now; some time even at the end, so that it is made.
    fn timeout(&self) -> Duration {
        const LEAST: Duration = Duration::from_millis(1);
        let left = self.stop_by.get().map(|by| by.saturating_duration_since(Instant::now()).max(LEAST));
        left.unwrap_or(TRACE_EXPORT_TIMEOUT).min(TRACE_EXPORT_TIMEOUT)
    }

    /// Waits, unless the process is to end.
    fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while self.stop_by.get().is_none() {
            match until.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return,
                left => thread::park_timeout(left),
            }
        }
    }
}

/// Between half of the pause and all of it, so that servers which lost their collector together do not come together.
fn jittered(pause: Duration) -> Duration {
    const THOUSAND: u64 = 1_000;
    let chance = (clock::unix_ns() / THOUSAND % THOUSAND) as u32;
    pause / 2 + pause / 2 * chance / THOUSAND as u32
}

/// Where messages go.
struct Collector {
    agent: Agent,
    endpoint: String,
}

/// Why a message was not taken.
#[derive(Debug, Error)]
enum Fault {
    /// It is not worth another attempt.
    #[error("it was answered with status {0}")]
    Refused(StatusCode),
    /// The collector cannot take it now; it may have said when to come back.
    #[error("it was answered with status {status}")]
    Busy { status: StatusCode, after: Option<Duration> },
    /// There was no answer.
    #[error("it could not be sent: {0}")]
    Unsent(#[from] ureq::Error),
}

impl Fault {
    fn wants_pause(&self) -> Option<Duration> {
        match self {
            Fault::Busy { after, .. } => *after,
            Fault::Refused(_) | Fault::Unsent(_) => None,
        }
    }
}

impl Collector {
    fn new(config: &TraceConfig) -> Self {
        let settings = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // What this server talks to is said by its own settings alone.
            .proxy(None)
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .tls_config(if config.endpoint.starts_with("https:") { tls() } else { TlsConfig::default() })
            .build();
        Self { agent: settings.into(), endpoint: config.endpoint.clone() }
    }

    /// Sends one message. What the collector did not take of it is told.
    fn post(&self, message: &[u8], timeout: Duration) -> Result<Option<otlp::PartialSuccess>, Fault> {
        let request = self.agent.post(&self.endpoint).config().timeout_global(Some(timeout)).build();
        let mut response = request.content_type("application/x-protobuf").send(message)?;
        let status = response.status();
        // Read to its end, so that the connection can be used again.
        let answer = response.body_mut().with_config().limit(TRACE_ANSWER_BYTES_MAX).read_to_vec();
        match status.as_u16() {
            200..=299 => Ok(answer.ok().and_then(|answer| otlp::partial_success(&answer))),
            // OTLP 1.x, "Failures": these and no others are worth another attempt.
            429 | 502 | 503 | 504 => Err(Fault::Busy { status, after: retry_after(&response) }),
            _ => Err(Fault::Refused(status)),
        }
    }
}

/// Those that the machine trusts; loaded once, because that takes a while.
fn tls() -> TlsConfig {
    let loaded = load_native_certs();
    let trusted: Vec<_> = loaded.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(&trusted))
        .build()
}

/// As a number of seconds (RFC 9110 section 10.2.3); a date is as good as none, and the pause is ours then.
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
