//! The Prometheus text exposition format 0.0.4: figures in, text out; reads no counter and no file itself.
//!
//! Names follow Prometheus' conventions: base units, `_total` for counters, `process_` for what every process has.
//! Labels are bounded by tables of names and by the number of shards. Routes and statuses appear once they have been
//! counted, everything else from the start, so that a rate over it begins at zero.

mod hardening;
mod tls;

use std::env::consts::ARCH;

use super::histogram::{BucketTotals, DURATION_BOUNDS_US, SIZE_BOUNDS_ITEMS};
use super::names::Names;
use super::security::SecurityEventKind;
use super::shard_metrics::{CloseReason, ConnectionGroup};
use super::snapshot::{ShardFigures, Snapshot, StatementTotals};
use super::statuses::STATUSES;
use super::traces::{DropReason, TraceFigures};

/// The media type of what [`Registry::render`](super::Registry::render) returns.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";
const HISTOGRAM: &str = "histogram";
/// Without quantiles: a sum and a count, from which comes an average over any time.
const SUMMARY: &str = "summary";

/// A usual page, so that the buffer seldom grows.
const PAGE_BYTES: usize = 160 * 1024;

type Labels<'a> = &'a [(&'static str, &'a str)];

/// Writes a page.
pub(super) fn render(names: &Names, snapshot: &Snapshot) -> String {
    let mut page = Page { text: String::with_capacity(PAGE_BYTES), numbers: itoa::Buffer::new() };
    page.build();
    page.process(snapshot);
    page.http(names, snapshot);
    page.connections(snapshot);
    if let Some(certificate) = snapshot.certificate {
        page.tls(snapshot, certificate);
    }
    page.batches(names, snapshot);
    page.database(snapshot);
    page.security(snapshot);
    page.shards(snapshot);
    if let Some(figures) = &snapshot.hardening {
        page.hardening(figures, &snapshot.password_wait);
    }
    page.family(
        "jeday_log_lines_dropped_total",
        COUNTER,
        "Log lines dropped because the log could not be written fast enough.",
    );
    page.value("jeday_log_lines_dropped_total", &[], snapshot.log_lines_dropped);
    page.traces(&snapshot.traces);
    page.text
}

struct Page {
    text: String,
    numbers: itoa::Buffer,
}

