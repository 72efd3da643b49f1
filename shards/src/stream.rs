//! A connected socket, TCP or Unix. Reads and writes are tried at once when the socket may be ready and otherwise
//! wait for its shard's readiness; nothing is buffered here.

use crate::readiness::Watched;
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};
use std::{
    future::poll_fn,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr},
    path::Path,
    task::{Context, Poll},
    time::Duration,
};

/// A connected stream socket.
pub struct Stream(Watched<Socket>);

impl Stream {
    pub(crate) fn accepted(socket: Socket) -> io::Result<Stream> {
        Watched::new(socket).map(Stream)
    }

    /// Connects by TCP, with Nagle's delay off.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn connect_tcp(address: SocketAddr) -> io::Result<Stream> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
        socket.set_tcp_nodelay(true)?;
        Stream::connect(socket, &SockAddr::from(address)).await
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// The operating system's; `InvalidInput` for a path longer than such addresses hold (107 bytes).
    pub async fn connect_unix(path: &Path) -> io::Result<Stream> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
        Stream::connect(socket, &SockAddr::unix(path)?).await
    }

    async fn connect(socket: Socket, address: &SockAddr) -> io::Result<Stream> {
        let watched = Watched::new(socket)?;
        match watched.get().connect(address) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
                watched.written().await;
                if let Some(error) = watched.get().take_error()? {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(Stream(watched))
    }

    /// Waits until a read may find something, be it the end; holds no buffer meanwhile.
    pub async fn readable(&self) {
        poll_fn(|cx| self.0.poll_readable(cx)).await;
    }

    /// Waits until the peer has finished sending or has gone; reads nothing.
    pub async fn ended(&self) {
        poll_fn(|cx| self.0.poll_ended(cx)).await;
    }

    /// Reads what is there, waiting for at least a byte; 0 means that the peer has finished sending.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    /// Reads what is there already, without waiting; 0 when there is nothing, or nothing more to come.
    pub fn read_waiting(&self, buffer: &mut [u8]) -> usize {
        self.0.get().read(buffer).unwrap_or(0)
    }

    /// Writes as much of `bytes` as there is room for, waiting for room for at least a byte. Given up, it has written
    /// nothing.
    ///
    /// # Errors
    /// The operating system's; `WriteZero` when it takes nothing.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match poll_fn(|cx| self.poll_write(cx, bytes)).await? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            written => Ok(written),
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// Those of [`Stream::write`]; part may have been written.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self.write(bytes).await?;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Ends sending, without waiting: the peer reads what was sent, then the end.
    ///
    /// # Errors
    /// The operating system's.
    pub fn shutdown_write(&self) -> io::Result<()> {
        self.0.get().shutdown(Shutdown::Write)
    }

    /// Turns on TCP keep-alive probes.
    ///
    /// # Errors
    /// The operating system's, as on a Unix socket.
    pub fn set_keepalive(&self, idle: Duration, interval: Duration, retries: u32) -> io::Result<()> {
        let keepalive = TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(retries);
        self.0.get().set_tcp_keepalive(&keepalive)
    }

    /// Limits how long sent data may stay unacknowledged (TCP_USER_TIMEOUT).
    ///
    /// # Errors
    /// The operating system's, as on a Unix socket.
    pub fn set_user_timeout(&self, limit: Duration) -> io::Result<()> {
        self.0.get().set_tcp_user_timeout(Some(limit))
    }

    /// The peer's address; `None` on a Unix socket or when the peer has gone.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.0.get().peer_addr().ok()?.as_socket()
    }

    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buffer.len(), |mut socket| socket.read(buffer))
    }

    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, |mut socket| socket.write(bytes))
    }
}
