#![allow(unsafe_code)]
//! A connected socket, TCP or Unix, on its shard's ring. Reads wait for readiness on the ring and then take what is
//! there; writes try at once, because the send buffer nearly always has room, and wait only when it has none.

use futures_lite::{AsyncRead, AsyncWrite, ready};
use glommio::net::{TcpStream, UnixStream};
use socket2::{SockRef, TcpKeepalive};
use std::{
    future::poll_fn,
    io,
    net::{Shutdown, SocketAddr},
    os::fd::{AsRawFd, BorrowedFd},
    path::Path,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// A connected stream socket.
pub struct Stream(Socket);

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Stream {
        Stream(Socket::Tcp(stream))
    }
}

impl Stream {
    /// Connects by TCP, with Nagle's delay off.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn connect_tcp(address: SocketAddr) -> io::Result<Stream> {
        let stream = TcpStream::connect(address).await.map_err(io::Error::from)?;
        stream.set_nodelay(true).map_err(io::Error::from)?;
        Ok(Stream::from(stream))
    }

    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn connect_unix(path: &Path) -> io::Result<Stream> {
        UnixStream::connect(path).await.map(|stream| Stream(Socket::Unix(stream))).map_err(io::Error::from)
    }

    /// Reads what is there, waiting for at least a byte; 0 means that the peer has finished sending.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The operating system's; part may have been written.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| self.poll_write(cx, bytes)).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Ends sending on a TCP connection, without waiting: the peer reads what was sent, then the end.
    ///
    /// # Errors
    /// The operating system's.
    pub fn shutdown_write(&self) -> io::Result<()> {
        self.tcp().map_or(Ok(()), |socket| SockRef::from(&socket).shutdown(Shutdown::Write))
    }

    /// Turns on TCP keep-alive probes; does nothing on a Unix socket.
    ///
    /// # Errors
    /// The operating system's.
    pub fn set_keepalive(&self, idle: Duration, interval: Duration, retries: u32) -> io::Result<()> {
        let keepalive = TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(retries);
        self.tcp().map_or(Ok(()), |socket| SockRef::from(&socket).set_tcp_keepalive(&keepalive))
    }

    /// Limits how long sent data may stay unacknowledged (TCP_USER_TIMEOUT); does nothing on a Unix socket.
    ///
    /// # Errors
    /// The operating system's.
    pub fn set_user_timeout(&self, limit: Duration) -> io::Result<()> {
        self.tcp().map_or(Ok(()), |socket| SockRef::from(&socket).set_tcp_user_timeout(Some(limit)))
    }

    /// The peer's address; `None` on a Unix socket or when the peer has gone.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        SockRef::from(&self.tcp()?).peer_addr().ok()?.as_socket()
    }

    fn tcp(&self) -> Option<BorrowedFd<'_>> {
        let Socket::Tcp(stream) = &self.0 else { return None };
        // SAFETY: the stream owns the descriptor and outlives the borrow of `self`.
        Some(unsafe { BorrowedFd::borrow_raw(stream.as_raw_fd()) })
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Socket::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }

    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = ready!(match &mut self.0 {
            Socket::Tcp(stream) => Pin::new(stream).poll_close(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_close(cx),
        });
        // A peer that has gone first has closed it for us.
        Poll::Ready(closed.or_else(
            |error| {
                if error.kind() == io::ErrorKind::NotConnected { Ok(()) } else { Err(error) }
            },
        ))
    }
}

/// See [`crate::thread_cpu_time`].
pub(crate) fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec for the call to fill; the clock exists on every Linux.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(status, 0, "the thread's CPU clock always exists");
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("nanoseconds are below 10^9"))
}
