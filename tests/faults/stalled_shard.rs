//! A shard that blocks or never yields: the watchdog finds it, says what it knows, and ends the process. A process that
//! was only stopped for a while, or drains for long, is left alone.

use crate::{
    fail_points::FailPoints,
    support::{
        client::{registration, request, user},
        metrics::Metrics,
        postgres::TestCluster,
        server::{Deployment, Server},
        session::Session,
    },
};
use rustix::process::Signal;
use std::{thread, time::Duration};

const STALLED: &str = "a shard shows no sign of life: the process ends, so that it can be started again";

/// Longer than a shard may be silent: what is looked at is time that goes by.
const LONGER_THAN_ALLOWED: Duration = Duration::from_secs(6);

fn check_end(mut server: Server) {
    let status = server.wait();
    assert_eq!(status.code(), Some(70), "{status}: {}", server.log());
    assert!(server.log().contains("shard 0 has shown no sign of life for 3 s"), "{}", server.log());
}

#[test]
fn shard_that_blocks_is_described_and_ends_the_process() {
    let deployment = Deployment::new();
    let points = FailPoints::new();
    let server = points.serve(&deployment, &["cores.request_shards=1"]);
    let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/health/live").status, 200);
    }
    points.arm("request", "stall");
    clients[0].send(request("GET", "/auth/me", &[], b""));
    points.await_failure("request");
    clients[1].send(request("GET", "/health/live", &[], b""));
    let record = server.await_log(STALLED);
    assert_eq!((&record["level"], &record["shard"], &record["silent_ms"]), (&"ERROR".into(), &0.into(), &3000.into()));
    assert_eq!(record["last_request"], "GET /auth/me");
    assert!(record["connections"].as_u64() >= Some(3), "{record}");
    assert!(record["queued"].is_u64() && record["thread_state"] == "S", "{record}");
    assert!(record["thread"].as_u64() > Some(0) && record["cpu"].is_u64(), "{record}");
    check_end(server);
    for mut client in clients {
        assert!(client.rest().is_empty(), "no false answer");
    }
}

#[test]
fn shard_that_never_yields_ends_the_process() {
    let deployment = Deployment::new();
    let points = FailPoints::new();
    let server = points.serve(&deployment, &["cores.request_shards=1"]);
    let mut client = server.connect();
    points.arm("request", "spin");
    client.send(request("GET", "/health/live", &[], b""));
    let record = server.await_log(STALLED);
    assert_eq!(record["thread_state"], "R", "{record}");
    check_end(server);
}

#[test]
fn process_that_was_stopped_for_a_while_goes_on() {
    let server = Deployment::new().serve();
    let mut client = server.connect();
    assert_eq!(client.register("before@example.com").status, 201);
    for round in 0..2 {
        server.signal(Signal::STOP);
        thread::sleep(LONGER_THAN_ALLOWED);
        server.signal(Signal::CONT);
        assert_eq!(client.register(&format!("after-{round}@example.com")).status, 201);
    }
    let log = server.stop();
    assert!(!log.contains(STALLED), "{log}");
}

#[test]
fn long_drain_is_no_stall() {
    let deployment = Deployment::new();
    let mut server = deployment.serve_with(&["database.deadline=60s"]);
    let mut session = Session::open(TestCluster::shared(), deployment.database());
    session.hold_registrations();
    let mut client = server.connect();
    client.send(registration(&[], &user("ada@example.com")));
    Metrics::await_sent(&server, 1);
    server.signal(Signal::TERM);
    thread::sleep(LONGER_THAN_ALLOWED);
    session.release();
    assert_eq!(client.reply().status, 201);
    let status = server.wait();
    assert!(status.success(), "{status}: {}", server.log());
}
