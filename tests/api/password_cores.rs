//! Password cores under pressure: what is too much is told to come again, and everything else is served.

use crate::support::{
    client::{Client, PASSWORD, login, nth},
    metrics::Metrics,
    server::{CHEAP, Deployment, STAYS_WEAK, Server},
};
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// One hash at a time, each takes a while, and everybody may wait for it.
const SLOW: &[&str] = &[
    "cores.password_cores=1",
    "hardening.memory=256MiB",
    "hardening.passes=4",
    "hardening.login_deadline=60s",
    STAYS_WEAK,
];

/// Waits until so many logins wait behind one that is being hashed.
fn await_waiting(server: &Server, logins: usize) {
    Metrics::once(server, "one is hashed, the others wait", |metrics| {
        metrics.sum("jeday_password_jobs_waiting", &[("queue", "foreground")]) == logins as f64
    });
}

fn send_logins(server: &Server, emails: impl IntoIterator<Item = String>) -> Vec<Client> {
    let send = |email: String| {
        let mut client = server.connect();
        client.send(login(&email));
        client
    };
    emails.into_iter().map(send).collect()
}

#[test]
fn full_queue_is_told_when_to_come_again_and_the_others_are_served() {
    let deployment = Deployment::new();
    // With the parameters that a server has: each hash takes longer than all of them take to arrive.
    let server = deployment.serve_with(&["hardening.queue_max=1", "cores.password_cores=1", STAYS_WEAK]);
    let mut client = server.connect();
    client.register_many(40);
    let tokens = client.login(&nth(0)).tokens();
    let mut logins: Vec<Client> = (0..40).map(|_| server.connect()).collect();
    (0..).zip(&mut logins).for_each(|(number, client)| client.send(login(&nth(number))));
    assert_eq!(client.authorized("GET", "/auth/me", &tokens.access).status, 200, "what needs no hash is served");
    let mut served = 0;
    for mut client in logins {
        let reply = client.reply();
        if reply.status == 200 {
            served += 1;
            continue;
        }
        assert_eq!(reply.problem(), (503, "overloaded".to_owned()));
        let seconds: u64 = reply.field("Retry-After").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds) && reply.keeps_alive(), "{reply:?}");
    }
    assert!((1..40).contains(&served), "{served} of 40 were served");
    assert_eq!(deployment.sql("SELECT count(*) FROM sessions"), (1 + served).to_string());
    assert_eq!(client.login(&nth(0)).status, 200, "there is room again");
}

#[test]
fn client_that_leaves_while_its_password_is_hashed_harms_nobody() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(SLOW);
    server.connect().register_many(6);
    let left = send_logins(&server, (0..5).map(nth));
    await_waiting(&server, 4);
    drop(left);
    assert_eq!(server.connect().login(&nth(5)).status, 200, "who stays is served in turn");
    let metrics = Metrics::once(&server, "nobody waits, nobody is connected", |metrics| {
        metrics.sum("jeday_password_jobs_waiting", &[]) == 0.0
            && metrics.sum("jeday_batch_waiters", &[]) == 0.0
            && metrics.sum("jeday_connections_open", &[]) <= 1.0
    });
    // A hash that nobody waits for keeps its place to the end: leaving gives nobody more of them.
    assert_eq!(metrics.sum("jeday_password_hashes_total", &[("result", "done")]), 6.0);
    assert_eq!(metrics.sum("jeday_password_hashes_total", &[("result", "panicked")]), 0.0);
    assert_eq!(server.connect().login(&nth(0)).status, 200);
    server.stop();
}

#[test]
fn logins_under_way_are_answered_before_the_end() {
    let deployment = Deployment::new();
    let mut server = deployment.serve_with(SLOW);
    server.connect().register_many(4);
    let mut logins = send_logins(&server, (0..4).map(nth));
    await_waiting(&server, 3);
    server.signal(Signal::TERM);
    for client in &mut logins {
        let reply = client.reply();
        assert!(reply.status == 200 && !reply.keeps_alive(), "{reply:?}");
        client.expect_end();
    }
    assert!(server.wait().success(), "{}", server.log());
    assert_eq!(deployment.sql("SELECT count(*) FROM sessions"), "4");
    assert_eq!(deployment.weak(), 0, "what the logins have hardened was written back");
}

#[test]
fn login_does_not_wait_for_the_backlog() {
    let deployment = Deployment::new();
    let first = deployment.serve_with(&[CHEAP, &[STAYS_WEAK]].concat());
    let users = 1_000;
    first.connect().register_many(users);
    deployment.make_claimable();
    first.stop();
    let server = deployment.serve_with(&["hardening.worker_interval=50ms"]);
    let mut client = server.connect();
    let queued = || deployment.sql("SELECT count(*) FROM password_upgrade_queue").parse::<usize>().unwrap();
    Metrics::once(&server, "the backlog is being worked off", |metrics| {
        metrics.sum("jeday_password_hashes_total", &[("result", "done")]) >= 5.0
    });
    let mut times: Vec<Duration> = (0..11)
        .map(|number| {
            let began = Instant::now();
            // From the end of the queue, so that most are still weak.
            assert_eq!(client.login_with(&nth(users - 1 - number), PASSWORD).status, 200);
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    let left = queued();
    assert!(left > users / 4, "only {left} were left, which tells nothing");
    // Hundreds of hashes were before them; the median has waited for a few at most, on however busy a machine.
    assert!(times[5] < Duration::from_secs(1), "{times:?} while {left} waited");
}
