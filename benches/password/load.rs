//! Load over keep-alive connections from one thread: each connection sends its next request after the reply to its
//! last. Knows no route; what is asked, and which answers are right, is for the clients to say.
//!
//! wrk cannot do this: it gives a connection no state of its own, and mixes the latencies of all statuses.

use crate::{
    support::{
        Outcome,
        http::{self, Reply},
        interrupt,
    },
    tally::{Summary, Tally},
};
use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
    fd::OwnedFd,
    time::{ClockId, clock_gettime},
};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// How long nothing but waiting goes on before somebody may have asked for a stop.
const LOOK: Duration = Duration::from_millis(50);

/// How long answers may take that are under way when the time is over.
const SETTLE_MAX: Duration = Duration::from_secs(15);

/// More than any answer has.
const INPUT_BYTES: usize = 16 << 10;

/// One connection's side of the conversation.
pub(crate) trait Client: Send {
    /// Writes the next request; `false` when there is none any more.
    fn request(&mut self, to: &mut Vec<u8>) -> bool;

    /// Takes the answer; says what is wrong with it if something is.
    fn reply(&mut self, reply: &Reply<'_>) -> Result<(), String>;
}

/// How clients are let loose.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) server: SocketAddr,
    /// No request is sent later.
    pub(crate) length: Duration,
    /// Time between two requests of one connection; without one the next follows at once.
    pub(crate) pace: Option<Duration>,
}

#[derive(Clone, Copy)]
enum State {
    /// Its next request is to be sent then.
    Due(Instant),
    /// Its request counts from then.
    Waiting(Instant),
    Done,
}

struct Connection<'c, C> {
    client: &'c mut C,
    stream: TcpStream,
    input: Vec<u8>,
    filled: usize,
    state: State,
    /// When the request after this one is due, if there is a pace.
    next_due: Instant,
}

/// Runs one connection for each client until time is over or all clients are done, then waits for the last answers.
pub(crate) fn run<C: Client>(load: &Load, clients: &mut [C]) -> Outcome<Summary> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let count = clients.len();
    let start = Instant::now();
    let mut connections = Vec::with_capacity(count);
    for (number, client) in clients.iter_mut().enumerate() {
        // Those with a pace do not all come at once.
        let offset = load.pace.map_or(Duration::ZERO, |pace| pace * number as u32 / count as u32);
        connections.push(Connection {
            client,
            stream: open(load.server, &poll, number)?,
            input: vec![0; INPUT_BYTES],
            filled: 0,
            state: State::Due(start + offset),
            next_due: start + offset,
        });
    }
    let mut running =
        Running { load, poll, tally: Tally::default(), output: Vec::new(), end: Instant::now() + load.length };
    let start = Instant::now();
    let cpu_before_ns = thread_cpu_ns();
    let over = running.serve(&mut connections)?;
    Ok(running.tally.summary(count, over.duration_since(start), thread_cpu_ns() - cpu_before_ns))
}

struct Running<'l> {
    load: &'l Load,
    poll: OwnedFd,
    tally: Tally,
    output: Vec<u8>,
    end: Instant,
}

