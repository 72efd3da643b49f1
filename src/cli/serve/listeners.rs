//! The sockets that `serve` listens on, bound before any shard starts, so that a port in use is told in one sentence.

use crate::{
    cli::{CliError, error::plain},
    config::{self, ListenAddress},
};
use shards::{Listener, ListenerConfig};
use std::{io, net::SocketAddr};

/// Connections that may wait on the operator's address: a scraper and a person.
const OPERATOR_BACKLOG: i32 = 64;

/// One socket for each shard, all at one address.
pub(super) fn public(config: &config::Server, shards: usize) -> Result<(SocketAddr, Vec<Listener>), CliError> {
    let refused = |error: &io::Error| refused(&config.address, "server.address", error);
    let backlog = i32::try_from(config.backlog).unwrap_or(i32::MAX);
    let first = first_of(&config.address, |address| {
        if !config.share_address {
            // Shards share an address among themselves, and the kernel would share it with another server of the
            // same user as well: only a socket that shares nothing tells whether there is one.
            drop(Listener::bind(&ListenerConfig { address, backlog, shared: false })?);
        }
        Listener::bind(&ListenerConfig { address, backlog, shared: true })
    });
    let first = first.map_err(|error| refused(&error))?;
    let address = first.local_address().map_err(|error| refused(&error))?;
    let mut listeners = vec![first];
    for _ in 1..shards {
        let next = Listener::bind(&ListenerConfig { address, backlog, shared: true });
        listeners.push(next.map_err(|error| refused(&error))?);
    }
    Ok((address, listeners))
}

/// The operator's socket, of one shard alone.
pub(super) fn operator(address: &ListenAddress) -> Result<(SocketAddr, Listener), CliError> {
    let bound = first_of(address, |address| {
        let listener = Listener::bind(&ListenerConfig { address, backlog: OPERATOR_BACKLOG, shared: false })?;
        Ok((listener.local_address()?, listener))
    });
    bound.map_err(|error| refused(address, "metrics.address", &error))
}

/// The first of the addresses that can be bound; the last one's error if none can.
fn first_of<T>(address: &ListenAddress, bind: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    let mut outcome = Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
    for candidate in address.resolve()? {
        outcome = bind(candidate);
        match &outcome {
            // In use is in use: the next candidate would be half of what was asked for.
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {}
            _ => break,
        }
    }
    outcome
}

fn refused(address: &ListenAddress, key: &str, error: &io::Error) -> CliError {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("another program listens there: stop it, or choose another port by {key}")
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 are for root or CAP_NET_BIND_SERVICE: choose a port from 1024 up".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => format!("{key} must be an address of this machine"),
        _ => format!("{key} says where to listen"),
    };
    CliError::failure(format!("cannot listen on {address}: {}", plain(error))).with_hint(hint)
}
