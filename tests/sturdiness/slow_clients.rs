//! Crowds of clients that are slow in every way there is, all at once: each is told so in its own time and closed, and
//! all others get their answers meanwhile.

use crate::support::{
    client::{Client, registration, request, user},
    metrics::Metrics,
    pace::turn,
    server::{Deployment, Server},
    set_on_drop::SetOnDrop,
};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use std::{
    io::{ErrorKind, Write},
    net::TcpStream,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

/// Slow clients of each kind.
const CROWD: usize = 50;

/// Others, who ask as fast as they are answered.
const OTHERS: usize = 4;

const SETTINGS: &[&str] = &[
    "server.header_timeout=1s",
    "server.body_timeout=1500ms",
    "server.write_timeout=2s",
    // The others pause now and then too, on a busy machine.
    "server.idle_timeout=4s",
];

const BODY: &str = "POST /auth/register HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n";

fn crowd(server: &Server, start: &str) -> Vec<Client> {
    (0..CROWD)
        .map(|_| {
            let mut client = server.connect();
            client.send(start);
            client
        })
        .collect()
}

/// A client whose replies fill what both kernels hold for it, until the server waits to write.
fn reader_who_does_not_read(server: &Server) -> Client {
    let client = server.connect();
    set_socket_recv_buffer_size(client.stream(), 4 << 10).unwrap();
    client.stream().set_nonblocking(true).unwrap();
    let burst = request("GET", "/openapi.json", &[], b"").repeat(100);
    let mut stream = client.stream();
    loop {
        match stream.write(&burst) {
            Ok(_) => {}
            // Full in both directions.
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    client
}

/// Sends a byte to each now and then, for as long as somebody listens.
fn drip(streams: &[TcpStream], until: &AtomicBool) {
    while !until.load(Ordering::Relaxed) {
        for mut stream in streams {
            let _ = stream.write_all(b"x");
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn expect_timeout(clients: &mut [Client], code: &str) {
    for client in clients {
        let reply = client.reply();
        assert!(reply.problem() == (408, code.to_owned()) && !reply.keeps_alive(), "{reply:?}");
        client.expect_end();
    }
}

#[test]
fn slow_crowds_are_closed_in_time_and_others_served_meanwhile() {
    let _turn = turn();
    let deployment = Deployment::new();
    let server = deployment.serve_with(SETTINGS);
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let served_by_now = || served.load(Ordering::Relaxed);
    thread::scope(|scope| {
        for other in 0..OTHERS {
            let (server, done, served) = (&server, &done, &served);
            scope.spawn(move || {
                let mut client = server.connect();
                for number in 0.. {
                    let reply = client.register(&format!("{other}-{number}@example.com"));
                    assert_eq!(reply.status, 201, "{reply:?}");
                    served.fetch_add(1, Ordering::Relaxed);
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        // Ends the others also when an assertion fails.
        let _done = SetOnDrop(&done);
        let mut slow_heads = crowd(&server, "GET /health/live HTTP/1.1\r\nHost: test\r\nX: ");
        let mut slow_bodies = crowd(&server, &format!("{BODY}Content-Length: 10000\r\n\r\n{{\"email\":\""));
        let mut slow_chunks = crowd(&server, &format!("{BODY}Transfer-Encoding: chunked\r\n\r\n2000\r\n"));
        let mut idle = crowd(&server, "");
        let _unread: Vec<Client> = (0..CROWD).map(|_| reader_who_does_not_read(&server)).collect();
        let before = served_by_now();
        let dripping: Vec<TcpStream> = [&slow_heads, &slow_bodies, &slow_chunks]
            .into_iter()
            .flatten()
            .map(|client| client.stream().try_clone().unwrap())
            .collect();
        let heard = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| drip(&dripping, &heard));
            let _heard = SetOnDrop(&heard);
            expect_timeout(&mut slow_heads, "header_timeout");
            expect_timeout(&mut slow_bodies, "body_timeout");
            expect_timeout(&mut slow_chunks, "body_timeout");
        });
        idle.iter_mut().for_each(Client::expect_end);
        let closed = [("header_timeout", 1), ("body_timeout", 2), ("write_timeout", 1), ("idle", 1)];
        Metrics::once(&server, "each kind has been closed for its own reason", |metrics| {
            closed.iter().all(|(reason, crowds)| {
                metrics.sum("jeday_connections_closed_total", &[("reason", reason)]) == (CROWD * crowds) as f64
            })
        });
        assert!(served_by_now() > before + OTHERS, "nobody else was served");
    });
    let stored: usize = deployment.sql("SELECT count(*) FROM users").parse().unwrap();
    assert_eq!(stored, served_by_now(), "what the others were told, and nothing of the slow ones");
    server.stop();
}

/// One body that comes a byte at a time is not slow as long as it comes in time.
#[test]
fn body_in_bytes_of_its_own_is_taken_within_its_time() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    for byte in registration(&[], &user("ada@example.com")) {
        client.send([byte]);
    }
    assert_eq!(client.reply().status, 201);
}