/// The families, in the order of the page.
impl Page {
    fn build(&mut self) {
        let name = "jeday_build_info";
        self.family(name, GAUGE, "What is running; always 1.");
        let labels = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("commit", option_env!("BUILD_COMMIT").unwrap_or("unknown")),
            ("architecture", ARCH),
        ];
        self.value(name, &labels, 1);
    }

    fn process(&mut self, snapshot: &Snapshot) {
        let process = &snapshot.process;
        let name = "process_cpu_seconds_total";
        self.family(name, COUNTER, "User and system CPU time of the process.");
        self.decimal::<9>(name, "", &[], process.cpu_ns);
        let gauges = [
            ("process_resident_memory_bytes", "Resident memory.", process.resident_bytes),
            ("process_virtual_memory_bytes", "Virtual memory.", process.virtual_bytes),
            ("process_open_fds", "Open file descriptors.", process.open_fds),
            ("process_max_fds", "Limit of open file descriptors.", process.max_fds),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                self.family(name, GAUGE, help);
                self.value(name, &[], value);
            }
        }
        if let Some(started_ms) = snapshot.started_ms {
            let name = "process_start_time_seconds";
            self.family(name, GAUGE, "Start of the process, in Unix time.");
            self.decimal::<3>(name, "", &[], started_ms);
        }
    }

    fn http(&mut self, names: &Names, snapshot: &Snapshot) {
        let name = "jeday_http_requests_total";
        self.family(name, COUNTER, "Requests answered, by route and status.");
        for (route, totals) in names.routes.iter().zip(&snapshot.routes) {
            for (slot, count) in totals.statuses.iter().enumerate() {
                if *count == 0 {
                    continue;
                }
                let mut digits = itoa::Buffer::new();
                let status = match STATUSES.get(slot) {
                    Some(code) => digits.format(*code),
                    None => "other",
                };
                let labels = [("method", route.method), ("route", route.path), ("status", status)];
                self.value(name, &labels, *count);
            }
        }

        let name = "jeday_http_request_duration_seconds";
        self.family(name, HISTOGRAM, "From the first byte of a request to the last of its reply, by route.");
        for (route, totals) in names.routes.iter().zip(&snapshot.routes) {
            if totals.latency.counts.iter().any(|count| *count > 0) {
                let labels = [("method", route.method), ("route", route.path)];
                self.durations(name, &labels, &totals.latency);
            }
        }

        let name = "jeday_http_parse_errors_total";
        self.family(name, COUNTER, "Malformed requests, by kind.");
        for (kind, count) in names.parse_errors.iter().zip(&snapshot.parse_errors) {
            self.value(name, &[("kind", *kind)], *count);
        }
        let name = "jeday_http_received_bytes_total";
        self.family(name, COUNTER, "Bytes read from clients.");
        self.value(name, &[], snapshot.received_bytes);
        let name = "jeday_http_sent_bytes_total";
        self.family(name, COUNTER, "Bytes written to clients.");
        self.value(name, &[], snapshot.sent_bytes);
    }

    fn connections(&mut self, snapshot: &Snapshot) {
        self.by_shard(snapshot, "jeday_connections_open", GAUGE, "Client connections that are open.", |shard| {
            shard.open
        });
        self.by_shard(snapshot, "jeday_connections_accepted_total", COUNTER, "Client connections admitted.", |shard| {
            shard.accepted
        });
        let name = "jeday_connections_refused_total";
        self.family(name, COUNTER, "Client connections turned away at the bound on connections.");
        self.value(name, &[], snapshot.refused);
        let name = "jeday_connections_closed_total";
        self.family(name, COUNTER, "Client connections ended, by reason.");
        for ((_, reason), count) in CloseReason::ALL.iter().zip(&snapshot.closed) {
            self.value(name, &[("reason", *reason)], *count);
        }
    }

    fn batches(&mut self, names: &Names, snapshot: &Snapshot) {
        let statements = || names.statements.iter().zip(&snapshot.statements);

        let name = "jeday_batch_queue_items";
        self.family(name, GAUGE, "Items that wait to be sent to the database.");
        for figures in &snapshot.shards {
            let mut digits = itoa::Buffer::new();
            let shard = digits.format(figures.shard);
            for (statement, queued) in names.statements.iter().zip(&figures.queued) {
                let labels = [("shard", shard), ("statement", statement.name)];
                self.value(name, &labels, *queued);
            }
        }
        let name = "jeday_batch_waiters";
        self.family(name, GAUGE, "Callers that wait for the outcome of an item.");
        for (statement, totals) in statements() {
            self.value(name, &[("statement", statement.name)], totals.waiters);
        }
        let name = "jeday_batch_items_total";
        self.family(name, COUNTER, "Items answered, by outcome.");
        for (statement, totals) in statements() {
            for (outcome, count) in statement.outcomes.iter().zip(&totals.outcomes) {
                let labels = [("statement", statement.name), ("outcome", *outcome)];
                self.value(name, &labels, *count);
            }
        }
        let name = "jeday_batch_size_items";
        self.family(name, HISTOGRAM, "Items of a batch.");
        for (statement, totals) in statements() {
            self.sizes(name, &[("statement", statement.name)], &totals.size);
        }
        type Part = fn(&StatementTotals) -> &BucketTotals<{ super::histogram::DURATION_BUCKETS }>;
        let durations: [(_, _, Part); 2] = [
            ("jeday_batch_wait_seconds", "How long the oldest item of a batch waited to be sent.", |totals| {
                &totals.wait
            }),
            ("jeday_batch_commit_seconds", "Round trip of a batch to the database, commit included.", |totals| {
                &totals.commit
            }),
        ];
        for (name, help, part) in durations {
            self.family(name, HISTOGRAM, help);
            for (statement, totals) in statements() {
                self.durations(name, &[("statement", statement.name)], part(totals));
            }
        }
    }

    fn security(&mut self, snapshot: &Snapshot) {
        let name = "jeday_security_events_total";
        self.family(name, COUNTER, "Security events, logged or not, by their names.");
        for (kind, count) in SecurityEventKind::ALL.iter().zip(&snapshot.security) {
            self.value(name, &[("event", kind.name())], *count);
        }
    }

    fn database(&mut self, snapshot: &Snapshot) {
        let name = "jeday_database_connections";
        self.family(name, GAUGE, "Connections to the database that are up.");
        for figures in &snapshot.shards {
            let mut digits = itoa::Buffer::new();
            let shard = digits.format(figures.shard);
            for ((_, group), up) in ConnectionGroup::ALL.iter().zip(&figures.database_connections) {
                self.value(name, &[("shard", shard), ("group", *group)], *up);
            }
        }
        let totals = &snapshot.database;
        let name = "jeday_database_unsafe_durability";
        self.family(name, GAUGE, "1 where a database that may lose confirmed commits is accepted, as is configured.");
        self.value(name, &[], totals.unsafe_durability);
        let counters = [
            (
                "jeday_database_reconnects_total",
                "Connections to the database made again after one was lost.",
                totals.reconnects,
            ),
            (
                "jeday_database_connect_failures_total",
                "Attempts to connect to the database that failed.",
                totals.connect_failures,
            ),
            ("jeday_batch_retries_total", "Batches sent a second time.", totals.batches_retried),
            ("jeday_batch_deadline_misses_total", "Batches whose deadline passed.", totals.deadline_misses),
        ];
        for (name, help, count) in counters {
            self.family(name, COUNTER, help);
            self.value(name, &[], count);
        }
        let name = "jeday_batch_unknown_outcomes_total";
        self.family(name, COUNTER, "Items whose connection died before the answer: resolved by looking again, or not.");
        self.value(name, &[("result", "resolved")], totals.unknown_resolved);
        self.value(name, &[("result", "unresolved")], totals.unknown_unresolved);
    }

    fn traces(&mut self, figures: &TraceFigures) {
        let name = "jeday_trace_spans_exported_total";
        self.family(name, COUNTER, "Spans that the collector of traces has taken.");
        self.value(name, &[], figures.exported);
        let name = "jeday_trace_spans_dropped_total";
        self.family(name, COUNTER, "Spans that no collector of traces has got, by reason.");
        for ((_, reason), count) in DropReason::ALL.iter().zip(&figures.dropped) {
            self.value(name, &[("reason", *reason)], *count);
        }
    }

    fn shards(&mut self, snapshot: &Snapshot) {
        self.by_shard(snapshot, "jeday_shard_requests_total", COUNTER, "Requests answered, by shard.", |shard| {
            shard.requests
        });
        let help = "CPU time of a shard's thread.";
        self.each_shard(snapshot, "jeday_shard_cpu_seconds_total", COUNTER, help, |page, name, labels, shard| {
            if let Some(cpu_ns) = shard.cpu_ns {
                page.decimal::<9>(name, "", labels, cpu_ns);
            }
        });
        let help = "From the first byte of a request to the last of its reply, by shard.";
        let name = "jeday_shard_request_duration_seconds";
        self.each_shard(snapshot, name, HISTOGRAM, help, |page, name, labels, shard| {
            page.durations(name, labels, &shard.latency);
        });
        let help = "Items of a batch, over all statements, by shard.";
        self.each_shard(snapshot, "jeday_shard_batch_size_items", SUMMARY, help, |page, name, labels, shard| {
            page.decimal::<0>(name, "_sum", labels, shard.batch_size.sum);
            page.decimal::<0>(name, "_count", labels, shard.batch_size.count);
        });
        let help = "Round trip of a batch to the database, over all statements, by shard.";
        self.each_shard(snapshot, "jeday_shard_batch_commit_seconds", SUMMARY, help, |page, name, labels, shard| {
            page.decimal::<6>(name, "_sum", labels, shard.batch_commit.sum);
            page.decimal::<0>(name, "_count", labels, shard.batch_commit.count);
        });
    }

    fn by_shard(
        &mut self,
        snapshot: &Snapshot,
        name: &str,
        kind: &str,
        help: &str,
        figure: impl Fn(&ShardFigures) -> u64,
    ) {
        self.each_shard(snapshot, name, kind, help, |page, name, labels, shard| {
            page.value(name, labels, figure(shard));
        });
    }

    fn each_shard(
        &mut self,
        snapshot: &Snapshot,
        name: &str,
        kind: &str,
        help: &str,
        write: impl Fn(&mut Self, &str, Labels<'_>, &ShardFigures),
    ) {
        self.family(name, kind, help);
        for figures in &snapshot.shards {
            let mut digits = itoa::Buffer::new();
            write(self, name, &[("shard", digits.format(figures.shard))], figures);
        }
    }
}

