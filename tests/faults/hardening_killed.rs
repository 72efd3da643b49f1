//! kill -9 of servers and workers while they harden, with claims under way and fresh records in memory, and several of
//! them at one queue: every record is written once, none is lost, and everybody can log in.

use crate::{
    eventually,
    fail_points::FailPoints,
    random, rounds, seed,
    support::{
        client::{Client, nth},
        metrics::Metrics,
        postgres::TestCluster,
        server::{CHEAP, Deployment, STAYS_WEAK, Server},
        session::Session,
    },
    turn,
};
use rustix::process::Signal;
use std::{thread, time::Duration};

/// Hashes of some milliseconds, so that there is a time in which to be killed, and a queue that is looked at often.
const BRIEF: &[&str] = &[
    "hardening.memory=8MiB",
    "hardening.passes=2",
    "hardening.lanes=1",
    "hardening.allow_weak_parameters=true",
    "hardening.worker_interval=20ms",
];

/// A deployment in which the database itself counts how often each record is written.
fn counting() -> Deployment<'static> {
    let deployment = Deployment::new();
    deployment.sql(
        "CREATE TABLE written (email text, age interval);
         CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO written VALUES (NEW.email, clock_timestamp() - NEW.created_at); RETURN NULL; END $$;
         CREATE TRIGGER count_it AFTER UPDATE OF password_hash ON users FOR EACH ROW
         WHEN (OLD.password_hash IS DISTINCT FROM NEW.password_hash) EXECUTE FUNCTION count_it()",
    );
    deployment
}

fn register_weak(deployment: &Deployment<'_>, users: usize) {
    let server = deployment.serve_with(&[CHEAP, &[STAYS_WEAK]].concat());
    server.connect().register_many(users);
    server.stop();
    deployment.make_claimable();
}

fn check(deployment: &Deployment<'_>, users: usize) {
    let count = |text: &str| deployment.sql(text).parse::<usize>().unwrap();
    assert_eq!(count("SELECT count(*) FROM users WHERE password_hash LIKE '$argon2id$%'"), users);
    assert_eq!(count("SELECT count(*) FROM password_upgrade_queue"), 0);
    assert_eq!(count("SELECT count(*) FROM written"), users, "each record is written once");
    assert_eq!(count("SELECT count(DISTINCT email) FROM written"), users);
}

fn log_everybody_in(client: &mut Client, emails: impl Iterator<Item = String>) {
    for email in emails {
        assert_eq!(client.login(&email).status, 200, "{email}");
    }
}

#[test]
fn everybody_is_hardened_once_although_the_server_is_killed_meanwhile() {
    let _turn = turn();
    let seed = seed();
    let deployment = counting();
    let users = 400;
    register_weak(&deployment, users);
    let mut fresh = Vec::new();
    for round in 0..5 {
        let mut server = deployment.serve_with(BRIEF);
        let before = deployment.weak();
        // Fresh ones go through memory while the queue is claimed from.
        let mut client = server.connect();
        for number in 0..8 {
            let email = format!("fresh-{round}-{number}@example.com");
            assert_eq!(client.register(&email).status, 201);
            fresh.push(email);
        }
        eventually("it hardens", || deployment.weak() < before);
        thread::sleep(Duration::from_micros(random(seed, round, 100_000)));
        server.signal(Signal::KILL);
        server.wait();
    }
    assert!(deployment.weak() > 0, "there was nothing left to lose");
    // Those who were in memory are in the queue as well, and old enough some seconds later.
    eventually("the claims of the dead are gone", || {
        let held = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = \
                    'client backend' AND pid <> pg_backend_pid()";
        deployment.sql(held) == "0"
    });
    deployment.make_claimable();
    let server = deployment.serve_with(BRIEF);
    eventually("nothing is left to harden", || deployment.weak() == 0);
    check(&deployment, users + fresh.len());
    log_everybody_in(&mut server.connect(), (0..users).map(nth).chain(fresh));
    server.stop();
}

