//! How TLS begins on a connection: hands are shaken under a deadline, and what fails is counted. Reads nothing of a
//! request.

use super::{Connection, transport::HandshakeError};
use crate::{
    limits::{DRAIN_FIRST_REQUEST, DRAIN_TLS_HANDSHAKE},
    telemetry::{CloseReason, TlsFailure},
    tls::{self, View},
};
use std::time::Instant;

impl Connection<'_> {
    /// Shakes hands, whatever has come of it already.
    pub(super) async fn begin_tls(&mut self, view: &View) -> Result<(), CloseReason> {
        let begun = view.session().and_then(|session| self.stream.begin_tls(session, self.input.filled()));
        self.input.consume_and_wipe(self.input.filled().len());
        self.is_new = true;
        if let Err(error) = begun {
            return Err(self.refuse_handshake(&HandshakeError::Tls(error)));
        }
        let mut is_draining = self.server.stop().requested();
        if is_draining {
            self.watch.set(DRAIN_FIRST_REQUEST);
        } else {
            self.watch.set_idle(self.config().header_timeout);
        }
        loop {
            match self.watch.wait(self.stream.shake_hands()).await {
                Ok(Ok(session)) => {
                    let handshake = session.handshake();
                    self.server.metrics().tls.shaken(handshake);
                    return Ok(());
                }
                Ok(Err(error)) => return Err(self.refuse_handshake(&error)),
                // The server is about to stop, and the client is on its way to a request.
                Err(shards::Expired) if self.server.stop().requested() && !is_draining => {
                    is_draining = true;
                    self.watch.set(DRAIN_TLS_HANDSHAKE);
                }
                Err(shards::Expired) => {
                    self.server.metrics().tls.failed(TlsFailure::Timeout);
                    return Err(if is_draining { CloseReason::Drain } else { CloseReason::Handshake });
                }
            }
        }
    }

    fn refuse_handshake(&self, error: &HandshakeError) -> CloseReason {
        let failure = match error {
            HandshakeError::Left | HandshakeError::Socket(_) => TlsFailure::Closed,
            HandshakeError::Tls(error) => tls::failure_of(error),
        };
        self.server.metrics().tls.failed(failure);
        // Balancers that look whether the port is open, and browsers that change their mind, are no trouble.
        if failure == TlsFailure::Closed {
            return CloseReason::Peer;
        }
        if let Some(suppressed) = self.server.complaints().no_handshake.admit(Instant::now()) {
            let address = self.peer.to_canonical();
            tracing::info!(%address, %error, suppressed, "no TLS came about with a client");
        }
        CloseReason::Handshake
    }
}
