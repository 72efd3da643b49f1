//! Proxies that people put in front, with connections to the server that the requests of many clients share: whatever
//! is sent to smuggle a request past one of them, the server sees as many requests as clients get replies of it, none
//! that the proxy has not let through, and the next client gets its own reply. nginx and HAProxy, each strict and lax.

mod front;
mod replies;
mod smuggling;

use crate::{
    installed,
    support::{
        client::{registration, user},
        metrics::Metrics,
        server::{Deployment, PATIENCE, STAYS_WEAK, Server},
    },
};
use front::{FORBIDDEN, Front, Kind};
use replies::Reply;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

/// Clients that come after each attempt: the first finds what it has left on the connection to the server, the second
/// what the first has left.
const NEXT_CLIENTS: usize = 2;

/// Sends all of it and takes what comes until the proxy closes.
fn exchange(front: SocketAddr, bytes: &[u8]) -> Vec<Reply> {
    let mut stream = TcpStream::connect(front).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A refusal may come, and its reset with it, before all is sent.
    let _ = stream.write_all(bytes);
    let mut received = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&received)),
        }
    }
    replies::parse(&received)
}

/// Requests that the server has answered, those for the metrics aside.
fn requests(metrics: &Metrics) -> f64 {
    let name = "jeday_http_requests_total";
    metrics.sum(name, &[]) - metrics.sum(name, &[("route", "/metrics")])
}

fn smuggle_through(kind: Kind) {
    let Some(program) = installed(kind.program()) else { return };
    let deployment = Deployment::new();
    // HAProxy waits for the rest of a body as long as the server does.
    let server = deployment.serve_with(&["cores.request_shards=1", "server.body_timeout=1s", STAYS_WEAK]);
    let front = Front::start(kind, &program, server.address());
    for address in front.addresses() {
        smuggle_at(&deployment, &server, address);
    }
    server.stop();
}

fn smuggle_at(deployment: &Deployment<'_>, server: &Server, front: SocketAddr) {
    let before = Metrics::of(server);
    let forbidden = exchange(front, &smuggling::followed_by_innocent(&smuggling::get(FORBIDDEN)));
    assert!(forbidden[0].status == 403 && !forbidden[0].is_servers, "the proxy forbids it: {forbidden:?}");
    let mut replied = forbidden.iter().filter(|reply| reply.is_servers).count();
    let mut clients = 0;
    for (name, bytes) in smuggling::attempts() {
        let replies = exchange(front, &smuggling::followed_by_innocent(&bytes));
        let statuses: Vec<String> = replies.iter().map(Reply::show).collect();
        eprintln!("{front} {name}: {}", statuses.join(" "));
        assert!(replies.iter().all(|reply| !reply.is_forbidden_content), "{name}: {replies:?}");
        replied += replies.iter().filter(|reply| reply.is_servers).count();
        for _ in 0..NEXT_CLIENTS {
            clients += 1;
            let email = format!("{}-{clients}@example.com", front.port());
            let request = registration(&[("Connection", "close")], &user(&email));
            let replies = exchange(front, &request);
            let is_its_own = |reply: &Reply| reply.status == 201 && reply.body.contains(&email);
            assert!(replies.len() == 1 && is_its_own(&replies[0]), "after {name}: {replies:?}");
            replied += 1;
        }
        Metrics::once(server, &format!("as many replies as requests after {name}"), |metrics| {
            requests(metrics) - requests(&before) == replied as f64
        });
    }
    let after = Metrics::of(server);
    assert_eq!(after.requests(FORBIDDEN, 200), 0.0, "the proxy has let none through");
    // Each scrape has a connection of its own.
    let scrapes = |metrics: &Metrics| metrics.requests("/metrics", 200);
    let accepted = |metrics: &Metrics| metrics.sum("jeday_connections_accepted_total", &[]) - scrapes(metrics);
    let stored = deployment.sql(&format!("SELECT count(*) FROM users WHERE email LIKE '{}-%'", front.port()));
    assert_eq!(stored, clients.to_string());
    let connections = accepted(&after) - accepted(&before);
    eprintln!("{front}: {replied} requests over {connections} connections");
    assert!(connections < replied as f64 / 2.0, "requests shared no connection, so that none could harm another");
}

#[test]
fn nothing_is_smuggled_through_nginx() {
    smuggle_through(Kind::Nginx);
}

#[test]
fn nothing_is_smuggled_through_haproxy() {
    smuggle_through(Kind::Haproxy);
}
