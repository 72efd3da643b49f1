//! What a collector of traces is told of a request. Never an address, a field or a body.

use super::Connection;
use crate::{
    handlers::Reply,
    http::head::{Head, Method},
    routes::{self, Front},
    telemetry::{RequestTrace, Served, Span},
};

/// The scheme that clients see of a connection without TLS.
const SCHEME: &str = "http";

impl Connection<'_> {
    /// The trace of a request that has this field. What the operator asks, every few seconds, is no trace of anybody's.
    pub(super) fn trace(&self, traceparent: Option<&[u8]>) -> RequestTrace {
        let is_trusted = || self.config().trusted_proxies.contain(self.peer.to_canonical());
        match self.front {
            Front::Public => self.server.tracer().begin(traceparent, is_trusted),
            Front::Operator => RequestTrace::default(),
        }
    }
}

/// The span of a request that was answered like this; none where it is not recorded. Of a path that leads nowhere
/// nothing is told: anybody may put anything there.
pub(super) fn span(trace: RequestTrace, head: &Head<'_>, route: usize, reply: &Reply) -> Option<Box<Span>> {
    let route = routes::pattern(route);
    let served = Served {
        method: Some(head.method).filter(|method| *method != Method::Other).map(Method::as_str),
        route,
        scheme: SCHEME,
        status: reply.status.code(),
        problem: reply.problem,
    };
    trace.served(served, route.map(|_| head.target.path))
}
