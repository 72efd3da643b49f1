//! How a connection begins: whose it is, by the header of the proxy that relays it where there has to be one, and
//! whether its address may have one more. Reads nothing of a request.

use super::{Connection, PROXY_HEADER, Unread};
use crate::{
    handlers::{Rejection, Reply},
    http::{
        proxy_protocol::{self, Announced, ProxyHeaderError},
        response::ReplyContext,
    },
    limits::{COMPLAINT_INTERVAL, DRAIN_FIRST_REQUEST, PROXY_HEADER_BYTES_MAX},
    rate_limit::OpenConnection,
    routes::Front,
    telemetry::{CloseReason, RateLimited},
};
use std::time::Instant;

/// What is wrong with how connections begin, said now and then.
#[derive(Debug)]
pub struct Complaints {
    not_a_proxy: RateLimited,
    no_header: RateLimited,
    pub(super) no_handshake: RateLimited,
}

impl Default for Complaints {
    fn default() -> Self {
        let [not_a_proxy, no_header, no_handshake] = [(); 3].map(|()| RateLimited::new(COMPLAINT_INTERVAL));
        Self { not_a_proxy, no_header, no_handshake }
    }
}

impl<'s> Connection<'s> {
    /// Finds out whose connection it is, counts it for its address, and shakes hands where TLS is spoken. It counts
    /// until what is returned is dropped.
    pub(super) async fn arrive(&mut self) -> Result<Option<OpenConnection<'s>>, CloseReason> {
        // The cheap first: whoever is not served costs no handshake.
        let counted = self.identify().await?;
        let server = self.server;
        if let Some(view) = server.tls(self.front) {
            self.begin_tls(view).await?;
        }
        Ok(counted)
    }

    /// None where connections are not counted, as those of proxies are not: they come for many.
    async fn identify(&mut self) -> Result<Option<OpenConnection<'s>>, CloseReason> {
        if self.front == Front::Operator {
            return Ok(None);
        }
        let trusted = &self.config().trusted_proxies;
        if self.config().proxy_protocol {
            // Balancers that look whether the port is open reset their connection at once: it is nobody's by now.
            if self.peer.is_unspecified() {
                return Err(CloseReason::Peer);
            }
            if !trusted.contain(self.peer) {
                return Err(self.refuse_stranger());
            }
            self.take_proxy_header().await?;
        }
        let Some(limit) = self.server.connection_limit().filter(|_| !trusted.contain(self.peer)) else {
            return Ok(None);
        };
        let open = limit.open(self.peer);
        if open.is_none() {
            return Err(self.turn_away_from_address().await);
        }
        Ok(open)
    }

    /// Closes without a word: whoever comes past the proxies gets none, and a header of his would not be believed.
    fn refuse_stranger(&self) -> CloseReason {
        if let Some(suppressed) = self.server.complaints().not_a_proxy.admit(Instant::now()) {
            let address = self.peer.to_canonical();
            tracing::warn!(%address, suppressed, "closed a connection that comes from no trusted proxy");
        }
        CloseReason::Stranger
    }

    /// Reads the header, and takes the address in it for the peer's from here on.
    async fn take_proxy_header(&mut self) -> Result<(), CloseReason> {
        if self.server.stop().requested() {
            self.watch.set(DRAIN_FIRST_REQUEST);
        } else {
            self.watch.set_idle(self.config().header_timeout);
        }
        loop {
            match proxy_protocol::parse(self.input.filled(), PROXY_HEADER_BYTES_MAX) {
                Ok(None) => {}
                Ok(Some((announced, header_bytes))) => {
                    self.input.consume_and_wipe(header_bytes);
                    self.is_new = self.input.is_empty();
                    if let Announced::Client(address) = announced {
                        self.peer = address;
                    }
                    return Ok(());
                }
                Err(error) => return Err(self.refuse_header(error)),
            }
            match self.fill().await {
                Ok(()) => {}
                Err(Unread::Expired) if self.server.stop().requested() => return Err(CloseReason::Drain),
                Err(Unread::Expired) => return Err(CloseReason::HeaderTimeout),
                Err(Unread::Closed(reason)) => return Err(reason),
            }
        }
    }

    /// Aborts, as the protocol wants it: no reply, because nobody knows what the other side speaks.
    fn refuse_header(&self, error: ProxyHeaderError) -> CloseReason {
        self.server.metrics().parse_errors.record(PROXY_HEADER);
        if let Some(suppressed) = self.server.complaints().no_header.admit(Instant::now()) {
            let address = self.peer.to_canonical();
            tracing::warn!(%address, %error, suppressed, "closed a proxy's connection for its header");
        }
        CloseReason::Error
    }

    /// Tells a client that his address has as many connections as it may. He can read it although he may have sent
    /// something by now, as long as the shard has room for those who do not go. Under TLS nothing can be told without
    /// the handshake that this spares.
    async fn turn_away_from_address(&mut self) -> CloseReason {
        if self.server.tls(self.front).is_some() {
            return CloseReason::AddressFull;
        }
        let mut bytes = Vec::new();
        let reply = Reply::from(Rejection::TooManyConnectionsOfAddress);
        reply.write(&ReplyContext::closing(&self.server.date()), &mut bytes);
        if self.send(&bytes).await.is_ok() && self.server.has_room() {
            self.linger().await;
        }
        CloseReason::AddressFull
    }
}
