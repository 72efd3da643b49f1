//! Guessing passwords is slowed down, exactly and for whoever guesses; nobody locks anybody else out.

use crate::support::{
    client::{Client, PASSWORD, request},
    metrics::Metrics,
    server::{CHEAP, Deployment, Server},
};
use serde_json::json;
use std::thread;

fn serve(deployment: &Deployment<'_>, settings: &[&str]) -> Server {
    // Hashes that cost little: what counts here is how many are allowed.
    deployment.serve_with(&[CHEAP, &["server.trusted_proxies=127.0.0.1"], settings].concat())
}

fn login_from(client: &mut Client, address: &str, email: &str, password: &str) -> u16 {
    let body = json!({ "email": email, "password": password }).to_string();
    let fields = [("Content-Type", "application/json"), ("X-Forwarded-For", address)];
    let reply = client.request("POST", "/auth/login", &fields, body.as_bytes());
    if reply.status == 429 {
        assert_eq!(reply.code(), "rate_limited");
        let wait: u64 = reply.field("Retry-After").unwrap().parse().unwrap();
        assert!((1..=900).contains(&wait), "{wait}");
    }
    reply.status
}

#[test]
fn ten_parallel_guesses_are_allowed_and_no_more() {
    let deployment = Deployment::new();
    let server = serve(&deployment, &["limits.login_failures_per_account=10", "hardening.queue_max=1000"]);
    server.connect().register("ada@example.com");
    let mut statuses: Vec<u16> = thread::scope(|scope| {
        let guessing: Vec<_> = (0..40)
            .map(|number| {
                let mut client = server.connect();
                scope.spawn(move || login_from(&mut client, &format!("203.0.113.{number}"), "ada@example.com", "guess"))
            })
            .collect();
        guessing.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    assert_eq!((&statuses[..10], &statuses[10..]), (&[401; 10][..], &[429; 30][..]));
}

#[test]
fn guesses_of_clients_that_hang_up_are_counted_too() {
    let deployment = Deployment::new();
    let server = serve(&deployment, &["limits.login_failures_per_account=3"]);
    server.connect().register("ada@example.com");
    let body = json!({ "email": "ada@example.com", "password": "guess" }).to_string();
    for _ in 0..3 {
        let mut client = server.connect();
        client.send(request("POST", "/auth/login", &[("Content-Type", "application/json")], body.as_bytes()));
    }
    let failures = [("event", "login_failed")];
    Metrics::once(&server, "all were wrong", |page| page.sum("jeday_security_events_total", &failures) == 3.0);
    assert_eq!(login_from(&mut server.connect(), "203.0.113.1", "ada@example.com", "guess"), 429);
}

#[test]
fn guessing_locks_its_victim_out_of_no_address_it_uses() {
    let deployment = Deployment::new();
    let server = serve(&deployment, &["limits.login_failures_per_account=3"]);
    let mut client = server.connect();
    client.register("ada@example.com");
    assert_eq!(login_from(&mut client, "198.51.100.7", "ada@example.com", PASSWORD), 200);
    let guesses: Vec<u16> =
        (0..5).map(|_| login_from(&mut client, "203.0.113.1", "ada@example.com", "guess")).collect();
    assert_eq!(guesses, [401, 401, 401, 429, 429]);
    assert_eq!(login_from(&mut client, "203.0.113.2", "ada@example.com", PASSWORD), 429, "from anywhere new");
    assert_eq!(login_from(&mut client, "198.51.100.7", "ada@example.com", PASSWORD), 200, "from where she was before");
}

#[test]
fn one_address_guesses_at_many_accounts_only_so_often() {
    let deployment = Deployment::new();
    let server = serve(&deployment, &["limits.login_failures_per_address=4"]);
    let mut client = server.connect();
    let statuses: Vec<u16> = (0..6)
        .map(|number| login_from(&mut client, "203.0.113.1", &format!("user{number}@example.com"), "guess"))
        .collect();
    assert_eq!(statuses, [401, 401, 401, 401, 429, 429]);
    assert_eq!(login_from(&mut client, "203.0.113.2", "user0@example.com", "guess"), 401);
    // One household has one prefix (RFC 6177).
    let statuses: Vec<u16> = (0..6)
        .map(|number| {
            login_from(&mut client, &format!("2001:db8:0:1::{number}"), &format!("guest{number}@example.com"), "guess")
        })
        .collect();
    assert_eq!(statuses, [401, 401, 401, 401, 429, 429]);
}

#[test]
fn right_passwords_are_never_counted() {
    let deployment = Deployment::new();
    let limits = ["limits.login_failures_per_account=3", "limits.login_failures_per_address=3"];
    let server = serve(&deployment, &limits);
    let mut client = server.connect();
    client.register("ada@example.com");
    for _ in 0..20 {
        assert_eq!(login_from(&mut client, "203.0.113.1", "ada@example.com", PASSWORD), 200);
    }
}

#[test]
fn registrations_of_one_address_are_bounded_when_asked_for() {
    let deployment = Deployment::new();
    let server = serve(&deployment, &["limits.registrations_per_address=2"]);
    let mut client = server.connect();
    let statuses: Vec<u16> =
        (0..3).map(|number| client.register(&format!("user{number}@example.com")).status).collect();
    assert_eq!(statuses, [201, 201, 429]);
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "2");
}