impl Running<'_> {
    /// Tells when time was over.
    fn serve<C: Client>(&mut self, connections: &mut [Connection<'_, C>]) -> Outcome<Instant> {
        let mut events = Vec::with_capacity(connections.len().max(1));
        let mut last = Instant::now();
        self.send_due(connections)?;
        loop {
            let open = connections.iter().any(|connection| !matches!(connection.state, State::Done));
            if !open {
                return Ok(last.min(self.end));
            }
            if interrupt::requested() {
                return Err("interrupted".into());
            }
            if Instant::now() > self.end + SETTLE_MAX {
                let open =
                    connections.iter().filter(|connection| matches!(connection.state, State::Waiting(_))).count();
                self.tally.fault(format!("{open} requests have no answer {SETTLE_MAX:?} after the last was sent"));
                return Ok(self.end);
            }
            events.clear();
            epoll::wait(&self.poll, spare_capacity(&mut events), Some(&self.patience(connections)))?;
            for event in &events {
                let connection = &mut connections[event.data.u64() as usize];
                self.read(connection, event.data.u64() as usize)?;
            }
            if !events.is_empty() {
                last = Instant::now();
            }
            if self.load.pace.is_some() {
                self.send_due(connections)?;
            }
        }
    }

    /// Until the next request is due.
    fn patience<C>(&self, connections: &[Connection<'_, C>]) -> Timespec {
        let due = connections.iter().filter_map(|connection| match connection.state {
            State::Due(due) => Some(due.saturating_duration_since(Instant::now())),
            _ => None,
        });
        let patience = due.min().map_or(LOOK, |due| due.min(LOOK));
        Timespec { tv_sec: patience.as_secs().cast_signed(), tv_nsec: patience.subsec_nanos().into() }
    }

    fn send_due<C: Client>(&mut self, connections: &mut [Connection<'_, C>]) -> Outcome<()> {
        for connection in connections {
            let now = Instant::now();
            if let State::Due(due) = connection.state
                && due <= now
            {
                // A connection that was free at its time is not to blame for a generator that was late.
                self.send(connection, now)?;
            }
        }
        Ok(())
    }

    /// Sends the next request if there is one and time for it.
    fn send<C: Client>(&mut self, connection: &mut Connection<'_, C>, since: Instant) -> Outcome<()> {
        self.output.clear();
        if Instant::now() >= self.end || !connection.client.request(&mut self.output) {
            connection.state = State::Done;
            return Ok(());
        }
        if let Some(pace) = self.load.pace {
            connection.next_due = since.max(connection.next_due) + pace;
        }
        connection.state = State::Waiting(since);
        // The send buffer of a connection without a request under way is empty and takes one as a whole.
        match connection.stream.write(&self.output) {
            Ok(written) if written == self.output.len() => Ok(()),
            // What has happened to it is seen by reading.
            Err(error) if is_end(&error) => Ok(()),
            Ok(written) => Err(format!("a socket took {written} of {} bytes", self.output.len()).into()),
            Err(error) => Err(error.into()),
        }
    }

    fn read<C: Client>(&mut self, connection: &mut Connection<'_, C>, number: usize) -> Outcome<()> {
        match connection.stream.read(&mut connection.input[connection.filled..]) {
            Ok(0) => return self.reopen(connection, number, "closed"),
            Ok(read) => connection.filled += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if is_end(&error) => return self.reopen(connection, number, "reset"),
            Err(error) => return Err(error.into()),
        }
        let input = &connection.input[..connection.filled];
        let Some(reply) = Reply::find(input).map_err(|_| format!("no reply: {:?}", String::from_utf8_lossy(input)))?
        else {
            return Ok(());
        };
        let State::Waiting(since) = connection.state else {
            return Err(format!("an answer that nobody asked for: {reply:?}").into());
        };
        let now = Instant::now();
        self.tally.answer(reply.status, now - since, now <= self.end)?;
        if let Err(fault) = connection.client.reply(&reply) {
            self.tally.fault(fault);
        }
        connection.filled = 0;
        match self.load.pace {
            None => self.send(connection, now),
            // One that is late already counts from when it should have been sent.
            Some(_) if connection.next_due <= now => self.send(connection, connection.next_due),
            Some(_) => {
                connection.state =
                    if connection.next_due < self.end { State::Due(connection.next_due) } else { State::Done };
                Ok(())
            }
        }
    }

    /// A request that was under way is lost and not counted but as a fault.
    fn reopen<C: Client>(&mut self, connection: &mut Connection<'_, C>, number: usize, how: &str) -> Outcome<()> {
        self.tally.fault(format!("a connection was {how} by the server"));
        epoll::delete(&self.poll, &connection.stream)?;
        connection.filled = 0;
        if Instant::now() >= self.end {
            connection.state = State::Done;
            return Ok(());
        }
        connection.stream = open(self.load.server, &self.poll, number)?;
        self.send(connection, Instant::now())
    }
}

fn open(server: SocketAddr, poll: &OwnedFd, number: usize) -> Outcome<TcpStream> {
    let stream = http::connect(server).map_err(|error| format!("connection {number}: {error}"))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    epoll::add(poll, &stream, epoll::EventData::new_u64(number as u64), epoll::EventFlags::IN)?;
    Ok(stream)
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        net::{Ipv4Addr, TcpListener},
        thread,
    };

    struct Counting {
        left: usize,
        bodies: Vec<String>,
    }

    impl Client for Counting {
        fn request(&mut self, to: &mut Vec<u8>) -> bool {
            to.extend_from_slice(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            self.left = self.left.wrapping_sub(1);
            self.left != usize::MAX
        }

        fn reply(&mut self, reply: &Reply<'_>) -> Result<(), String> {
            self.bodies.push(reply.body.to_owned());
            if reply.status == 200 { Ok(()) } else { Err("no".to_owned()) }
        }
    }

    /// Answers each request, on each connection, in two parts; the second of each connection by 503.
    fn server(connections: usize) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().take(connections) {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let mut buffer = [0; 1024];
                    for status in ["200 OK", "503 No"].iter().cycle() {
                        match stream.read(&mut buffer) {
                            Ok(read) if read > 0 => {}
                            _ => break,
                        }
                        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 2\r\n").unwrap();
                        stream.flush().unwrap();
                        thread::sleep(Duration::from_millis(1));
                        write!(stream, "\r\nok").unwrap();
                    }
                });
            }
        });
        address
    }

    #[test]
    fn each_client_gets_all_its_answers() {
        let load = Load { server: server(3), length: Duration::from_secs(10), pace: None };
        let mut clients: Vec<_> = (1..=3).map(|left| Counting { left, bodies: Vec::new() }).collect();
        let summary = run(&load, &mut clients).unwrap();
        assert_eq!(clients.iter().map(|client| client.bodies.len()).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!((summary.with(200).unwrap().in_time, summary.with(503).unwrap().in_time, summary.faults), (4, 2, 2));
    }

    #[test]
    fn pace_bounds_the_rate() {
        let pace = Duration::from_millis(20);
        let load = Load { server: server(2), length: Duration::from_millis(200), pace: Some(pace) };
        let mut clients: Vec<_> = (0..2).map(|_| Counting { left: 1000, bodies: Vec::new() }).collect();
        let summary = run(&load, &mut clients).unwrap();
        let answers: u64 = summary.answers.iter().map(|answered| answered.in_time).sum();
        assert!((2..=22).contains(&answers), "{answers}");
    }
}
