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

    client.login_with("eve@example.com", "wrong horse");
    server.await_event("login_failed");
    assert_eq!(client.login_with("eve@example.com", "wrong horse").status, 429);
    server.await_event("login_rate_limited");

    let second = client.login("ada@example.com").tokens();
    client.authorized("POST", "/auth/logout", &second.access);
    assert_eq!(server.await_event("session_ended")["session"], second.session());
    client.authorized("POST", "/auth/logout-all", &first.access);
    assert_eq!(server.await_event("sessions_ended")["user"], user["id"]);

    let log = server.stop();
    for secret in ["ada@example.com", "eve@example.com", PASSWORD, "wrong horse", &first.access, &first.refresh] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
