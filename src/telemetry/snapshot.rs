//! All shards added up, as plain numbers, at one moment; never written by a shard.
//!
//! Shards go on counting while they are read, so figures of one snapshot can be a few events apart. Each by itself
//! never goes back from one snapshot to the next.

use super::counters::{Counter, Gauge};
use super::hardening::HardeningFigures;
use super::histogram::{BucketTotals, Buckets, DURATION_BUCKETS, SIZE_BUCKETS};
use super::names::{Names, OUTCOMES_MAX, PARSE_ERRORS_MAX};
use super::process::ProcessStats;
use super::security::SecurityEventKind;
use super::shard_metrics::{Batch, CloseReason, ConnectionGroup, Database, Route, ShardMetrics};
use super::statuses::STATUS_SLOTS;
use super::tls::{CertificateFigures, TlsFailure, TlsHandshake};
use super::traces::TraceFigures;

/// The merged figures. Vectors follow the order of [`Names`].
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) routes: Vec<RouteTotals>,
    pub(super) statements: Vec<StatementTotals>,
    pub(super) parse_errors: [u64; PARSE_ERRORS_MAX],
    pub(super) refused: u64,
    pub(super) closed: [u64; CloseReason::ALL.len()],
    pub(super) received_bytes: u64,
    pub(super) sent_bytes: u64,
    pub(super) database: DatabaseTotals,
    pub(super) security: [u64; SecurityEventKind::ALL.len()],
    pub(super) shards: Vec<ShardFigures>,
    pub(super) log_lines_dropped: u64,
    pub(super) tls_shaken: [u64; TlsHandshake::ALL.len()],
    pub(super) tls_failed: [u64; TlsFailure::ALL.len()],
    /// None where clients do not speak TLS.
    pub(super) certificate: Option<CertificateFigures>,
    pub(super) traces: TraceFigures,
    pub(super) hardening: Option<HardeningFigures>,
    pub(super) password_wait: BucketTotals<DURATION_BUCKETS>,
    pub(super) started_ms: Option<u64>,
    pub(super) process: ProcessStats,
}

#[derive(Clone, Debug)]
pub(super) struct RouteTotals {
    pub(super) statuses: [u64; STATUS_SLOTS],
    pub(super) latency: BucketTotals<DURATION_BUCKETS>,
}

#[derive(Clone, Debug)]
pub(super) struct StatementTotals {
    pub(super) waiters: u64,
    pub(super) size: BucketTotals<SIZE_BUCKETS>,
    pub(super) wait: BucketTotals<DURATION_BUCKETS>,
    pub(super) commit: BucketTotals<DURATION_BUCKETS>,
    pub(super) outcomes: [u64; OUTCOMES_MAX],
}

#[derive(Clone, Debug, Default)]
pub(super) struct DatabaseTotals {
    pub(super) unsafe_durability: u64,
    pub(super) reconnects: u64,
    pub(super) connect_failures: u64,
    pub(super) batches_retried: u64,
    pub(super) deadline_misses: u64,
    pub(super) unknown_resolved: u64,
    pub(super) unknown_unresolved: u64,
}

/// What is worth seeing for each shard by itself: an uneven load, a shard at its limit.
#[derive(Clone, Debug)]
pub(super) struct ShardFigures {
    pub(super) shard: usize,
    pub(super) requests: u64,
    pub(super) accepted: u64,
    pub(super) open: u64,
    pub(super) database_connections: [u64; ConnectionGroup::ALL.len()],
    /// By statement.
    pub(super) queued: Vec<u64>,
    pub(super) latency: BucketTotals<DURATION_BUCKETS>,
    pub(super) batch_size: Mean,
    pub(super) batch_commit: Mean,
    pub(super) cpu_ns: Option<u64>,
}

/// What an average over some time is made of, where a histogram for each shard would be too much.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    pub(super) sum: u64,
    pub(super) count: u64,
}

impl Mean {
    fn merge<const N: usize>(&mut self, buckets: &Buckets<N>) {
        self.sum = self.sum.wrapping_add(buckets.sum.get());
        self.count += buckets.counts.iter().map(Counter::get).sum::<u64>();
    }
}

