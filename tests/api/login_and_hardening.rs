//! A password is the same before, while and after its record is hardened, and a changed one is another at once.

use crate::support::{
    client::login,
    metrics::Metrics,
    postgres::TestCluster,
    server::{Deployment, PATIENCE, STAYS_WEAK, Server},
    session::Session,
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Hardening by login alone: what a test wants to find weak stays so.
const NO_BACKGROUND: &[&str] = &[STAYS_WEAK];

fn record(deployment: &Deployment<'_>, email: &str) -> String {
    deployment.sql(&format!("SELECT password_hash FROM users WHERE email = '{email}'"))
}

/// Waits until no record is weak and none is queued.
fn await_hardened(deployment: &Deployment<'_>) {
    let until = Instant::now() + PATIENCE;
    while deployment.weak() > 0 {
        assert!(Instant::now() < until, "still weak: {}", deployment.sql("SELECT id, password_hash FROM users"));
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn login_works_before_and_after_hardening() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(NO_BACKGROUND);
    let mut client = server.connect();
    client.register("ada@example.com");
    assert!(record(&deployment, "ada@example.com").starts_with("$hmac-sha256$"));
    assert_eq!(client.login_with("ada@example.com", "wrong horse").status, 401);
    assert!(record(&deployment, "ada@example.com").starts_with("$hmac-sha256$"), "hardened for the wrong password");
    assert_eq!(client.login("ada@example.com").status, 200);
    await_hardened(&deployment);
    let hardened = record(&deployment, "ada@example.com");
    assert!(hardened.starts_with("$argon2id$v=19$m=65536,t=1,p=4,keyid="), "{hardened}");
    assert_eq!(client.login("ada@example.com").status, 200);
    assert_eq!(client.login_with("ada@example.com", "wrong horse").status, 401);
    assert_eq!(record(&deployment, "ada@example.com"), hardened);
}

#[test]
fn new_users_are_hardened_through_memory() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    for number in 0..8 {
        assert_eq!(client.register(&format!("user{number}@example.com")).status, 201);
    }
    await_hardened(&deployment);
    for number in 0..8 {
        assert_eq!(client.login(&format!("user{number}@example.com")).status, 200);
    }
}

#[test]
fn what_another_server_left_weak_is_hardened_from_the_queue() {
    let deployment = Deployment::new();
    let first = deployment.serve_with(NO_BACKGROUND);
    let mut client = first.connect();
    for number in 0..8 {
        assert_eq!(client.register(&format!("user{number}@example.com")).status, 201);
    }
    deployment.make_claimable();
    let (_second, _third) = (deployment.serve_with(FAST), deployment.serve_with(FAST));
    await_hardened(&deployment);
    for number in 0..8 {
        assert_eq!(client.login(&format!("user{number}@example.com")).status, 200);
    }
}

/// The queue is looked at often.
const FAST: &[&str] = &["hardening.worker_interval=50ms"];

#[test]
fn records_that_nobody_can_read_hold_up_none_behind_them() {
    let deployment = Deployment::new();
    let first = deployment.serve_with(NO_BACKGROUND);
    let mut client = first.connect();
    for number in 0..4 {
        assert_eq!(client.register(&format!("user{number}@example.com")).status, 201);
    }
    deployment.sql("UPDATE users SET password_hash = '$hmac-sha256$damaged' WHERE email <> 'user3@example.com'");
    deployment.make_claimable();
    let second = deployment.serve_with(&[FAST[0], "hardening.claim_size=2"]);
    Metrics::once(&second, "it was hardened", |_| record(&deployment, "user3@example.com").starts_with("$argon2id$"));
    Metrics::once(&second, "all have left", |_| deployment.sql("SELECT count(*) FROM password_upgrade_queue") == "0");
    assert_eq!(record(&deployment, "user0@example.com"), "$hmac-sha256$damaged");
}

#[test]
fn claim_is_let_go_when_password_cores_have_no_time_for_it() {
    let deployment = Deployment::new();
    let first = deployment.serve_with(NO_BACKGROUND);
    let slow = ["cores.request_shards=1", "cores.password_cores=1", "hardening.passes=64"];
    let patient = ["hardening.login_deadline=60s", "database.deadline=1s"];
    let second = deployment.serve_with(&[&slow[..], &patient, FAST].concat());
    // Keeps the foreground busy for longer than any claim is held.
    let busy: Vec<_> = (0..30)
        .map(|number| {
            let mut client = second.connect();
            client.send(login(&format!("user{number}@example.com")));
            client
        })
        .collect();
    first.connect().register("ada@example.com");
    deployment.make_claimable();
    let of_this = format!("FROM pg_stat_activity WHERE datname = '{}'", deployment.database());
    let held = format!("SELECT pid {of_this} AND state = 'idle in transaction' AND now() - xact_start > '1 s'");
    Metrics::once(&second, "it is claimed", |_| !deployment.sql(&held).is_empty());
    let claimer = deployment.sql(&held);
    Metrics::once(&second, "it is let go", |_| deployment.sql(&held).is_empty());
    let alive = deployment.sql(&format!("SELECT count(*) {of_this} AND pid = {claimer}"));
    assert_eq!(alive, "1", "let go, and not taken away: {}", second.log());
    assert!(record(&deployment, "ada@example.com").starts_with("$hmac-sha256$"), "nobody had time for it");
    drop(busy);
}

#[test]
fn password_changed_while_a_login_is_under_way_is_checked_again() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(NO_BACKGROUND);
    let mut client = server.connect();
    client.register("ada@example.com");
    client.register("bob@example.com");
    // Somebody else's record is a new password here: records are not bound to their user.
    deployment.sql("UPDATE users SET password_hash = NULL WHERE email = 'bob@example.com'");
    let mut session = Session::open(TestCluster::shared(), deployment.database());
    session.run("BEGIN");
    session.run("SELECT 1 FROM users WHERE email = 'ada@example.com' FOR UPDATE");
    client.send(login("ada@example.com"));
    await_start(&server);
    session.run("UPDATE users SET password_hash = NULL WHERE email = 'ada@example.com'");
    session.run("COMMIT");
    assert_eq!(client.reply().problem(), (401, "invalid_credentials".to_owned()));
    assert_eq!(deployment.sql("SELECT count(*) FROM sessions"), "0");
}

