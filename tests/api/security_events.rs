//! What an operator's alarms are built on: events with stable names, and nothing secret in them.

use crate::support::{client::PASSWORD, server::Deployment};

#[test]
fn every_event_has_its_name_and_holds_no_secret() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["limits.login_failures_per_account=1"]);
    let mut client = server.connect();
    let first = client.new_session("ada@example.com");
    let user = client.authorized("GET", "/auth/me", &first.access).json();
    let event = server.await_event("login_succeeded");
    assert_eq!((&event["user"], event["session"].as_str()), (&user["id"], Some(first.session())));
    assert_eq!(event["address"], "127.0.0.1");

    let bob = client.register("bob@example.com").json();
    client.login_with("bob@example.com", "wrong horse");
    assert_eq!(server.await_event("login_failed")["user"], bob["id"], "who is guessed at");
    client.login_with("eve@example.com", "wrong horse");
    assert_eq!(client.login_with("eve@example.com", "wrong horse").status, 429);
    server.await_event("login_rate_limited");

    let second = client.login("ada@example.com").tokens();
    client.authorized("POST", "/auth/logout", &second.access);
    assert_eq!(server.await_event("session_ended")["session"], second.session());
    client.authorized("POST", "/auth/logout-all", &first.access);
    assert_eq!(server.await_event("sessions_ended")["user"], user["id"]);

    let log = server.stop();
    let failed = log.lines().filter(|line| line.contains("login_failed")).nth(1).unwrap();
    assert!(!failed.contains("\"user\""), "there is no such user: {failed}");
    for secret in [
        "ada@example.com",
        "bob@example.com",
        "eve@example.com",
        PASSWORD,
        "wrong horse",
        &first.access,
        &first.refresh,
    ] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[test]
fn exchanged_key_is_written_down_where_it_is_exchanged() {
    let deployment = Deployment::new();
    let output = deployment.jeday(["keygen", "--rotate", "refresh"]).output().unwrap();
    let event: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((&event["event"], &event["reason"]), (&"key_rotated".into(), &"refresh".into()));
    let listed = deployment.jeday(["keygen", "--list"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.lines().any(|line| line.contains(event["key"].as_str().unwrap())), "{listed}");
}
