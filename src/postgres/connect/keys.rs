//! The key that the server gave this connection at log-in. tokio-postgres keeps it to itself, but writes it into
//! every request to cancel: one such request is written into memory here and goes nowhere.

use super::super::transport::Done;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{
    CancelToken,
    tls::{ChannelBinding, TlsStream},
};

/// PostgreSQL's CancelRequest: length, code, process id, secret, four bytes each.
#[derive(Clone, Copy)]
pub(in crate::postgres) struct CancelRequest([u8; 16]);

impl CancelRequest {
    /// The process that the server said serves this connection; 0 when it said nothing.
    pub(super) fn process_id(&self) -> i32 {
        i32::from_be_bytes(self.0[8..12].try_into().expect("a slice of four bytes is an array of four"))
    }

    /// The message as sent.
    pub(in crate::postgres) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

pub(super) async fn capture(token: &CancelToken) -> CancelRequest {
    let mut written = Vec::new();
    token.cancel_query_raw(Recorder(&mut written), Done).await.expect("writing into memory never fails");
    CancelRequest(written.try_into().expect("a CancelRequest of protocol 3.0 has 16 bytes"))
}

struct Recorder<'a>(&'a mut Vec<u8>);

impl AsyncRead for Recorder<'_> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Recorder<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().0.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl TlsStream for Recorder<'_> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}