#[test]
fn hardening_while_a_login_is_under_way_does_not_disturb_it() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(NO_BACKGROUND);
    let mut client = server.connect();
    client.register("ada@example.com");
    assert_eq!(client.login("ada@example.com").status, 200);
    await_hardened(&deployment);
    let hardened = record(&deployment, "ada@example.com");
    // Weak again: the digest is gone, but not the salt, by which a login knows the password it has checked.
    let mut session = Session::open(TestCluster::shared(), deployment.database());
    session.run("BEGIN");
    session.run("SELECT 1 FROM users WHERE email = 'ada@example.com' FOR UPDATE");
    client.send(login("ada@example.com"));
    await_starts(&server, 2.0);
    let other = hardened.replace("m=65536,t=1", "m=65536,t=2");
    session.run(&format!("UPDATE users SET password_hash = '{other}' WHERE email = 'ada@example.com'"));
    session.run("COMMIT");
    assert_eq!(client.reply().status, 200);
}

fn await_start(server: &Server) {
    await_starts(server, 1.0);
}

/// Waits until so many logins have been on their way to the database.
fn await_starts(server: &Server, count: f64) {
    Metrics::once(server, "the session is being started", |metrics| {
        metrics.sum("jeday_batch_size_items_sum", &[("statement", "start_session")]) >= count
    });
}

#[test]
fn user_under_an_older_pepper_logs_in_and_moves_to_the_newest() {
    let deployment = Deployment::new();
    let before = deployment.serve_with(NO_BACKGROUND);
    before.connect().register("weak@example.com");
    before.connect().new_session("hard@example.com");
    Metrics::once(&before, "the login has hardened it", |_| {
        record(&deployment, "hard@example.com").starts_with("$argon2id$")
    });
    before.stop();
    let old = [record(&deployment, "weak@example.com"), record(&deployment, "hard@example.com")];
    let rotated = deployment.jeday(["keygen", "--rotate", "pepper"]).output().unwrap();
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    let after = deployment.serve_with(NO_BACKGROUND);
    for (email, old) in ["weak@example.com", "hard@example.com"].into_iter().zip(old) {
        assert_eq!(after.connect().login(email).status, 200, "{email}");
        let keys = std::fs::read_to_string(deployment.key_file()).unwrap();
        assert_eq!(keys.lines().filter(|line| line.starts_with("pepper")).count(), 2);
        let salt = |record: &str| record.rsplit('$').nth(1).unwrap().to_owned();
        Metrics::once(&after, "it has moved to the newest pepper", |_| {
            let now = record(&deployment, email);
            now.starts_with("$argon2id$") && salt(&now) != salt(&old)
        });
        assert_eq!(after.connect().login(email).status, 200, "{email}");
    }
}

#[test]
fn record_with_other_parameters_is_hashed_anew_at_the_next_login() {
    let deployment = Deployment::new();
    let small = ["hardening.preset=owasp-7m", STAYS_WEAK];
    let first = deployment.serve_with(&small);
    first.connect().new_session("ada@example.com");
    Metrics::once(&first, "hardened", |_| record(&deployment, "ada@example.com").contains("$m=7168,t=5,p=1"));
    first.stop();
    let second = deployment.serve_with(NO_BACKGROUND);
    assert_eq!(second.connect().login("ada@example.com").status, 200);
    Metrics::once(&second, "hashed anew", |_| record(&deployment, "ada@example.com").contains("$m=65536,t=1,p=4"));
    assert_eq!(second.connect().login("ada@example.com").status, 200);
    assert_eq!(second.connect().login_with("ada@example.com", "wrong horse").status, 401);
}
