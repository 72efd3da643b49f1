//! One server takes over from another at the same port, again and again, under load: clients that try again only when
//! an idle connection was closed on them see no request fail, and no new connection is refused or reset.

use crate::{
    eventually, random, rounds, seed,
    support::{
        client::{registration, user},
        server::{CHEAP, Deployment, PATIENCE, Server},
    },
    turn,
};
use rustix::process::Signal;
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// What all clients share.
struct Shared {
    address: SocketAddr,
    stop: AtomicBool,
    answered: AtomicUsize,
    /// Idle connections that were closed when the next request was sent.
    closed: AtomicUsize,
    failed: Mutex<Vec<String>>,
}

fn start(deployment: &Deployment<'_>, address: &str) -> Server {
    // How long a commit takes on a busy disk is not what is looked at.
    let settings = [CHEAP, &["server.share_address=true", "database.deadline=60s"]].concat();
    let settings = settings.iter().flat_map(|text| ["--set", text]);
    Server::start(deployment.jeday(["serve"].into_iter().chain(settings)).env("SERVER_ADDRESS", address))
}

/// One request, and whether its connection serves another; `None` when it ends without a byte of a reply.
fn exchange(mut stream: &TcpStream, email: &str) -> io::Result<Option<bool>> {
    stream.write_all(&registration(&[], &user(email)))?;
    let mut received = Vec::new();
    loop {
        let mut buffer = [0; 2048];
        match stream.read(&mut buffer)? {
            0 if received.is_empty() => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => received.extend_from_slice(&buffer[..count]),
        }
        let text = String::from_utf8_lossy(&received);
        if text.ends_with('}') {
            assert!(text.starts_with("HTTP/1.1 201 "), "{email}: {text}");
            return Ok(Some(!text.contains("\r\nConnection: close\r\n")));
        }
    }
}

/// Registers users over connections that serve a few requests each, and writes down what fails.
fn live(shared: &Shared, client: usize) {
    let mut idle: Option<(TcpStream, usize)> = None;
    for number in 0.. {
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        let email = format!("{client}-{number}@rolling.example");
        if let Some((stream, left)) = idle.take() {
            match exchange(&stream, &email) {
                Ok(Some(keeps_alive)) => {
                    shared.answered.fetch_add(1, Ordering::Relaxed);
                    idle = Some((stream, left - 1)).filter(|(_, left)| keeps_alive && *left > 0);
                    continue;
                }
                // RFC 9112 section 9.3.1: it was idle, and closed before the request came.
                Ok(None) | Err(_) => drop(shared.closed.fetch_add(1, Ordering::Relaxed)),
            }
        }
        let fresh = TcpStream::connect(shared.address).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(&stream, &email).map(|next| (stream, next))
        });
        match fresh {
            Ok((stream, Some(keeps_alive))) => {
                shared.answered.fetch_add(1, Ordering::Relaxed);
                idle = Some((stream, number % 4)).filter(|(_, left)| keeps_alive && *left > 0);
            }
            Ok((_, None)) => shared.failed.lock().unwrap().push(format!("{email}: closed without a reply")),
            Err(error) => shared.failed.lock().unwrap().push(format!("{email}: {error}")),
        }
    }
}

#[test]
fn server_is_replaced_at_its_port_and_no_request_fails() {
    let _turn = turn();
    let seed = seed();
    let deployment = Deployment::new();
    let mut old = start(&deployment, "127.0.0.1:0");
    let shared = Shared {
        address: old.address(),
        stop: AtomicBool::new(false),
        answered: AtomicUsize::new(0),
        closed: AtomicUsize::new(0),
        failed: Mutex::default(),
    };
    let address = shared.address.to_string();
    let rounds = rounds(3, 50);
    thread::scope(|scope| {
        for client in 0..24 {
            let shared = &shared;
            scope.spawn(move || live(shared, client));
        }
        for round in 0..rounds as u64 {
            let new = start(&deployment, &address);
            thread::sleep(Duration::from_micros(random(seed, round, 20_000)));
            old.signal(Signal::TERM);
            let status = old.wait();
            assert!(status.success(), "{status}: {}", old.log());
            old = new;
            let answered = shared.answered.load(Ordering::Relaxed);
            eventually("the new one serves", || shared.answered.load(Ordering::Relaxed) > answered + 100);
        }
        shared.stop.store(true, Ordering::Relaxed);
    });
    let answered = shared.answered.load(Ordering::Relaxed);
    let (closed, failed) = (shared.closed.load(Ordering::Relaxed), shared.failed.into_inner().unwrap());
    eprintln!("{rounds} restarts, {answered} requests, {closed} sent again, {} failed", failed.len());
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), answered.to_string());
    old.stop();
}
