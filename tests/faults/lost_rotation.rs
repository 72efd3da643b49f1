//! A refresh token is exchanged, and the word of it is lost on the way: the client that tries again with the same token
//! gets the successor, and nobody is taken for a thief.

use crate::{
    eventually,
    proxy::Proxy,
    support::{
        client::{Client, Reply, Tokens, request},
        postgres::TestCluster,
        server::{CHEAP, Deployment, Server},
        session::Session,
    },
    turn,
};
use rustix::process::Signal;
use serde_json::json;

/// The longest grace: what is looked at is not how fast this machine is.
const GRACE: &str = "tokens.refresh_grace=60s";

fn send_refresh(client: &mut Client, tokens: &Tokens) {
    let body = json!({ "refresh_token": tokens.refresh }).to_string();
    client.send(request("POST", "/auth/refresh", &[("Content-Type", "application/json")], body.as_bytes()));
}

/// Keeps every session from being changed, until it is released.
fn hold_sessions(deployment: &Deployment<'_>) -> Session {
    let mut session = Session::open(TestCluster::shared(), deployment.database());
    session.run("BEGIN; SELECT 1 FROM sessions FOR UPDATE");
    session
}

/// Waits until a rotation has reached the database.
fn await_arrival(deployment: &Deployment<'_>) {
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("the rotation waits for the lock", || deployment.sql(waits) != "0");
}

fn generation(deployment: &Deployment<'_>) -> String {
    deployment.sql("SELECT generation FROM sessions")
}

/// The first token again, as a client sends it that has got no answer, and what comes of it.
fn check_retry(server: &Server, deployment: &Deployment<'_>, first: &Tokens) {
    let mut client = server.connect();
    let retry = |client: &mut Client| {
        let mut last: Option<Reply> = None;
        eventually("the retry is answered", || {
            let reply = client.refresh(&first.refresh);
            assert!([200, 503].contains(&reply.status), "{reply:?}");
            last.insert(reply).status == 200
        });
        last.unwrap().tokens()
    };
    let second = retry(&mut client);
    assert_eq!(retry(&mut client).refresh, second.refresh);
    assert_eq!(generation(deployment), "1");
    assert_eq!(client.authorized("GET", "/auth/me", &second.access).status, 200);
    let third = client.refresh(&second.refresh).tokens();
    assert_ne!(third.refresh, second.refresh);
    assert_eq!(generation(deployment), "2");
}

#[test]
fn server_killed_between_commit_and_reply_costs_no_session() {
    let _turn = turn();
    let deployment = Deployment::new();
    let settings = [CHEAP, &[GRACE]].concat();
    let mut server = deployment.serve_with(&settings);
    let first = server.connect().new_session("ada@example.com");
    let mut held = hold_sessions(&deployment);
    let mut client = server.connect();
    send_refresh(&mut client, &first);
    await_arrival(&deployment);
    server.signal(Signal::KILL);
    server.wait();
    // The database goes on with a statement whose client is gone.
    held.release();
    eventually("it is committed", || generation(&deployment) == "1");
    check_retry(&deployment.serve_with(&settings), &deployment, &first);
}

#[test]
fn reply_of_the_database_that_is_lost_costs_no_session() {
    let _turn = turn();
    let deployment = Deployment::new();
    let proxy = Proxy::start(TestCluster::shared().port());
    let url = format!("postgres://postgres@{}/{}?sslmode=disable", proxy.address, deployment.database());
    let settings = [CHEAP, &[GRACE, "database.deadline=1s", "database.connect_timeout=500ms"]].concat();
    let settings = settings.iter().flat_map(|text| ["--set", text]);
    let mut command = deployment.jeday(["serve"].into_iter().chain(settings));
    let server = Server::start(command.env("DB_URL", url));
    let first = server.connect().new_session("ada@example.com");
    let mut held = hold_sessions(&deployment);
    let mut client = server.connect();
    send_refresh(&mut client, &first);
    await_arrival(&deployment);
    proxy.close(true);
    held.release();
    eventually("it is committed", || generation(&deployment) == "1");
    let reply = client.reply();
    assert_eq!(reply.status, 503, "nobody knows: {reply:?}");
    assert!(reply.field("Retry-After").is_some(), "{reply:?}");
    proxy.close(false);
    check_retry(&server, &deployment, &first);
    server.stop();
}
