//! No address has more connections open than it may, over all shards; none is counted for longer than it is open.

use crate::support::{
    client::{Client, request},
    metrics::Metrics,
    server::{Deployment, PATIENCE, Server},
};
use rustix::net::sockopt::set_socket_linger;
use std::{
    io::Write,
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

const BOUND: usize = 5;

fn closed(page: &Metrics, reason: &str) -> f64 {
    page.sum("jeday_connections_closed_total", &[("reason", reason)])
}

/// A connection that has been let in, or what it was told instead.
fn enter(server: &Server, first: &[u8]) -> Result<Client, (u16, String)> {
    let mut client = server.connect();
    client.send([first, &request("GET", "/health/live", &[], b"")].concat());
    let reply = client.reply();
    match reply.status {
        200 => Ok(client),
        _ => {
            assert_eq!(reply.field("Retry-After"), Some("1"));
            assert!(!reply.keeps_alive());
            let problem = reply.problem();
            client.expect_end();
            Err(problem)
        }
    }
}

fn full() -> (u16, String) {
    (503, "too_many_connections_of_address".to_owned())
}

/// Waits until so many can be open at once, and checks that no more can. A server learns of an end in its own time.
#[track_caller]
fn assert_room(server: &Server, first: &[u8], room: usize) {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut open: Vec<_> = (0..room).map_while(|_| enter(server, first).ok()).collect();
        if open.len() == room {
            assert_eq!(enter(server, first).err(), Some(full()), "{room} are all");
            // Orderly, so that the server has seen the end of each before the next look.
            for client in &mut open {
                client.send("GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
                assert_eq!(client.reply().status, 200);
                client.expect_end();
            }
            return;
        }
        assert!(Instant::now() < until, "only {} of {room} get in", open.len());
        drop(open);
        thread::sleep(Duration::from_millis(5));
    }
}

fn line(address: &str) -> Vec<u8> {
    let family = if address.contains(':') { "TCP6" } else { "TCP4" };
    format!("PROXY {family} {address} {} 1 2\r\n", if family == "TCP6" { "::1" } else { "127.0.0.1" }).into_bytes()
}

#[test]
fn connections_over_the_bound_are_told_to_try_again() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.connections_per_address_max=5"]);
    let mut open: Vec<Client> = (0..BOUND).map(|_| enter(&server, b"").unwrap()).collect();
    for _ in 0..20 {
        assert_eq!(enter(&server, b"").err(), Some(full()));
    }
    for (number, client) in open.iter_mut().enumerate() {
        assert_eq!(client.register(&format!("user{number}@example.com")).status, 201, "those inside are served");
    }
    Metrics::once(&server, "those turned away are counted", |page| closed(page, "address_full") == 20.0);
    assert!((0..3).all(|_| server.connect_operator().get("/metrics").status == 200), "the operator has no bound");
    drop(open);
    assert_room(&server, b"", BOUND);
}

#[test]
fn of_many_that_connect_at_once_exactly_as_many_get_in_as_may() {
    let deployment = Deployment::new();
    // On as many shards as there are CPUs: the count is one for all of them.
    let shards = format!("cores.request_shards={}", thread::available_parallelism().unwrap());
    let server = deployment.serve_with(&["server.connections_per_address_max=5", &shards]);
    for round in 0..5 {
        let outcomes: Vec<_> = thread::scope(|scope| {
            let entering: Vec<_> = (0..40).map(|_| scope.spawn(|| enter(&server, b""))).collect();
            entering.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let inside = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(inside, BOUND, "round {round}");
        drop(outcomes);
        assert_room(&server, b"", BOUND);
    }
}

#[test]
fn a_thousand_connections_leave_no_count_however_they_end() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.connections_per_address_max=5", "server.header_timeout=200ms"]);
    let address: SocketAddr = server.address();
    for number in 0..1_000 {
        let mut stream = TcpStream::connect(address).unwrap();
        let sent: &[u8] = match number % 6 {
            0 => b"",
            1 => b"GET /health",
            2 => b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n",
            3 => b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            4 => b"POST /auth/register HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{",
            _ => b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        };
        // Who is turned away may have been left already.
        let _ = stream.write_all(sent);
        if number % 5 == 0 {
            let _ = stream.shutdown(Shutdown::Write);
        }
        if number % 3 == 0 {
            // Closing resets instead of saying good-bye.
            set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        }
    }
    // One that is left to the timeout, and stays open on this side.
    let mut slow = server.connect();
    slow.send("GET /health");
    let _ = slow.rest();
    assert_room(&server, b"", BOUND);
    assert_eq!(server.connect().register("ada@example.com").status, 201);
}

#[test]
fn a_trusted_proxy_comes_for_many_and_is_not_counted() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.connections_per_address_max=1", "server.trusted_proxies=127.0.0.0/8"]);
    let open: Vec<_> = (0..20).map(|_| enter(&server, b"").unwrap()).collect();
    assert_eq!(open.len(), 20);
}

#[test]
fn connections_count_for_whom_the_proxy_announces() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[
        "server.connections_per_address_max=5",
        "server.proxy_protocol=required",
        "server.trusted_proxies=127.0.0.1",
    ]);
    let ada = line("203.0.113.7");
    let open: Vec<_> = (0..BOUND).map(|_| enter(&server, &ada).unwrap()).collect();
    for _ in 0..5 {
        assert_eq!(enter(&server, &ada).err(), Some(full()));
        assert_eq!(enter(&server, &line("::ffff:203.0.113.7")).err(), Some(full()), "the same, written as IPv6");
    }
    let others: Vec<_> = (8..40).map(|last| enter(&server, &line(&format!("203.0.113.{last}"))).unwrap()).collect();
    let checks: Vec<_> = (0..20).map(|_| enter(&server, b"PROXY UNKNOWN\r\n").unwrap()).collect();
    drop((open, others, checks));
    assert_room(&server, &ada, BOUND);
    // One household, one prefix.
    let household: Vec<_> =
        (0..BOUND).map(|host| enter(&server, &line(&format!("2001:db8::{host}"))).unwrap()).collect();
    assert_eq!(enter(&server, &line("2001:db8::ffff")).err(), Some(full()));
    assert!(enter(&server, &line("2001:db8:0:1::1")).is_ok());
    drop(household);
}

#[test]
fn without_a_bound_an_address_has_as_many_as_there_are() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let open: Vec<_> = (0..200).map(|_| enter(&server, b"").unwrap()).collect();
    assert_eq!(open.len(), 200);
}