/// The format itself.
impl Page {
    /// The two comment lines before a family. Help texts are our own and need no escapes.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        debug_assert!(!help.contains(['\\', '\n']));
        for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"] {
            self.text.push_str(part);
        }
    }

    /// A sample with a whole number.
    fn value(&mut self, name: &str, labels: Labels<'_>, value: u64) {
        self.series(name, "", labels);
        self.close(!labels.is_empty());
        self.whole(value);
        self.text.push('\n');
    }

    /// A sample with a number that was counted in units of 10^-`PLACES`; exact, and without floating point.
    fn decimal<const PLACES: u32>(&mut self, name: &str, suffix: &str, labels: Labels<'_>, value: u64) {
        self.series(name, suffix, labels);
        self.close(!labels.is_empty());
        self.fixed::<PLACES>(value);
        self.text.push('\n');
    }

    fn durations<const N: usize>(&mut self, name: &str, labels: Labels<'_>, totals: &BucketTotals<N>) {
        self.buckets(name, labels, totals, |page, i| {
            page.fixed::<6>(DURATION_BOUNDS_US[i]);
        });
        self.decimal::<6>(name, "_sum", labels, totals.sum);
        self.count(name, labels, totals);
    }

    fn sizes<const N: usize>(&mut self, name: &str, labels: Labels<'_>, totals: &BucketTotals<N>) {
        self.buckets(name, labels, totals, |page, i| {
            page.whole(SIZE_BOUNDS_ITEMS[i]);
        });
        self.decimal::<0>(name, "_sum", labels, totals.sum);
        self.count(name, labels, totals);
    }

    /// The cumulative buckets; the last has no bound.
    fn buckets<const N: usize>(
        &mut self,
        name: &str,
        labels: Labels<'_>,
        totals: &BucketTotals<N>,
        bound: impl Fn(&mut Self, usize),
    ) {
        // Everything up to the bound is the same in each line, so it is copied from the first.
        let start = self.text.len();
        self.series(name, "_bucket", labels);
        self.text.push_str(if labels.is_empty() { "{le=\"" } else { ",le=\"" });
        let prefix = start..self.text.len();
        let mut below = 0;
        for (i, count) in totals.counts.iter().enumerate() {
            if i > 0 {
                self.text.extend_from_within(prefix.clone());
            }
            if i + 1 < N {
                bound(self, i);
            } else {
                self.text.push_str("+Inf");
            }
            self.text.push_str("\"} ");
            below += count;
            self.whole(below);
            self.text.push('\n');
        }
    }

    fn count<const N: usize>(&mut self, name: &str, labels: Labels<'_>, totals: &BucketTotals<N>) {
        self.decimal::<0>(name, "_count", labels, totals.counts.iter().sum());
    }

    /// Name and labels, with the brace still open.
    fn series(&mut self, name: &str, suffix: &str, labels: Labels<'_>) {
        self.text.push_str(name);
        self.text.push_str(suffix);
        let mut separator = "{";
        for (label, value) in labels {
            for part in [separator, label, "=\""] {
                self.text.push_str(part);
            }
            self.escaped(value);
            self.text.push('"');
            separator = ",";
        }
    }

    fn close(&mut self, braced: bool) {
        self.text.push_str(if braced { "} " } else { " " });
    }

    fn escaped(&mut self, value: &str) {
        if !value.contains(['\\', '"', '\n']) {
            self.text.push_str(value);
            return;
        }
        for character in value.chars() {
            match character {
                '\\' => self.text.push_str(r"\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str(r"\n"),
                other => self.text.push(other),
            }
        }
    }

    fn whole(&mut self, value: u64) {
        self.text.push_str(self.numbers.format(value));
    }

    fn fixed<const PLACES: u32>(&mut self, value: u64) {
        let scale = 10_u64.pow(PLACES);
        self.whole(value / scale);
        let fraction = value % scale;
        if fraction > 0 {
            // A leading one keeps the zeros behind the point; it gives way to the point itself.
            let digits = self.numbers.format(scale + fraction);
            self.text.push('.');
            self.text.push_str(digits[1..].trim_end_matches('0'));
        }
    }
}

#[cfg(test)]
mod tests;