#[test]
fn two_servers_and_a_worker_share_a_backlog() {
    let _turn = turn();
    let deployment = counting();
    let users = 600;
    register_weak(&deployment, users);
    let settings = [BRIEF, &["hardening.claim_size=20"]].concat();
    let all: [Server; 3] =
        [deployment.serve_with(&settings), deployment.serve_with(&settings), deployment.work_with(&settings)];
    eventually("nothing is left to harden", || deployment.weak() == 0);
    check(&deployment, users);
    let hashes: Vec<f64> = all
        .iter()
        .map(|server| {
            let metrics = Metrics::of(server);
            metrics.sum("jeday_password_hashes_total", &[("result", "done")])
                - metrics.sum("jeday_password_jobs_failed_total", &[("reason", "late")])
        })
        .collect();
    // A claim that is held for too long gives back what it has hashed; on a busy machine that may happen to one.
    let sum = hashes.iter().sum::<f64>();
    assert!((600.0..=660.0).contains(&sum), "{hashes:?} hashes for {users} users");
    log_everybody_in(&mut all[0].connect(), (0..users).map(nth));
    all.into_iter().for_each(|server| drop(server.stop()));
}

/// Has each of the workers die between claim and write-back.
fn die_before_they_write_back(points: &FailPoints, workers: [Server; 2]) {
    for _ in &workers {
        // Whichever of the two comes to it first.
        points.arm("write-back", "die");
        points.await_failure("write-back");
    }
    for mut worker in workers {
        assert!(!worker.wait().success());
    }
}

#[test]
fn two_workers_that_die_before_they_write_back_lose_nothing_and_do_nothing_twice() {
    let _turn = turn();
    let (deployment, points) = (counting(), FailPoints::new());
    let users = 300;
    register_weak(&deployment, users);
    let settings = [BRIEF, &["hardening.claim_size=10"]].concat();
    for _ in 0..rounds(2, 10) {
        let workers = [points.work(&deployment, &settings), points.work(&deployment, &settings)];
        die_before_they_write_back(&points, workers);
    }
    assert!(deployment.weak() > 0, "there was nothing left to lose");
    let survivors = [deployment.work_with(&settings), deployment.work_with(&settings)];
    eventually("nothing is left to harden", || deployment.weak() == 0);
    check(&deployment, users);
    survivors.into_iter().for_each(|worker| drop(worker.stop()));
}

#[test]
fn records_of_workers_that_die_are_hardened_before_they_are_as_old_as_is_configured() {
    let _turn = turn();
    let (deployment, points) = (counting(), FailPoints::new());
    let users = 200;
    let server = deployment.serve_with(&[CHEAP, &[STAYS_WEAK]].concat());
    server.connect().register_many(users);
    server.stop();
    let settings = [BRIEF, &["hardening.claim_size=5", "hardening.weak_age_max=1m"]].concat();
    let workers = [points.work(&deployment, &settings), points.work(&deployment, &settings)];
    // They are claimed when they are old enough, and not before.
    eventually("it hardens", || deployment.weak() < 2 * users);
    die_before_they_write_back(&points, workers);
    assert!(deployment.weak() > 0, "there was nothing left to lose");
    let survivor = deployment.work_with(&settings);
    eventually("nothing is left to harden", || deployment.weak() == 0);
    check(&deployment, users);
    survivor.stop();
    let oldest = deployment.sql("SELECT extract(epoch FROM max(age)) FROM written").parse::<f64>().unwrap();
    assert!((10.0..60.0).contains(&oldest), "{oldest} s");
    eprintln!("the oldest was hardened {oldest:.1} s after its registration");
}

#[test]
fn record_that_somebody_keeps_weak_is_told_of() {
    let deployment = Deployment::new();
    register_weak(&deployment, 3);
    let mut session = Session::open(TestCluster::shared(), deployment.database());
    session.run("BEGIN; SELECT user_id FROM password_upgrade_queue ORDER BY user_id LIMIT 1 FOR UPDATE");
    let worker = deployment.work_with(BRIEF);
    let record = worker.await_log("a password stays weak although password cores are free");
    assert_eq!((&record["level"], &record["weak"]), (&"WARN".into(), &1.into()), "{record}");
    Metrics::once(&worker, "it is shown", |metrics| metrics.sum("jeday_weak_passwords_overdue", &[]) == 1.0);
    session.release();
    eventually("nothing is left to harden", || deployment.weak() == 0);
    worker.stop();
}

#[test]
fn worker_killed_with_claims_leaves_them_to_the_next() {
    let _turn = turn();
    let deployment = counting();
    let users = 200;
    register_weak(&deployment, users);
    let mut first = deployment.work_with(BRIEF);
    eventually("it hardens", || deployment.weak() < 2 * users);
    first.signal(Signal::KILL);
    first.wait();
    let second = deployment.work_with(BRIEF);
    eventually("nothing is left to harden", || deployment.weak() == 0);
    check(&deployment, users);
    second.stop();
}
