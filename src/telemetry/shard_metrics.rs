//! What one shard counts. Written by that shard alone, read by whoever scrapes; never locked, never reset.
//!
//! Invariant: open connections = accepted - sum of closed.

use super::counters::{Counter, Gauge};
use super::histogram::{DurationHistogram, SizeHistogram};
use super::names::{OUTCOMES_MAX, PARSE_ERRORS_MAX, ROUTES_MAX, STATEMENTS_MAX};
use super::security::SecurityEvents;
use super::statuses::{STATUS_SLOTS, status_slot};
use super::tls::Tls;

/// Everything one shard counts, in one allocation of its own.
///
/// Aligned to 128 bytes, so that no other allocation shares a line with it: x86 prefetches lines of 64 bytes in
/// pairs, and some ARM cores have lines of 128.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct ShardMetrics {
    /// Requests that were answered.
    pub requests: Requests,
    /// Client connections.
    pub connections: Connections,
    /// Handshakes of TLS with clients.
    pub tls: Tls,
    /// Requests that could not be understood.
    pub parse_errors: ParseErrors,
    /// Batched statements, by the index of their names.
    pub batches: [Batch; STATEMENTS_MAX],
    /// How long those who log in wait for a password core, before the hash begins.
    pub password_wait: DurationHistogram,
    /// The shard's connections to the database.
    pub database: Database,
    /// Security events.
    pub security: SecurityEvents,
}

/// Requests that were answered, by route and status.
#[derive(Debug, Default)]
pub struct Requests {
    pub(super) routes: [Route; ROUTES_MAX],
    /// One more than the route of the request begun last; 0 before the first.
    pub(super) last: Gauge,
}

#[derive(Debug, Default)]
pub(super) struct Route {
    pub(super) statuses: [Counter; STATUS_SLOTS],
    pub(super) latency: DurationHistogram,
}

impl Requests {
    /// Notes which route's request is begun: should the shard stall, that is the first thing to ask.
    #[inline]
    pub fn begun(&self, route: usize) {
        self.last.set(route as u64 + 1);
    }

    /// Counts one answered request: the index of its route, the status sent, and the microseconds from its first
    /// byte to the last of the reply.
    #[inline]
    pub fn observe(&self, route: usize, status: u16, elapsed_us: u64) {
        debug_assert!(route < ROUTES_MAX, "route {route} has no slot");
        // A wrong number must not take a shard down: it is counted under the last route, which has no name.
        let route = &self.routes[route.min(ROUTES_MAX - 1)];
        route.statuses[status_slot(status)].inc();
        route.latency.observe(elapsed_us);
    }
}

/// Why a client connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// No request came within the idle timeout.
    Idle,
    /// The head of a request took too long.
    HeaderTimeout,
    /// The body of a request took too long.
    BodyTimeout,
    /// The client took too long to read its reply.
    WriteTimeout,
    /// The socket failed, or the request could not be understood.
    Error,
    /// The client closed it.
    Peer,
    /// The exchange was over: one side had asked for `Connection: close`.
    Finished,
    /// The server is stopping.
    Drain,
    /// Its address had as many as it may.
    AddressFull,
    /// It had to come from a trusted proxy, and did not.
    Stranger,
    /// No TLS came about.
    Handshake,
}

impl CloseReason {
    pub(super) const ALL: [(Self, &'static str); 11] = [
        (Self::Idle, "idle"),
        (Self::HeaderTimeout, "header_timeout"),
        (Self::BodyTimeout, "body_timeout"),
        (Self::WriteTimeout, "write_timeout"),
        (Self::Error, "error"),
        (Self::Peer, "peer"),
        (Self::Finished, "finished"),
        (Self::Drain, "drain"),
        (Self::AddressFull, "address_full"),
        (Self::Stranger, "stranger"),
        (Self::Handshake, "handshake"),
    ];
}

/// Client connections and what went over them.
#[derive(Debug, Default)]
pub struct Connections {
    /// Connections that were admitted.
    pub accepted: Counter,
    /// Connections that were turned away because the bound was reached. They are not among the accepted.
    pub refused: Counter,
    /// Bytes read from clients.
    pub received_bytes: Counter,
    /// Bytes written to clients.
    pub sent_bytes: Counter,
    pub(super) closed: [Counter; CloseReason::ALL.len()],
}

impl Connections {
    /// Counts the end of a connection that was accepted.
    #[inline]
    pub fn closed(&self, reason: CloseReason) {
        self.closed[reason as usize].inc();
    }

