//! Floods of wrong passwords, of registrations with one address and of refresh tokens that are none, all at once: who
//! behaves is served as if nothing were, and no more guesses get through than are allowed.

use crate::{
    rounds,
    support::{
        client::{Client, PASSWORD, Reply, user},
        metrics::Metrics,
        server::{CHEAP, Deployment, STAYS_WEAK, Server},
        set_on_drop::SetOnDrop,
    },
    turn,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Clients of each flood.
const FLOODING: usize = 3;
const FREE_GUESSES: u64 = 10;
const PAUSE: Duration = Duration::from_millis(2);

fn post_from(client: &mut Client, address: &str, path: &str, body: &Value) -> Reply {
    let fields = [("Content-Type", "application/json"), ("X-Forwarded-For", address)];
    client.request("POST", path, &fields, body.to_string().as_bytes())
}

fn login_from(client: &mut Client, address: &str, email: &str, password: &str) -> Reply {
    post_from(client, address, "/auth/login", &json!({ "email": email, "password": password }))
}

/// Asks again and again, until it is enough; how often each status came.
fn flood(server: &Server, enough: &AtomicBool, ask: impl Fn(&mut Client, u64) -> Reply) -> BTreeMap<u16, u64> {
    let mut client = server.connect();
    let mut statuses = BTreeMap::new();
    for number in 0.. {
        let reply = ask(&mut client, number);
        *statuses.entry(reply.status).or_default() += 1;
        if !reply.keeps_alive() {
            client = server.connect();
        }
        if enough.load(Ordering::Relaxed) {
            break;
        }
        // The machine is shared with the database, and whoever comes by a proxy is not made to wait.
        thread::sleep(PAUSE);
    }
    statuses
}

/// What somebody does who has nothing to do with it.
fn behave(server: &Server, round: usize) {
    let address = "198.51.100.7";
    let mut client = server.connect();
    let email = format!("polite-{round}@example.com");
    let reply = client.post(&user(&email));
    assert_eq!(reply.status, 201, "{} {}", reply.text(), server.log());
    let served = |reply: Reply, status: u16| {
        assert_eq!(reply.status, status, "{} {}", reply.text(), server.log());
        reply
    };
    let tokens = served(login_from(&mut client, address, &email, PASSWORD), 200).tokens();
    let tokens = served(client.refresh(&tokens.refresh), 200).tokens();
    served(client.authorized("GET", "/auth/me", &tokens.access), 200);
    served(client.authorized("POST", "/auth/logout", &tokens.access), 204);
}

#[test]
fn floods_disturb_nobody_and_get_no_more_than_they_may() {
    let _turn = turn();
    let deployment = Deployment::new();
    let free = format!("limits.login_failures_per_account={FREE_GUESSES}");
    // Not about how long the disk of a busy machine takes for a commit.
    let deadline = "database.deadline=30s";
    let settings = ["server.trusted_proxies=127.0.0.1", "hardening.queue_max=64", deadline, &free, STAYS_WEAK];
    let server = deployment.serve_with(&[CHEAP, &settings].concat());
    assert_eq!(server.connect().register("victim@example.com").status, 201);
    let token = server.connect().new_session("holder@example.com").refresh;
    let enough = AtomicBool::new(false);
    let rounds = rounds(40, 400);
    let began = Instant::now();
    let floods = thread::scope(|scope| {
        let (server, enough, token) = (&server, &enough, &token);
        let mut flooding = Vec::new();
        for number in 0..FLOODING {
            let of_one_account = move |client: &mut Client, turn: u64| {
                let address = format!("203.0.{number}.{}", turn % 250);
                login_from(client, &address, "victim@example.com", "guess")
            };
            let of_many_accounts = move |client: &mut Client, turn: u64| {
                login_from(client, "203.0.113.1", &format!("{number}-{turn}@example.com"), "guess")
            };
            let one_address = |client: &mut Client, _: u64| client.register("contested@example.com");
            let no_tokens = move |client: &mut Client, turn: u64| {
                // One letter of the secret is wrong.
                let at = token.len() - 1 - (turn % 20) as usize;
                let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
                client.refresh(&format!("{}{other}{}", &token[..at], &token[at + 1..]))
            };
            flooding.push(("one account", scope.spawn(move || flood(server, enough, of_one_account))));
            flooding.push(("many accounts", scope.spawn(move || flood(server, enough, of_many_accounts))));
            flooding.push(("one address", scope.spawn(move || flood(server, enough, one_address))));
            flooding.push(("no tokens", scope.spawn(move || flood(server, enough, no_tokens))));
        }
        let ends = SetOnDrop(enough);
        (0..rounds).for_each(|round| behave(server, round));
        drop(ends);
        let mut floods: BTreeMap<&str, BTreeMap<u16, u64>> = BTreeMap::new();
        for (name, one) in flooding {
            for (status, count) in one.join().unwrap() {
                *floods.entry(name).or_default().entry(status).or_default() += count;
            }
        }
        floods
    });
    let seconds = began.elapsed().as_secs();
    eprintln!("in {seconds} s, beside {rounds} who were all served: {floods:?}");
    let count = |name: &str, status: u16| floods[name].get(&status).copied().unwrap_or(0);
    let only = |name: &str, allowed: &[u16]| {
        assert!(floods[name].keys().all(|status| allowed.contains(status)), "{name}: {:?}", floods[name]);
    };
    // Each further guess waits for twice as long as the one before, from one second on.
    let more = u64::from((seconds + 1).ilog2()) + 1;
    only("one account", &[401, 429]);
    let guesses = count("one account", 401);
    assert!((FREE_GUESSES..=FREE_GUESSES + more).contains(&guesses), "{guesses} guesses in {seconds} s");
    only("many accounts", &[401, 429, 503]);
    only("one address", &[201, 409]);
    assert_eq!(count("one address", 201), 1);
    only("no tokens", &[401]);
    assert_eq!(deployment.sql("SELECT count(*) FROM users WHERE email = 'contested@example.com'"), "1");
    // A token that was not issued here is not even looked up, and costs its session nothing.
    let rotations = Metrics::of(&server).sum("jeday_batch_size_items_sum", &[("statement", "rotate_session")]);
    assert_eq!(rotations, rounds as f64);
    assert_eq!(server.connect().refresh(&token).status, 200);
    server.stop();
}
