//! A password core that panics or never comes to the end of a hash: whoever waits is answered, the others are served by
//! the cores that are left and by one that takes its place; when no more may, the process ends, to be started again.

use crate::{
    eventually,
    fail_points::FailPoints,
    support::{
        client::{Client, Reply, login, nth, request},
        metrics::Metrics,
        server::{CHEAP, Deployment, STAYS_WEAK, Server},
    },
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
    let cores = ["cores.request_shards=1", "cores.password_cores=2"];
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
    assert_refused(&waiting.reply());
    for _ in 0..20 {
        assert_eq!(client.login(&nth(0)).status, 200);
    }
    // It does not keep the process from ending in order.
    let log = server.stop();
    assert!(log.contains("a hash has not come to its end"), "{log}");
}

#[test]
fn core_that_is_stuck_is_replaced_by_another() {
    for how in ["stall", "spin"] {
        let (deployment, points) = (Deployment::new(), FailPoints::new());
        let server = points.serve(&deployment, &[CHEAP, &[STAYS_WEAK, "cores.password_cores=1"]].concat());
        let mut client = server.connect();
        client.register_many(1);
        let mut waiting = stick(&server, &points, how, 4);
        let record = server.await_log(STUCK);
        assert_eq!((&record["left"], &record["replaced"]), (&0.into(), &true.into()), "{record}");
        server.await_log("another password core has taken the place of one that is stuck");
        assert_refused(&waiting.remove(0).reply());
        for client in &mut waiting {
            let reply = client.reply();
            assert!([200, 503].contains(&reply.status), "{reply:?}");
        }
        let metrics = Metrics::of(&server);
        assert_eq!(metrics.sum("jeday_password_cores_replaced_total", &[]), 1.0);
        assert_eq!(metrics.sum("jeday_password_cores_stuck", &[]), 0.0);
        let health = client.get("/health");
        assert_eq!((health.status, &health.json()["checks"]["password_cores"]), (200, &"ok".into()));
        for _ in 0..20 {
            assert_eq!(client.login(&nth(0)).status, 200);
        }
        server.stop();
    }
}

#[test]
fn process_without_a_core_that_works_answers_everybody_and_ends() {
    let (deployment, points) = (Deployment::new(), FailPoints::new());
    let mut server = points.serve(&deployment, &[CHEAP, &[STAYS_WEAK, "cores.password_cores=1"]].concat());
    server.connect().register_many(1);
    // The one that takes its place, and after which there is no other.
    stick(&server, &points, "stall", 1);
    server.await_log("another password core has taken the place of one that is stuck");
    let mut waiting = stick(&server, &points, "stall", 10);
    let mut client = server.connect();
    let tokenless = client.get("/auth/me");
    assert_eq!(tokenless.status, 401, "what needs no hash is served");
    // The process may end at any moment from here on.
    let health = request("GET", "/health", &[], b"");
    eventually("nobody new is kept waiting", || {
        let reply = Client::try_connect(server.address()).and_then(|mut client| client.try_exchange(&health));
        reply.is_none_or(|reply| reply.status == 503)
    });
    for client in &mut waiting {
        assert_refused(&client.reply());
    }
    let status = server.wait();
    assert_eq!(status.code(), Some(70), "{status}: {}", server.log());
    assert!(server.log().contains("no password core of group 0 comes to the end of a hash"), "{}", server.log());
    assert_eq!(server.log().matches(STUCK).count(), 2, "{}", server.log());
}

/// So many logins, of which the first is stuck in its hash by the time that the others come.
fn stick(server: &Server, points: &FailPoints, how: &str, logins: usize) -> Vec<Client> {
    points.arm("hash", how);
    let mut waiting: Vec<_> = (0..logins).map(|_| server.connect()).collect();
    for (number, client) in waiting.iter_mut().enumerate() {
        client.send(login(&nth(0)));
        if number == 0 {
            points.await_failure("hash");
        }
    }
    waiting
}

fn assert_refused(reply: &Reply) {
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.field("Retry-After").is_some(), "{reply:?}");
}
