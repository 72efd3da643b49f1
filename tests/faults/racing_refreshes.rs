//! The same refresh token at two servers at once, again and again: both get the same successor, which is the only one
//! that lives, and nobody is logged out or taken for a thief.

use crate::{
    rounds,
    support::{
        client::{Client, request},
        server::{CHEAP, Deployment},
    },
    turn,
};
use serde_json::json;

fn send_refresh(client: &mut Client, token: &str) {
    let body = json!({ "refresh_token": token }).to_string();
    client.send(request("POST", "/auth/refresh", &[("Content-Type", "application/json")], body.as_bytes()));
}

#[test]
fn one_successor_comes_of_a_token_that_two_servers_get_at_once() {
    let _turn = turn();
    let deployment = Deployment::new();
    let settings = [CHEAP, &["tokens.refresh_grace=60s", "database.deadline=60s"]].concat();
    let servers = [deployment.serve_with(&settings), deployment.serve_with(&settings)];
    let mut clients = servers.each_ref().map(|server| server.connect());
    let mut tokens = clients[0].new_session("ada@example.com");
    let rounds = rounds(150, 1000);
    for round in 0..rounds {
        let first = round % 2;
        send_refresh(&mut clients[first], &tokens.refresh);
        send_refresh(&mut clients[1 - first], &tokens.refresh);
        let [one, other] = clients.each_mut().map(|client| client.reply().tokens());
        assert_eq!(one.refresh, other.refresh, "round {round}");
        for (client, tokens) in clients.iter_mut().zip([&other, &one]) {
            assert_eq!(client.authorized("GET", "/auth/me", &tokens.access).status, 200, "round {round}");
        }
        tokens = one;
    }
    assert_eq!(deployment.sql("SELECT count(*) || ' ' || max(generation) FROM sessions"), format!("1 {rounds}"));
    for server in servers {
        let log = server.stop();
        assert!(!log.contains("refresh_reused"), "{log}");
    }
}
