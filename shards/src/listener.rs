//! A listening TCP socket of one shard. Several shards bind the same address and the kernel shares connections out
//! between them (SO_REUSEPORT). Made with socket2 rather than by glommio, whose backlog is fixed.

use crate::{Stream, readiness::Watched};
use rustix::net::{SocketFlags, accept_with};
use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};
use std::{future::poll_fn, io, net::SocketAddr};

/// Drops every segment that begins a handshake, for a socket filter that sees TCP headers: SYN is the second bit of the
/// flags (RFC 9293 section 3.1), and the kernel looks at them at the listener before it answers.
const NO_SYN: &[SockFilter] = &[
    SockFilter::new(LOAD_BYTE, 0, 0, 13),
    SockFilter::new(JUMP_IF_ANY_BIT, 0, 1, 0b10),
    SockFilter::new(RETURN, 0, 0, 0),
    SockFilter::new(RETURN, 0, 0, u32::MAX),
];

/// Codes of the classic packet filter, as linux/bpf_common.h has them.
const LOAD_BYTE: u16 = 0x30;
const JUMP_IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

/// How to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerConfig {
    /// Address and port; port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
    pub backlog: i32,
    /// Whether other sockets of this user may listen there too: shards of one process, or a server taking over.
    pub shared: bool,
}

/// A bound, listening socket that belongs to no executor yet.
pub struct Listener(Socket);

impl Listener {
    /// Binds and listens.
    ///
    /// # Errors
    /// The operating system's, as `AddrInUse` or `PermissionDenied`.
    pub fn bind(config: &ListenerConfig) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(config.address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        // Lets a restart bind while connections of the last run are in TIME_WAIT.
        socket.set_reuse_address(true)?;
        if config.shared {
            socket.set_reuse_port(true)?;
        }
        // Inherited by accepted sockets: replies are whole, waiting to fill a segment only delays them.
        socket.set_tcp_nodelay(true)?;
        socket.bind(&SockAddr::from(config.address))?;
        socket.listen(config.backlog)?;
        Ok(Listener(socket))
    }

    /// The address that was bound, with the port the kernel chose.
    ///
    /// # Errors
    /// The operating system's.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()?.as_socket().ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
    }

    /// Hands the socket to the current executor.
    ///
    /// # Errors
    /// The operating system's, as too many open files.
    pub fn start(self) -> io::Result<Acceptor> {
        Watched::new(self.0).map(Acceptor)
    }
}

/// A listener on an executor.
pub struct Acceptor(Watched<Socket>);

impl Acceptor {
    /// The next connection.
    ///
    /// # Errors
    /// The operating system's, as too many open files; the acceptor stays usable.
    pub async fn accept(&self) -> io::Result<Stream> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let mut accepted = None;
        poll_fn(|cx| {
            // One connection of many that may wait: the listener counts as readable until it says that it is not.
            self.0.poll_read(cx, 1, |listener| {
                accepted = Some(accept_with(listener, flags)?);
                Ok(1)
            })
        })
        .await?;
        Stream::accepted(accepted.expect("a completed accept has left its descriptor").into())
    }

    /// Takes part in no new handshake from now on; those that have begun go on to their end. The kernel resets what is
    /// neither accepted nor refused when a listener closes, but a client whose SYN is left unanswered sends it again
    /// after a second, and it goes to whoever listens there by then.
    ///
    /// # Errors
    /// The operating system's; the listener is as it was then.
    pub fn begin_no_more(&self) -> io::Result<()> {
        self.0.get().attach_filter(NO_SYN)
    }

    /// A connection that waits already, if any: what draining takes before it closes the listener.
    pub fn accept_waiting(&self) -> Option<Stream> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        accept_with(self.0.get(), flags).ok().and_then(|socket| Stream::accepted(socket.into()).ok())
    }
}
