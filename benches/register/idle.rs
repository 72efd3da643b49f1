//! What a server costs that has nothing to do: memory of open connections, CPU time, and the time that it takes to
//! start.

use crate::{
    results::IdleFigures,
    support::{
        Outcome, http, interrupt, procfs,
        server::{Server, Setup},
    },
};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::{
    collections::BTreeMap,
    net::TcpStream,
    time::{Duration, Instant},
};

/// Open connections that memory is divided by.
const CONNECTIONS: usize = 5_000;

/// Open connections that must not cost CPU.
const CONNECTIONS_FOR_CPU: usize = 500;

/// Descriptors that are needed for something else.
const OTHER_DESCRIPTORS: usize = 200;

/// How long CPU is looked at.
const WINDOW: Duration = Duration::from_secs(3);

/// For what follows a change to end.
const CALM: Duration = Duration::from_secs(1);

const STARTS: usize = 10;

/// Answered without the database.
const PATH: &str = "/health/live";

pub(crate) fn measure(setup: &Setup) -> Outcome<IdleFigures> {
    allow_descriptors(CONNECTIONS + OTHER_DESCRIPTORS)?;
    let mut ready_ms = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let (server, took) = setup.start()?;
        ready_ms.push(took.as_secs_f64() * 1000.0);
        server.stop()?;
    }
    // A server of its own: one that was loaded has memory to give to new connections.
    let (mut server, _) = setup.start()?;
    drop(open(&server, 10)?);
    interrupt::pause(CALM)?;
    let resident_kib_at_start = procfs::memory(server.pid())?.resident_kib;
    let cpu_percent_without_connections = cpu_percent(&server)?;
    let mut connections = open(&server, CONNECTIONS_FOR_CPU)?;
    interrupt::pause(CALM)?;
    let cpu_percent_with_500 = cpu_percent(&server)?;
    connections.extend(open(&server, CONNECTIONS - CONNECTIONS_FOR_CPU)?);
    interrupt::pause(CALM)?;
    let resident_kib_with_connections = procfs::memory(server.pid())?.resident_kib;
    if let Some(closed) = connections.iter().position(is_closed) {
        return Err(format!("the server has closed idle connection {closed} of {CONNECTIONS}").into());
    }
    server.check()?;
    drop(connections);
    server.stop()?;
    let grown_kib = resident_kib_with_connections.saturating_sub(resident_kib_at_start);
    Ok(IdleFigures {
        resident_kib_at_start,
        connections: CONNECTIONS,
        resident_kib_with_connections,
        kib_per_connection: grown_kib as f64 / CONNECTIONS as f64,
        cpu_percent_without_connections,
        cpu_percent_with_500,
        ready_ms,
    })
}

fn open(server: &Server, count: usize) -> Outcome<Vec<TcpStream>> {
    let mut streams = Vec::with_capacity(count);
    for number in 0..count {
        interrupt::check()?;
        let stream = http::open_idle(server.address, PATH);
        streams.push(stream.map_err(|error| format!("connection {number} of {count}: {error}"))?);
    }
    Ok(streams)
}

/// Whether the other side has ended a connection that nothing is to be read from.
fn is_closed(stream: &TcpStream) -> bool {
    let mut byte = [0];
    stream.set_nonblocking(true).is_err() || stream.peek(&mut byte).is_ok_and(|read| read == 0)
}

/// The share of one core that the server uses, in percent.
fn cpu_percent(server: &Server) -> Outcome<f64> {
    let started = Instant::now();
    let before = procfs::threads_ns(server.pid())?;
    interrupt::pause(WINDOW)?;
    let after = procfs::threads_ns(server.pid())?;
    Ok(used_ns(&before, &after) as f64 / started.elapsed().as_nanos() as f64 * 100.0)
}

/// What threads have used that live at the end, also those that did not at the beginning.
fn used_ns(before: &BTreeMap<u32, u64>, after: &BTreeMap<u32, u64>) -> u64 {
    after.iter().map(|(thread, ns)| ns.saturating_sub(before.get(thread).copied().unwrap_or(0))).sum()
}

/// Raises the bound on open files as far as needed. The server inherits it.
fn allow_descriptors(needed: usize) -> Outcome<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let needed = needed as u64;
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        return Err(format!("{needed} open files are needed: raise the hard limit (ulimit -Hn)").into());
    }
    limit.current = Some(needed);
    Ok(setrlimit(Resource::Nofile, limit)?)
}
