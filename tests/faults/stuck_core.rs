//! A password core that panics or never comes to the end of a hash: whoever waits is answered, the others are served by
//! the cores that are left, and when none is left the process ends, to be started again.

use crate::{
    eventually,
    fail_points::FailPoints,
    support::{
        client::{login, nth},
        metrics::Metrics,
        server::{CHEAP, Deployment, STAYS_WEAK},
    },
};

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

const STUCK: &str = "a password core does not come to the end of a hash";

#[test]
fn hash_that_panics_costs_one_answer() {
    let (deployment, points) = (Deployment::new(), FailPoints::new());
    let server = points.serve(&deployment, &[CHEAP, &[STAYS_WEAK, "cores.password_cores=1"]].concat());
    let mut client = server.connect();
    client.register_many(1);
    for panicked in 1..=3 {
        points.arm("hash", "panic");
        let reply = client.login(&nth(0));
        assert_eq!((reply.status, reply.keeps_alive()), (503, true), "{reply:?}");
        assert_eq!(client.login(&nth(0)).status, 200, "the core goes on");
        let hashes = Metrics::of(&server).sum("jeday_password_hashes_total", &[("result", "panicked")]);
        assert_eq!(hashes, f64::from(panicked));
    }
    server.stop();
}

#[test]
fn others_go_on_beside_a_core_that_is_stuck() {
    let (deployment, points) = (Deployment::new(), FailPoints::new());
    let cores = ["cores.request_shards=1", "cores.password_cores=2", "hardening.login_deadline=1s"];
    let server = points.serve(&deployment, &[CHEAP, &[STAYS_WEAK], &cores].concat());
    let mut client = server.connect();
    client.register_many(1);
    points.arm("hash", "stall");
    let mut waiting = server.connect();
    waiting.send(login(&nth(0)));
    points.await_failure("hash");
    for _ in 0..20 {
        assert_eq!(client.login(&nth(0)).status, 200);
    }
    let record = server.await_log(STUCK);
    assert_eq!((&record["level"], &record["left"]), (&"ERROR".into(), &1.into()), "{record}");
    let reply = waiting.reply();
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.field("Retry-After").is_some(), "{reply:?}");
    Metrics::once(&server, "it is counted", |metrics| metrics.sum("jeday_password_cores_stuck", &[]) == 1.0);
    let health = client.get("/health");
    assert_eq!((health.status, &health.json()["checks"]["password_cores"]), (200, &"some stuck".into()));
    for _ in 0..20 {
        assert_eq!(client.login(&nth(0)).status, 200);
    }
    // It does not keep the process from ending in order.
    let log = server.stop();
    assert!(log.contains("a hash has not come to its end"), "{log}");
}

#[test]
fn process_without_a_core_that_works_answers_everybody_and_ends() {
    let (deployment, points) = (Deployment::new(), FailPoints::new());
    let mut server = points.serve(&deployment, &[CHEAP, &[STAYS_WEAK, "cores.password_cores=1"]].concat());
    server.connect().register_many(1);
    points.arm("hash", "stall");
    let mut waiting: Vec<_> = (0..10).map(|_| server.connect()).collect();
    for client in &mut waiting {
        client.send(login(&nth(0)));
    }
    points.await_failure("hash");
    let mut client = server.connect();
    let tokenless = client.get("/auth/me");
    assert_eq!(tokenless.status, 401, "what needs no hash is served");
    server.await_log(STUCK);
    // The process may end at any moment from here on.
    eventually("nobody new is kept waiting", || {
        health(server.address()).is_none_or(|reply| reply.starts_with("HTTP/1.1 503 "))
    });
    for client in &mut waiting {
        let reply = client.reply();
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(reply.field("Retry-After").is_some(), "{reply:?}");
    }
    let status = server.wait();
    assert_eq!(status.code(), Some(70), "{status}: {}", server.log());
    assert!(server.log().contains("no password core of group 0 comes to the end of a hash"), "{}", server.log());
}

/// What the server says of its health, unless it is gone or goes meanwhile.
fn health(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").ok()?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).ok().filter(|length| *length > 0)?;
    Some(reply)
}
