//! One TLS session without I/O: records of the client in, what it has sent out; replies in, records out. Holds memory
//! only for a record that has not come whole, for what nobody has taken yet, and for what has not been sent.

use crate::{
    limits::{TLS_INPUT_BYTES_FIRST, TLS_INPUT_BYTES_MAX},
    telemetry::{TlsFailure, TlsHandshake},
};
use rustls::{
    AlertDescription, Error, HandshakeKind, ProtocolVersion, ServerConfig,
    server::UnbufferedServerConnection,
    unbuffered::{ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus},
};
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// Invariants: `filled <= incoming.len()`, `taken <= plain.len()`, `sent <= outgoing.len()`.
pub struct Session {
    connection: UnbufferedServerConnection,
    /// Records as they have come: decrypted in place, and wiped behind what is used.
    incoming: Vec<u8>,
    filled: usize,
    /// What the client has sent in them.
    plain: Zeroizing<Vec<u8>>,
    taken: usize,
    /// Records to be sent.
    outgoing: Vec<u8>,
    sent: usize,
    /// The client has said that it sends no more.
    ended: bool,
    /// Nothing may be looked at any more: rustls would fail, and tell the client so, once more.
    failed: bool,
}

/// What is to become of the moment in which data may be sent.
enum Send<'b> {
    Nothing,
    Bytes(&'b [u8]),
    CloseNotify,
}

impl Session {
    /// A session whose handshake has not begun.
    ///
    /// # Errors
    /// rustls'; none is known for a configuration that was made with certificate and key.
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Session, Error> {
        Ok(Session {
            connection: UnbufferedServerConnection::new(config)?,
            incoming: Vec::new(),
            filled: 0,
            plain: Zeroizing::default(),
            taken: 0,
            outgoing: Vec::new(),
            sent: 0,
            ended: false,
            failed: false,
        })
    }

    /// Whether nothing can be sent or received yet.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// What was agreed on, once hands are shaken.
    pub fn handshake(&self) -> TlsHandshake {
        let resumed = self.connection.handshake_kind() == Some(HandshakeKind::Resumed);
        match self.connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) if resumed => TlsHandshake::Resumed12,
            Some(ProtocolVersion::TLSv1_2) => TlsHandshake::Full12,
            _ if resumed => TlsHandshake::Resumed13,
            _ => TlsHandshake::Full13,
        }
    }

    /// Whether the client has sent something that nobody has taken yet.
    pub fn has_plain(&self) -> bool {
        self.taken < self.plain.len()
    }

    /// Whether a record has begun to arrive.
    pub fn is_amid_record(&self) -> bool {
        self.filled > 0
    }

    /// Whether the client has said that it sends no more.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes what the client has sent: as much as there is and fits, which may be nothing.
    pub fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.plain.len() - self.taken);
        buffer[..count].copy_from_slice(&self.plain[self.taken..self.taken + count]);
        self.taken += count;
        if self.taken == self.plain.len() {
            self.plain = Zeroizing::default();
            self.taken = 0;
        }
        count
    }

    /// Room for what comes next.
    ///
    /// # Errors
    /// When a message is longer than any that there is.
    pub fn room(&mut self) -> Result<&mut [u8], Error> {
        if self.filled == self.incoming.len() {
            if self.filled >= TLS_INPUT_BYTES_MAX {
                return Err(Error::General("a message longer than a record".to_owned()));
            }
            let length = (self.incoming.len() * 2).clamp(TLS_INPUT_BYTES_FIRST, TLS_INPUT_BYTES_MAX);
            self.incoming.resize(length, 0);
        }
        Ok(&mut self.incoming[self.filled..])
    }

    /// So many bytes of the room have been received.
    ///
    /// # Errors
    /// When they are not TLS, or not what the client may send; what is left to send is an alert then.
    pub fn received(&mut self, count: usize) -> Result<(), Error> {
        self.filled += count;
        debug_assert!(!self.has_plain(), "what has come is taken before more is received");
        // As much as it can become, so that it does not move and leave copies behind.
        self.plain.reserve_exact(self.filled);
        let done = self.advance(Send::Nothing);
        if self.plain.is_empty() {
            self.plain = Zeroizing::default();
        }
        if self.filled == 0 {
            self.incoming = Vec::new();
        }
        done
    }

    /// Encrypts `bytes`, to be sent.
    ///
    /// # Errors
    /// When nothing can be sent any more.
    pub fn encrypt(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.advance(Send::Bytes(bytes))
    }

    /// Ends sending: the client learns that nothing is missing (RFC 8446 section 6.1). Once is enough.
    pub fn close(&mut self) {
        // A session that has failed has an alert to send, or nothing.
        let _ = self.advance(Send::CloseNotify);
    }

    /// What is to be sent now.
    pub fn outgoing(&self) -> &[u8] {
        &self.outgoing[self.sent..]
    }

    /// So much of it has been sent.
    pub fn sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent == self.outgoing.len() {
            self.outgoing = Vec::new();
            self.sent = 0;
        }
    }

    /// Goes through all that has come, until more is needed.
    fn advance(&mut self, mut send: Send<'_>) -> Result<(), Error> {
        if self.failed {
            return Err(Error::General("the session has failed".to_owned()));
        }
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.connection.process_tls_records(&mut self.incoming[..self.filled]);
            let mut waits = false;
            let outcome = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                    match traffic.next_record() {
                        Some(Ok(record)) => {
                            discard += record.discard;
                            self.plain.extend_from_slice(record.payload);
                        }
                        Some(Err(error)) => break Err(error),
                        None => break Ok(()),
                    }
                },
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(&mut self.outgoing, 0, |room| data.encode(room).map_err(Unwritten::from))
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    // It is with what is to be sent, in order.
                    data.done();
                    Ok(())
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.ended = true;
                    Ok(())
                }
                Ok(ConnectionState::WriteTraffic(mut traffic)) => match std::mem::replace(&mut send, Send::Nothing) {
                    Send::Bytes(bytes) => append(&mut self.outgoing, bytes.len() + bytes.len() / 64 + 64, |room| {
                        traffic.encrypt(bytes, room).map_err(Unwritten::from)
                    }),
                    Send::CloseNotify => {
                        append(&mut self.outgoing, 64, |room| traffic.queue_close_notify(room).map_err(Unwritten::from))
                    }
                    Send::Nothing => {
                        waits = true;
                        Ok(())
                    }
                },
                Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => {
                    waits = true;
                    match send {
                        Send::Bytes(_) => Err(Error::General("the session is closed".to_owned())),
                        Send::Nothing | Send::CloseNotify => Ok(()),
                    }
                }
                // Early data is off.
                Ok(_) => Err(Error::General("a state that was not asked for".to_owned())),
                Err(error) => Err(error),
            };
            self.discard(discard);
            if outcome.is_err() {
                self.failed = true;
                self.gather_alert();
                return outcome;
            }
            if waits {
                return Ok(());
            }
        }
    }

    /// What a session that has failed has to tell the client.
    fn gather_alert(&mut self) {
        // Asked for more than it has, it would go on with what has come.
        while self.connection.wants_write()
            && let UnbufferedStatus { state: Ok(ConnectionState::EncodeTlsData(mut data)), .. } =
                self.connection.process_tls_records(&mut self.incoming[..self.filled])
        {
            if append(&mut self.outgoing, 0, |room| data.encode(room).map_err(Unwritten::from)).is_err() {
                return;
            }
        }
    }

    /// Takes used bytes away, which may have been decrypted where they lay.
    fn discard(&mut self, count: usize) {
        if count > 0 {
            self.incoming.copy_within(count..self.filled, 0);
            let left = self.filled - count;
            self.incoming[left..self.filled].zeroize();
            self.filled = left;
        }
    }
}

