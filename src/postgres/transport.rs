//! The bytes under a PostgreSQL session: a Unix or TCP socket of the shard, with or without TLS. Does the negotiation
//! of TLS itself, so that tokio-postgres is always given a stream that is ready and one type serves all cases.

use super::{
    target::Keepalive,
    tls::{self, Tls, TlsFault},
};
use shards::Stream;
use std::{
    future::{Ready, ready},
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// PostgreSQL's message "may we speak TLS?": its length, then the code 1234,5679.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Where one socket leads, after names have been looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Tcp { socket: SocketAddr, host: String },
    Unix(PathBuf),
}

/// How to open sockets to a target.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    pub(super) keepalive: Option<Keepalive>,
    pub(super) user_timeout: Option<Duration>,
    pub(super) tls: Option<Tls>,
}

/// Why there is no transport.
#[derive(Debug)]
pub(super) enum DialError {
    Io(io::Error),
    Tls(TlsFault),
}

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> DialError {
        DialError::Io(error)
    }
}

impl Dialer {
    /// Connects and negotiates TLS; `encrypt: false` leaves it out even where it would be tried.
    pub(super) async fn dial(&self, address: &Address, encrypt: bool) -> Result<Transport, DialError> {
        let (socket, host) = match address {
            Address::Unix(path) => return Ok(Transport::Plain(Stream::connect_unix(path).await?)),
            Address::Tcp { socket, host } => (*socket, host),
        };
        let stream = Stream::connect_tcp(socket).await?;
        if let Some(keepalive) = self.keepalive {
            stream.set_keepalive(keepalive.idle, keepalive.interval, keepalive.retries)?;
        }
        if let Some(limit) = self.user_timeout {
            stream.set_user_timeout(limit)?;
        }
        match &self.tls {
            Some(tls) if encrypt => negotiate(stream, tls, host, socket.ip()).await,
            _ => Ok(Transport::Plain(stream)),
        }
    }
}

async fn negotiate(mut stream: Stream, tls: &Tls, host: &str, address: IpAddr) -> Result<Transport, DialError> {
    if !tls.is_direct() {
        stream.write_all(&SSL_REQUEST).await?;
        let mut answer = [0];
        // Exactly one byte: whatever somebody slipped in behind it goes to the handshake and breaks it.
        stream.read_exact(&mut answer).await?;
        match answer {
            [b'S'] => {}
            [b'N'] if tls.is_optional() => return Ok(Transport::Plain(stream)),
            [b'N'] => return Err(DialError::Tls(TlsFault::NotOffered)),
            _ => return Err(DialError::Tls(TlsFault::Handshake("the server is not PostgreSQL, or in trouble".into()))),
        }
    }
    match tls.handshake(stream, host, address).await {
        Ok(stream) => Ok(Transport::Tls(Box::new(stream))),
        Err(fault) => Err(DialError::Tls(fault)),
    }
}

/// A stream ready for a session.
pub(super) enum Transport {
    Plain(Stream),
    Tls(Box<tokio_rustls::client::TlsStream<Stream>>),
}

impl Transport {
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self, Transport::Tls(_))
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => AsyncWrite::poll_write(Pin::new(stream), cx, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl TlsStream for Transport {
    fn channel_binding(&self) -> ChannelBinding {
        match self {
            Transport::Plain(_) => ChannelBinding::none(),
            Transport::Tls(stream) => {
                tls::end_point_binding(stream).map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
            }
        }
    }
}

/// For tokio-postgres: "wraps" a stream whose TLS, if any, is done.
pub(super) struct Done;

impl<S: TlsStream + Unpin> TlsConnect<S> for Done {
    type Stream = S;
    type Error = io::Error;
    type Future = Ready<io::Result<S>>;

    fn connect(self, stream: S) -> Self::Future {
        ready(Ok(stream))
    }
}
