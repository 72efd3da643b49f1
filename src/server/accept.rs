//! The door of a shard: takes connections in, as many as it may, and turns the others away with a sentence.

use super::Server;
use crate::{
    connection,
    limits::{ACCEPT_PAUSE, ACCEPTS_PER_TURN, COMPLAINT_INTERVAL, DRAIN_HANDSHAKES},
    routes::Front,
    telemetry::RateLimited,
};
use shards::Acceptor;
use std::{rc::Rc, time::Instant};

/// Takes connections in until the shard is told to stop, then those that the kernel has completed already.
pub(super) async fn accept(server: Rc<Server>, acceptor: Acceptor, front: Front) {
    let complaints = RateLimited::new(COMPLAINT_INTERVAL);
    let mut in_a_row = 0;
    while !server.stop.requested() {
        let next = async { Some(acceptor.accept().await) };
        let stopped = async {
            server.stop.wait().await;
            None
        };
        match futures_lite::future::or(next, stopped).await {
            Some(Ok(stream)) => {
                admit(&server, stream, front);
                in_a_row += 1;
                if in_a_row == ACCEPTS_PER_TURN {
                    in_a_row = 0;
                    shards::yield_now().await;
                }
            }
            Some(Err(error)) => {
                if let Some(suppressed) = complaints.admit(Instant::now()) {
                    tracing::warn!(%error, suppressed, "cannot accept a connection");
                }
                // Out of descriptors or memory: both are given back only by connections that end.
                shards::sleep(ACCEPT_PAUSE).await;
            }
            None => break,
        }
    }
    finish_handshakes(&server, &acceptor, front).await;
    // Not without a bound: clients may go on connecting as fast as this takes them.
    while server.deadlines.len() < server.config.connections_max
        && let Some(stream) = acceptor.accept_waiting()
    {
        admit(&server, stream, front);
    }
}

/// Takes in those that are still shaking hands, so that closing the listener resets nobody. Where the kernel takes no
/// filter there is no such moment, and what waits already is all that can be saved.
async fn finish_handshakes(server: &Rc<Server>, acceptor: &Acceptor, front: Front) {
    if let Err(error) = acceptor.begin_no_more() {
        tracing::warn!(%error, "cannot keep new connections from a listener that closes: some may be reset");
        return;
    }
    let accepting = async {
        loop {
            match acceptor.accept().await {
                Ok(stream) => admit(server, stream, front),
                Err(_) => shards::sleep(ACCEPT_PAUSE).await,
            }
        }
    };
    let _: Result<(), _> = shards::timeout(DRAIN_HANDSHAKES, accepting).await;
}

/// Admits a connection, or turns it away when the shard has as many as it may.
fn admit(server: &Rc<Server>, stream: shards::Stream, front: Front) {
    if server.deadlines.len() >= server.config.connections_max {
        server.metrics.connections.refused.inc();
        // A reply under TLS would cost a handshake: closed, it says as much.
        if server.tls(front).is_some() {
            return;
        }
        shards::spawn(connection::turn_away(server.clone(), stream)).detach();
    } else {
        server.metrics.connections.accepted.inc();
        // Watched from here on, not from the task's first turn: it counts in the bound, and draining waits for it.
        let watch = server.deadlines.watch();
        shards::spawn(connection::serve(server.clone(), stream, watch, front)).detach();
    }
}
