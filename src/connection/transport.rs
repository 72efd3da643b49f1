//! The bytes under HTTP: the shard's socket as it is, or a TLS session over it. Each wait can be given up and taken up
//! again, and none is for the socket while something that was received lies in the session.

use crate::tls::{Session, TlsError};
use futures_lite::future;
use shards::Stream;
use std::io;

/// A client's connection.
pub(super) struct Transport {
    stream: Stream,
    tls: Option<Box<Session>>,
}

/// Why hands could not be shaken.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error("the client has left")]
    Left,
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Transport {
    pub(super) fn plain(stream: Stream) -> Transport {
        Transport { stream, tls: None }
    }

    /// Speaks TLS from here on, of which `first` has come already.
    pub(super) fn begin_tls(&mut self, session: Session, mut first: &[u8]) -> Result<(), TlsError> {
        let session = self.tls.insert(Box::new(session));
        while !first.is_empty() {
            let room = session.room()?;
            let (now, later) = first.split_at(room.len().min(first.len()));
            room[..now.len()].copy_from_slice(now);
            session.received(now.len())?;
            first = later;
        }
        Ok(())
    }

    /// Shakes hands.
    pub(super) async fn shake_hands(&mut self) -> Result<&Session, HandshakeError> {
        let session = self.tls.as_mut().expect("TLS has begun");
        loop {
            flush(&self.stream, session).await?;
            if !session.is_handshaking() {
                return Ok(session);
            }
            let count = self.stream.read(session.room()?).await?;
            if count == 0 || session.has_ended() {
                return Err(HandshakeError::Left);
            }
            session.received(count)?;
        }
    }

    /// Waits until a read may find something, be it the end; holds no buffer meanwhile.
    pub(super) async fn readable(&self) {
        if !self.holds_unread() {
            self.stream.readable().await;
        }
    }

    /// Waits until the client has finished sending or has gone; reads nothing.
    pub(super) async fn ended(&self) {
        self.stream.ended().await;
    }

    /// Whether something was received that no read has returned yet.
    pub(super) fn holds_unread(&self) -> bool {
        self.tls.as_ref().is_some_and(|session| session.has_plain())
    }

    /// Whether part of a record has come, of which no read can return anything yet.
    pub(super) fn is_amid_record(&self) -> bool {
        self.tls.as_ref().is_some_and(|session| session.is_amid_record())
    }

    /// Reads what is there, waiting for at least a byte; 0 means that the client has finished sending. Whether it has
    /// said so in TLS matters to nobody: each request says itself where it ends.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(session) = &mut self.tls else { return self.stream.read(buffer).await };
        loop {
            let taken = session.take(buffer);
            if taken > 0 || session.has_ended() {
                return Ok(taken);
            }
            let count = self.stream.read(session.room().map_err(io::Error::other)?).await?;
            if count == 0 {
                return Ok(0);
            }
            session.received(count).map_err(io::Error::other)?;
        }
    }

    /// Reads what is there already, without waiting; 0 when there is nothing, or nothing more to come.
    pub(super) fn read_waiting(&mut self, buffer: &mut [u8]) -> usize {
        let Some(session) = &mut self.tls else { return self.stream.read_waiting(buffer) };
        loop {
            let taken = session.take(buffer);
            if taken > 0 || session.has_ended() {
                return taken;
            }
            let count = session.room().map_or(0, |room| self.stream.read_waiting(room));
            if count == 0 || session.received(count).is_err() {
                return 0;
            }
        }
    }

    /// Writes all of `bytes`.
    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(session) = &mut self.tls else { return self.stream.write_all(bytes).await };
        session.encrypt(bytes).map_err(io::Error::other)?;
        flush(&self.stream, session).await
    }

    /// Ends sending: the client reads what was sent, then the end.
    pub(super) async fn finish_sending(&mut self) -> io::Result<()> {
        if let Some(session) = &mut self.tls {
            session.close();
            flush(&self.stream, session).await?;
        }
        self.stream.shutdown_write()
    }

    /// Says that this is the end, or why, as far as that needs no waiting.
    pub(super) async fn bid_farewell(&mut self) {
        if let Some(session) = &mut self.tls {
            session.close();
            // Without room for some bytes nobody listens any more.
            let _ = future::poll_once(flush(&self.stream, session)).await;
        }
    }
}

/// Sends what a session has to send.
async fn flush(stream: &Stream, session: &mut Session) -> io::Result<()> {
    while !session.outgoing().is_empty() {
        let count = stream.write(session.outgoing()).await?;
        session.sent(count);
    }
    Ok(())
}
