//! Where a user is logged in: listing sessions, ending one, this one or all.

use crate::support::{client::Client, server::Deployment};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn sessions(client: &mut Client, access: &str) -> Vec<Value> {
    let reply = client.authorized("GET", "/auth/sessions", access);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["sessions"].as_array().unwrap().clone()
}

fn login_as(client: &mut Client, agent: &str) -> crate::support::client::Tokens {
    let body = json!({ "email": "ada@example.com", "password": crate::support::client::PASSWORD }).to_string();
    let fields = [("Content-Type", "application/json"), ("User-Agent", agent)];
    client.request("POST", "/auth/login", &fields, body.as_bytes()).tokens()
}

#[test]
fn list_shows_each_session_and_which_is_the_current_one() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    client.register("ada@example.com");
    let phone = login_as(&mut client, "phone/1");
    let laptop = login_as(&mut client, "laptop/2");
    let listed = sessions(&mut client, &laptop.access);
    assert_eq!(listed.len(), 2);
    let members: BTreeSet<&str> = listed[0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["address", "created_at", "current", "expires_at", "id", "last_used_at", "user_agent"];
    assert_eq!(members, BTreeSet::from(expected));
    let seen: Vec<_> =
        listed.iter().map(|s| (s["id"].as_str(), s["user_agent"].as_str(), s["current"].as_bool())).collect();
    assert_eq!(
        seen,
        [(Some(laptop.session()), Some("laptop/2"), Some(true)), (Some(phone.session()), Some("phone/1"), Some(false))]
    );
    assert_eq!(listed[0]["address"], "127.0.0.1", "without a port");
}

#[test]
fn ended_session_is_over_for_both_of_its_tokens() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let phone = client.new_session("ada@example.com");
    let laptop = client.login("ada@example.com").tokens();
    let target = format!("/auth/sessions/{}", phone.session());
    let reply = client.authorized("DELETE", &target, &laptop.access);
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    assert_eq!(client.authorized("GET", "/auth/me", &phone.access).problem(), (401, "session_ended".to_owned()));
    assert_eq!(client.refresh(&phone.refresh).problem(), (401, "refresh_token_invalid".to_owned()));
    assert_eq!(client.authorized("GET", "/auth/me", &laptop.access).status, 200);
    assert_eq!(client.authorized("DELETE", &target, &laptop.access).problem(), (404, "session_not_found".to_owned()));
}

#[test]
fn user_who_is_blocked_sees_no_addresses_any_more() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let tokens = client.new_session("ada@example.com");
    deployment.sql("UPDATE users SET status = 2");
    let reply = client.authorized("GET", "/auth/sessions", &tokens.access);
    assert_eq!(reply.problem(), (403, "account_blocked".to_owned()));
    assert_eq!(client.authorized("POST", "/auth/logout", &tokens.access).status, 204, "but may leave");
}

#[test]
fn nobody_ends_the_session_of_another_user() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let ada = client.new_session("ada@example.com");
    let eve = client.new_session("eve@example.com");
    for id in [ada.session(), "01890a5d-ac96-774b-bcce-b302099a8057", "x", &"9".repeat(500)] {
        let reply = client.authorized("DELETE", &format!("/auth/sessions/{id}"), &eve.access);
        assert_eq!(reply.problem(), (404, "session_not_found".to_owned()), "{id}");
    }
    assert_eq!(client.authorized("GET", "/auth/me", &ada.access).status, 200);
}

#[test]
fn logout_ends_this_session_only() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let phone = client.new_session("ada@example.com");
    let laptop = client.login("ada@example.com").tokens();
    assert_eq!(client.authorized("POST", "/auth/logout", &phone.access).status, 204);
    for target in ["/auth/logout", "/auth/logout-all"] {
        let reply = client.authorized("POST", target, &phone.access);
        assert_eq!(reply.problem(), (401, "session_ended".to_owned()), "{target}");
    }
    assert_eq!(client.authorized("GET", "/auth/me", &laptop.access).status, 200);
    assert_eq!(sessions(&mut client, &laptop.access).len(), 1);
}

#[test]
fn logout_all_ends_every_session_of_this_user_only() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let ada = client.new_session("ada@example.com");
    let again = client.login("ada@example.com").tokens();
    let bob = client.new_session("bob@example.com");
    assert_eq!(client.authorized("POST", "/auth/logout-all", &ada.access).status, 204);
    for tokens in [&ada, &again] {
        assert_eq!(client.authorized("GET", "/auth/me", &tokens.access).problem(), (401, "session_ended".to_owned()));
        assert_eq!(client.refresh(&tokens.refresh).status, 401);
    }
    assert_eq!(client.authorized("GET", "/auth/me", &bob.access).status, 200);
}

#[test]
fn oldest_session_ends_when_there_are_too_many() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["tokens.sessions_per_user=3"]);
    let mut client = server.connect();
    let mut all = vec![client.new_session("ada@example.com")];
    for _ in 0..4 {
        all.push(client.login("ada@example.com").tokens());
    }
    let live: Vec<bool> =
        all.iter().map(|tokens| client.authorized("GET", "/auth/me", &tokens.access).status == 200).collect();
    assert_eq!(live, [false, false, true, true, true]);
}

#[test]
fn parallel_logins_of_one_user_keep_to_the_bound() {
    let deployment = Deployment::new();
    let servers = [
        deployment.serve_with(&["tokens.sessions_per_user=4"]),
        deployment.serve_with(&["tokens.sessions_per_user=4"]),
    ];
    servers[0].connect().register("ada@example.com");
    std::thread::scope(|scope| {
        for number in 0..16 {
            let mut client = servers[number % 2].connect();
            scope.spawn(move || client.login("ada@example.com").tokens());
        }
    });
    assert_eq!(deployment.sql("SELECT count(*) FROM sessions"), "4");
}

#[test]
fn long_user_agent_is_kept_in_part() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    client.register("ada@example.com");
    let tokens = login_as(&mut client, &"a".repeat(5_000));
    let agent = sessions(&mut client, &tokens.access)[0]["user_agent"].as_str().unwrap().to_owned();
    assert_eq!(agent, "a".repeat(256));
}

#[test]
fn forwarded_address_counts_only_behind_a_trusted_proxy() {
    let deployment = Deployment::new();
    let plain = deployment.serve();
    let proxied = deployment.serve_with(&["server.trusted_proxies=127.0.0.0/8"]);
    plain.connect().register("ada@example.com");
    let body = json!({ "email": "ada@example.com", "password": crate::support::client::PASSWORD }).to_string();
    for (server, fields, expected) in [
        (&plain, ("X-Forwarded-For", "203.0.113.9"), "127.0.0.1"),
        (&proxied, ("X-Forwarded-For", "198.51.100.1, 203.0.113.9"), "203.0.113.9"),
        (&proxied, ("Forwarded", "for=\"[2001:db8::7]:4711\";proto=https"), "2001:db8::7"),
        (&proxied, ("X-Forwarded-For", "nonsense"), "127.0.0.1"),
    ] {
        let mut client = server.connect();
        let tokens =
            client.request("POST", "/auth/login", &[("Content-Type", "application/json"), fields], body.as_bytes());
        let listed = sessions(&mut client, &tokens.tokens().access);
        assert_eq!(listed[0]["address"], expected, "{fields:?}");
    }
}
