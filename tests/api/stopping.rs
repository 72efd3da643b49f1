//! Graceful stop: what is under way is committed and answered, nothing new is taken, and patience has an end.

use crate::support::{
    client::{Client, PASSWORD, registration, request, user},
    metrics::Metrics,
    postgres::TestCluster,
    server::{Deployment, PATIENCE, STAYS_WEAK, Server},
    session::Session,
};
use rustix::process::Signal;
use serde_json::json;
use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

const STOPPING: &str = "stopping: what is under way is answered; once more to end at once";

/// A server with a registration under way that waits for the database.
struct Busy {
    server: Server,
    client: Client,
    session: Session,
    deployment: Deployment<'static>,
}

impl Busy {
    fn start(settings: &[&str]) -> Busy {
        let deployment = Deployment::new();
        let server = deployment.serve_with(&[&["database.deadline=60s"], settings].concat());
        let mut session = Session::open(TestCluster::shared(), deployment.database());
        session.hold_registrations();
        let mut client = server.connect();
        client.send(registration(&[], &user("ada@example.com")));
        Metrics::await_sent(&server, 1);
        Busy { server, client, session, deployment }
    }
}

/// Waits until connections are refused.
fn await_refusal(address: SocketAddr) {
    let until = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
            _ => assert!(Instant::now() < until, "{address} still takes connections"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn requests_under_way_are_answered_before_the_end() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let mut busy = Busy::start(&[]);
        let (mut idle, mut queued) = (busy.server.connect(), busy.server.connect());
        assert_eq!(idle.get("/health/live").status, 200);
        // Two that lie in one connection: the first is answered, the second is not looked at any more.
        let both = [registration(&[], &user("eve@example.com")), registration(&[], &user("bob@example.com"))];
        queued.send(both.concat());
        Metrics::once(&busy.server, "both are in", |metrics| metrics.sum("jeday_batch_waiters", &[]) == 2.0);

        busy.server.signal(signal);
        assert_eq!(busy.server.await_log(STOPPING)["signal"], name);
        await_refusal(busy.server.address());
        await_refusal(busy.server.operator_address());
        idle.expect_end();
        busy.session.release();

        for client in [&mut busy.client, &mut queued] {
            let reply = client.reply();
            assert!(reply.status == 201 && !reply.keeps_alive(), "{name}: {reply:?}");
            client.expect_end();
        }
        let status = busy.server.wait();
        assert!(status.success(), "{name}: {status}: {}", busy.server.log());
        busy.server.await_log("stopped");
        let stored = busy.deployment.sql("SELECT string_agg(email, ' ' ORDER BY email) FROM users");
        assert_eq!(stored, "ada@example.com eve@example.com");
    }
}

#[test]
fn login_under_way_is_answered_and_its_hardening_stored() {
    let deployment = Deployment::new();
    let mut server =
        deployment.serve_with(&[STAYS_WEAK, "cores.request_shards=1", "cores.password_cores=1", "hardening.passes=64"]);
    let mut client = server.connect();
    client.register("ada@example.com");
    let body = json!({ "email": "ada@example.com", "password": PASSWORD }).to_string();
    client.send(request("POST", "/auth/login", &[("Content-Type", "application/json")], body.as_bytes()));
    let looked_up = [("statement", "find_credentials"), ("outcome", "found")];
    Metrics::once(&server, "it is hashed", |metrics| metrics.sum("jeday_batch_items_total", &looked_up) == 1.0);
    server.signal(Signal::TERM);
    let reply = client.reply();
    assert!(reply.status == 200 && !reply.keeps_alive(), "{reply:?}");
    let status = server.wait();
    assert!(status.success(), "{status}: {}", server.log());
    let hardened = deployment.sql("SELECT password_hash LIKE '$argon2id$%' FROM users");
    assert_eq!((hardened.as_str(), deployment.sql("SELECT count(*) FROM sessions").as_str()), ("t", "1"));
}

#[test]
fn request_whose_body_is_still_coming_is_answered() {
    let deployment = Deployment::new();
    let mut server = deployment.serve();
    let mut client = server.connect();
    let body = user("ada@example.com");
    let sent = registration(&[("Expect", "100-continue")], &body);
    let (head, body) = sent.split_at(sent.len() - body.len());
    client.send(head);
    client.take_continue();
    server.signal(Signal::TERM);
    await_refusal(server.address());
    client.send(body);
    let reply = client.reply();
    assert!(reply.status == 201 && !reply.keeps_alive(), "{reply:?}");
    assert!(server.wait().success());
}

#[test]
fn second_signal_ends_at_once() {
    let mut busy = Busy::start(&[]);
    busy.server.signal(Signal::TERM);
    busy.server.await_log(STOPPING);
    busy.server.signal(Signal::INT);
    let status = busy.server.wait();
    assert_eq!(status.code(), Some(1), "{status}");
    assert!(busy.server.log().contains("stopped at once by a second signal"), "{}", busy.server.log());
    assert!(busy.client.rest().is_empty(), "no false answer");
}

#[test]
fn drain_deadline_ends_the_wait() {
    let mut busy = Busy::start(&["server.drain_timeout=300ms"]);
    busy.server.signal(Signal::TERM);
    let status = busy.server.wait();
    assert_eq!(status.code(), Some(1), "{status}");
    let log = busy.server.log();
    assert!(log.contains("the drain deadline passed") && log.contains("server.drain_timeout"), "{log}");
    assert!(busy.client.rest().is_empty(), "no false answer");
}

#[test]
fn idle_server_stops_without_waiting_for_its_clients() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.drain_timeout=3600s", "server.idle_timeout=3600s"]);
    let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for client in clients.iter_mut().skip(10) {
        assert_eq!(client.get("/health/live").status, 200);
    }
    server.stop();
    for mut client in clients {
        client.expect_end();
    }
}

#[test]
fn no_connection_is_lost_between_accept_and_stop() {
    let deployment = Deployment::new();
    let mut server = deployment.serve();
    let mut clients: Vec<Client> = (0..40).map(|_| server.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(registration(&[], &user(&format!("user{number}@example.com"))));
    }
    server.signal(Signal::TERM);
    // All had been sent before the signal: each is answered truthfully or not at all.
    let answered = clients.iter_mut().map(|client| client.rest()).filter(|rest| rest.starts_with(b"HTTP/1.1 201 "));
    let answered = answered.count();
    assert!(server.wait().success());
    assert_eq!(answered, 40, "a request that was there before the signal is under way");
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "40");
}