impl Snapshot {
    /// A snapshot without shards.
    pub(super) fn empty(names: &Names) -> Self {
        let route = RouteTotals { statuses: [0; STATUS_SLOTS], latency: BucketTotals::ZERO };
        let statement = StatementTotals {
            waiters: 0,
            size: BucketTotals::ZERO,
            wait: BucketTotals::ZERO,
            commit: BucketTotals::ZERO,
            outcomes: [0; OUTCOMES_MAX],
        };
        Self {
            routes: vec![route; names.routes.len()],
            statements: vec![statement; names.statements.len()],
            parse_errors: [0; PARSE_ERRORS_MAX],
            refused: 0,
            closed: [0; CloseReason::ALL.len()],
            received_bytes: 0,
            sent_bytes: 0,
            database: DatabaseTotals::default(),
            security: [0; SecurityEventKind::ALL.len()],
            shards: Vec::new(),
            log_lines_dropped: 0,
            tls_shaken: [0; TlsHandshake::ALL.len()],
            tls_failed: [0; TlsFailure::ALL.len()],
            certificate: None,
            traces: TraceFigures::default(),
            hardening: None,
            password_wait: BucketTotals::ZERO,
            started_ms: None,
            process: ProcessStats::default(),
        }
    }

    /// Adds what one shard has counted.
    pub(super) fn merge(&mut self, shard: usize, metrics: &ShardMetrics, cpu_ns: Option<u64>) {
        let (mut requests, mut latency) = (0, BucketTotals::ZERO);
        for (totals, route) in self.routes.iter_mut().zip(&metrics.requests.routes) {
            requests += totals.merge(route, &mut latency);
        }
        let mut queued = Vec::with_capacity(self.statements.len());
        let (mut batch_size, mut batch_commit) = (Mean::default(), Mean::default());
        for (totals, batch) in self.statements.iter_mut().zip(&metrics.batches) {
            totals.merge(batch);
            queued.push(batch.queued.get());
            batch_size.merge(&batch.size.0);
            batch_commit.merge(&batch.commit.0);
        }
        for (total, kind) in self.parse_errors.iter_mut().zip(&metrics.parse_errors.kinds) {
            *total += kind.get();
        }
        let connections = &metrics.connections;
        self.refused += connections.refused.get();
        self.received_bytes += connections.received_bytes.get();
        self.sent_bytes += connections.sent_bytes.get();
        for (total, closed) in self.closed.iter_mut().zip(&connections.closed) {
            *total += closed.get();
        }
        for (total, count) in self.tls_shaken.iter_mut().zip(&metrics.tls.shaken) {
            *total += count.get();
        }
        for (total, count) in self.tls_failed.iter_mut().zip(&metrics.tls.failed) {
            *total += count.get();
        }
        self.password_wait.merge(&metrics.password_wait.0);
        self.database.merge(&metrics.database);
        for (total, kind) in self.security.iter_mut().zip(&metrics.security.kinds) {
            *total += kind.get();
        }
        self.shards.push(ShardFigures {
            shard,
            requests,
            accepted: connections.accepted.get(),
            open: connections.open(),
            database_connections: metrics.database.connections.each_ref().map(Gauge::get),
            queued,
            latency,
            batch_size,
            batch_commit,
            cpu_ns,
        });
    }
}

impl RouteTotals {
    /// Adds one shard's figures, to those of the shard itself too, and returns how many requests they are.
    fn merge(&mut self, route: &Route, of_shard: &mut BucketTotals<DURATION_BUCKETS>) -> u64 {
        let mut requests = 0;
        for (total, status) in self.statuses.iter_mut().zip(&route.statuses) {
            let count = status.get();
            *total += count;
            requests += count;
        }
        // A route that was never asked for has an empty histogram: its lines of memory need not be fetched.
        if requests > 0 {
            self.latency.merge(&route.latency.0);
            of_shard.merge(&route.latency.0);
        }
        requests
    }
}

impl StatementTotals {
    fn merge(&mut self, batch: &Batch) {
        self.waiters += batch.waiters.get();
        self.size.merge(&batch.size.0);
        self.wait.merge(&batch.wait.0);
        self.commit.merge(&batch.commit.0);
        for (total, outcome) in self.outcomes.iter_mut().zip(&batch.outcomes) {
            *total += outcome.get();
        }
    }
}

impl DatabaseTotals {
    fn merge(&mut self, database: &Database) {
        self.unsafe_durability = self.unsafe_durability.max(database.unsafe_durability.get());
        self.reconnects += database.reconnects.get();
        self.connect_failures += database.connect_failures.get();
        self.batches_retried += database.batches_retried.get();
        self.deadline_misses += database.deadline_misses.get();
        self.unknown_resolved += database.unknown_resolved.get();
        self.unknown_unresolved += database.unknown_unresolved.get();
    }
}
