//! Refresh tokens: each is good once, a lost reply costs nobody their session, and theft ends it.

use crate::support::{
    client::{Client, Tokens},
    metrics::Metrics,
    server::Deployment,
};
use std::collections::BTreeSet;
use std::thread;

#[test]
fn refresh_gives_a_new_pair_that_works() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let first = client.new_session("ada@example.com");
    let second = client.refresh(&first.refresh).tokens();
    assert_ne!(first.refresh, second.refresh);
    assert_ne!(first.access, second.access);
    assert_eq!(first.session(), second.session());
    assert_eq!(client.authorized("GET", "/auth/me", &second.access).status, 200);
    assert_eq!(client.authorized("GET", "/auth/me", &first.access).status, 200, "until it expires");
    assert_eq!(client.refresh(&second.refresh).status, 200);
}

#[test]
fn replaced_token_is_answered_with_the_same_successor_within_the_grace() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let first = client.new_session("ada@example.com");
    let second = client.refresh(&first.refresh).tokens();
    for _ in 0..3 {
        assert_eq!(client.refresh(&first.refresh).tokens().refresh, second.refresh);
    }
    assert_eq!(deployment.sql("SELECT generation FROM sessions"), "1");
}

#[test]
fn token_from_before_the_grace_is_theft_and_ends_the_session() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let first = client.new_session("ada@example.com");
    let second = client.refresh(&first.refresh).tokens();
    deployment.sql("UPDATE sessions SET rotated_at = rotated_at - interval '11 seconds'");
    assert_eq!(client.refresh(&first.refresh).problem(), (401, "refresh_token_reused".to_owned()));
    assert_eq!(
        deployment.sql("SELECT count(*) FROM sessions"),
        "0",
        "the end is committed though the answer is an error"
    );
    assert_eq!(client.refresh(&second.refresh).problem(), (401, "refresh_token_invalid".to_owned()));
    assert_eq!(client.authorized("GET", "/auth/me", &second.access).problem(), (401, "session_ended".to_owned()));
    let event = server.await_event("refresh_reused");
    assert_eq!(event["session"], first.session());
}

#[test]
fn token_two_generations_old_is_theft_at_once() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let first = client.new_session("ada@example.com");
    let second = client.refresh(&first.refresh).tokens();
    client.refresh(&second.refresh).tokens();
    assert_eq!(client.refresh(&first.refresh).problem(), (401, "refresh_token_reused".to_owned()));
}

#[test]
fn forged_tokens_learn_nothing_and_harm_nobody() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let tokens = client.new_session("ada@example.com");
    let parts: Vec<&str> = tokens.refresh.split('.').collect();
    let [session, generation, secret] = parts[..] else { panic!("{parts:?}") };
    let other = if secret.starts_with('A') { 'B' } else { 'A' };
    let forged = [
        String::new(),
        "x".repeat(10_000),
        session.to_owned(),
        format!("{session}.{generation}"),
        format!("{session}.{generation}.{other}{}", &secret[1..]),
        format!("{session}.1.{secret}"),
        format!("{session}.4294967296.{secret}"),
        format!("{session}.-1.{secret}"),
        format!("{session}.{generation}.{secret}="),
        format!("{session}.{generation}.{secret}.x"),
        format!("01890a5d-ac96-774b-bcce-b302099a8057.{generation}.{secret}"),
        format!("{session}.{generation}.\u{1f980}"),
    ];
    for token in forged {
        assert_eq!(client.refresh(&token).problem(), (401, "refresh_token_invalid".to_owned()), "{token}");
    }
    let rotations = [("statement", "rotate_session")];
    assert_eq!(Metrics::of(&server).sum("jeday_batch_size_items_sum", &rotations), 0.0, "none got to the database");
    assert_eq!(client.refresh(&tokens.refresh).status, 200);
    assert_eq!(Metrics::of(&server).sum("jeday_batch_size_items_sum", &rotations), 1.0);
}

#[test]
fn sessions_end_when_idle_and_at_their_absolute_limit() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["tokens.refresh_idle=1h", "tokens.refresh_absolute=2h"]);
    let mut client = server.connect();
    let tokens = client.new_session("ada@example.com");
    let left = "SELECT round(extract(epoch FROM expires_at - now()) / 60) FROM sessions";
    assert_eq!(deployment.sql(left), "60");
    // An hour and a half later it has been used, and what is left of its two hours is less than the idle limit.
    deployment.sql("UPDATE sessions SET created_at = created_at - interval '90 minutes'");
    let second = client.refresh(&tokens.refresh).tokens();
    assert_eq!(deployment.sql(left), "30");
    deployment.sql("UPDATE sessions SET expires_at = now() - interval '1 second'");
    assert_eq!(client.refresh(&second.refresh).problem(), (401, "refresh_token_invalid".to_owned()));
    assert_eq!(client.authorized("GET", "/auth/me", &second.access).problem(), (401, "session_ended".to_owned()));
}

#[test]
fn parallel_refreshes_over_two_servers_have_one_live_successor() {
    let deployment = Deployment::new();
    let servers = [deployment.serve(), deployment.serve()];
    let mut tokens = servers[0].connect().new_session("ada@example.com");
    for round in 0..10 {
        let clients: Vec<Client> = (0..16).map(|number| servers[number % 2].connect()).collect();
        let replies: Vec<Tokens> = thread::scope(|scope| {
            let tokens = &tokens;
            let asking: Vec<_> = (clients.into_iter())
                .map(|mut client| scope.spawn(move || client.refresh(&tokens.refresh).tokens()))
                .collect();
            asking.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let successors: BTreeSet<&str> = replies.iter().map(|tokens| tokens.refresh.as_str()).collect();
        assert_eq!(successors.len(), 1, "round {round}: {successors:?}");
        assert_eq!(deployment.sql("SELECT generation FROM sessions"), (round + 1).to_string());
        tokens = replies.into_iter().next().unwrap();
    }
}

#[test]
fn blocked_user_gets_no_new_tokens() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let tokens = client.new_session("ada@example.com");
    deployment.sql("UPDATE users SET status = 2");
    assert_eq!(client.refresh(&tokens.refresh).problem(), (403, "account_blocked".to_owned()));
    assert_eq!(client.authorized("GET", "/auth/me", &tokens.access).problem(), (403, "account_blocked".to_owned()));
}