    /// Connections that are open now.
    pub fn open(&self) -> u64 {
        // Closed first: a connection that opens and closes between the two reads must not count as minus one.
        let closed: u64 = self.closed.iter().map(Counter::get).sum();
        self.accepted.get().saturating_sub(closed)
    }
}

/// Requests that could not be understood, by kind.
#[derive(Debug, Default)]
pub struct ParseErrors {
    pub(super) kinds: [Counter; PARSE_ERRORS_MAX],
}

impl ParseErrors {
    /// Counts one malformed request by the index of its kind.
    #[inline]
    pub fn record(&self, kind: usize) {
        debug_assert!(kind < PARSE_ERRORS_MAX, "parse error {kind} has no slot");
        self.kinds[kind.min(PARSE_ERRORS_MAX - 1)].inc();
    }
}

/// One batched statement.
#[derive(Debug, Default)]
pub struct Batch {
    /// Items that wait to be sent.
    pub queued: Gauge,
    /// Callers that wait for the outcome of their item, sent or not.
    pub waiters: Gauge,
    pub(super) size: SizeHistogram,
    pub(super) wait: DurationHistogram,
    pub(super) commit: DurationHistogram,
    pub(super) outcomes: [Counter; OUTCOMES_MAX],
}

impl Batch {
    /// Counts a batch that leaves: its items, and the microseconds its oldest item has waited.
    #[inline]
    pub fn sent(&self, len: usize, waited_us: u64) {
        self.size.observe(len as u64);
        self.wait.observe(waited_us);
    }

    /// Counts a batch that was answered: the microseconds of its round trip, commit included.
    #[inline]
    pub fn committed(&self, elapsed_us: u64) {
        self.commit.observe(elapsed_us);
    }

    /// Counts `n` items that ended with the outcome of this index.
    #[inline]
    pub fn outcome(&self, outcome: usize, n: u64) {
        debug_assert!(outcome < OUTCOMES_MAX, "outcome {outcome} has no slot");
        self.outcomes[outcome.min(OUTCOMES_MAX - 1)].add(n);
    }
}

/// The two groups of connections to the database that a shard has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionGroup {
    /// For statements that change something.
    Write,
    /// For statements that only read, so that they never queue behind commits.
    Read,
}

impl ConnectionGroup {
    pub(super) const ALL: [(Self, &'static str); 2] = [(Self::Write, "write"), (Self::Read, "read")];
}

/// The shard's connections to the database, and what went wrong with them.
#[derive(Debug, Default)]
pub struct Database {
    pub(super) connections: [Gauge; ConnectionGroup::ALL.len()],
    /// 1 where a server is accepted that may lose confirmed commits.
    pub unsafe_durability: Gauge,
    /// Connections made again after one was lost.
    pub reconnects: Counter,
    /// Attempts to connect that failed.
    pub connect_failures: Counter,
    /// Batches sent a second time.
    pub batches_retried: Counter,
    /// Batches whose deadline passed.
    pub deadline_misses: Counter,
    /// Items of unknown outcome that were looked up again and answered truthfully.
    pub unknown_resolved: Counter,
    /// Items of unknown outcome that stayed unknown; their callers were told to try again.
    pub unknown_unresolved: Counter,
}

impl Database {
    /// Connections of a group that are up. Each group sets its own; the other figures are added up by both.
    pub fn connections(&self, group: ConnectionGroup) -> &Gauge {
        &self.connections[group as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_reasons_are_listed_in_the_order_of_their_slots() {
        for (slot, (reason, _)) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, slot);
        }
    }

    #[test]
    fn connection_groups_are_listed_in_the_order_of_their_slots() {
        for (slot, (group, _)) in ConnectionGroup::ALL.into_iter().enumerate() {
            assert_eq!(group as usize, slot);
        }
    }

    #[test]
    fn open_connections_are_those_accepted_and_not_closed() {
        let connections = Connections::default();
        connections.accepted.add(3);
        connections.refused.inc();
        connections.closed(CloseReason::Peer);
        connections.closed(CloseReason::Idle);
        assert_eq!(connections.open(), 1);
    }

    #[test]
    fn a_shard_shares_no_line_with_its_neighbours() {
        assert_eq!(align_of::<ShardMetrics>(), 128);
        assert_eq!(size_of::<ShardMetrics>() % 128, 0);
    }
}