/// Why rustls has written nothing.
enum Unwritten {
    TooSmall(usize),
    Never,
}

impl From<EncodeError> for Unwritten {
    fn from(error: EncodeError) -> Unwritten {
        match error {
            EncodeError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Unwritten::TooSmall(required_size)
            }
            EncodeError::AlreadyEncoded => Unwritten::Never,
        }
    }
}

impl From<EncryptError> for Unwritten {
    fn from(error: EncryptError) -> Unwritten {
        match error {
            EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => {
                Unwritten::TooSmall(required_size)
            }
            EncryptError::EncryptExhausted => Unwritten::Never,
        }
    }
}

/// Lets `write` write behind what is there, into `guess` bytes or as many as it says that it needs.
fn append(
    out: &mut Vec<u8>,
    guess: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Unwritten>,
) -> Result<(), Error> {
    let start = out.len();
    out.resize(start + guess, 0);
    let written = match write(&mut out[start..]) {
        Err(Unwritten::TooSmall(needed)) => {
            out.resize(start + needed, 0);
            write(&mut out[start..])
        }
        outcome => outcome,
    };
    out.truncate(start + written.as_ref().copied().unwrap_or(0));
    written.map(|_| ()).map_err(|_| Error::EncryptError)
}

/// What kind of failure this is, for the metrics.
pub fn failure_of(error: &Error) -> TlsFailure {
    match error {
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => TlsFailure::NotTls,
        Error::NoApplicationProtocol => TlsFailure::NoApplicationProtocol,
        Error::PeerIncompatible(_) => TlsFailure::Incompatible,
        // The client's doing: it does not trust the certificate, as a rule.
        Error::AlertReceived(AlertDescription::CloseNotify | AlertDescription::UserCanceled) => TlsFailure::Closed,
        Error::AlertReceived(_) => TlsFailure::Alert,
        _ => TlsFailure::Other,
    }
}

#[cfg(test)]
mod tests;
