//! Logging in: what it answers, and that it tells nobody more than they know.

use crate::support::{client::PASSWORD, server::Deployment};
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn login_is_answered_with_both_tokens_and_the_user() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let user = client.register("ada@example.com").json();
    let reply = client.login("Ada@Example.com");
    assert_eq!((reply.status, reply.field("Cache-Control")), (200, Some("no-store")), "{reply:?}");
    assert!(reply.keeps_alive());
    let body = reply.json();
    let members: BTreeSet<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, BTreeSet::from(["access_token", "expires_in", "refresh_token", "token_type", "user"]));
    assert_eq!((body["token_type"].as_str(), body["expires_in"].as_u64()), (Some("Bearer"), Some(900)));
    assert_eq!(body["user"], user);
    assert!(body["access_token"].as_str().unwrap().starts_with("v4.local."));
}

#[test]
fn wrong_password_and_unknown_email_get_the_same_answer() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    client.register("ada@example.com");
    client.register("bare@example.com");
    deployment.sql("UPDATE users SET password_hash = NULL WHERE email = 'bare@example.com'");
    let answers: BTreeSet<String> =
        [("ada@example.com", "wrong horse"), ("nobody@example.com", PASSWORD), ("bare@example.com", PASSWORD)]
            .map(|(email, password)| {
                let reply = client.login_with(email, password);
                assert_eq!(reply.problem(), (401, "invalid_credentials".to_owned()), "{email}");
                assert_eq!(reply.field("WWW-Authenticate"), Some("Bearer"));
                let fields: Vec<_> = reply.fields.iter().filter(|(name, _)| name != "Date").collect();
                format!("{fields:?} {}", reply.text())
            })
            .into();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(deployment.sql("SELECT count(*) FROM sessions"), "0");
}

#[test]
fn every_kind_of_failure_costs_one_hash() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["hardening.background=off"]);
    let mut client = server.connect();
    client.register("ada@example.com");
    client.register("bare@example.com");
    deployment.sql("UPDATE users SET password_hash = NULL WHERE email = 'bare@example.com'");
    let hashes =
        || crate::support::metrics::Metrics::of(&server).sum("jeday_password_hashes_total", &[("result", "done")]);
    for email in ["ada@example.com", "nobody@example.com", "bare@example.com"] {
        let before = hashes();
        assert_eq!(client.login_with(email, "wrong horse").status, 401);
        assert_eq!(hashes() - before, 1.0, "{email}");
    }
}

#[test]
fn missing_members_are_all_told_at_once() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let reply = server.connect().post_json("/auth/login", &json!({}));
    assert_eq!(reply.problem(), (422, "invalid_fields".to_owned()));
    let errors = reply.json()["errors"].clone();
    let found: Vec<_> = errors.as_array().unwrap().iter().map(|error| (&error["field"], &error["code"])).collect();
    assert_eq!(found, [(&json!("email"), &json!("missing")), (&json!("password"), &json!("missing"))]);
}

#[test]
fn status_is_told_only_after_a_right_password() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    for (status, name) in [(2, "blocked"), (3, "deleted")] {
        let email = format!("{name}@example.com");
        client.register(&email);
        deployment.sql(&format!("UPDATE users SET status = {status} WHERE email = '{email}'"));
        assert_eq!(client.login_with(&email, "wrong horse").problem(), (401, "invalid_credentials".to_owned()));
        assert_eq!(client.login(&email).problem(), (403, format!("account_{name}")));
    }
    assert_eq!(deployment.sql("SELECT count(*) FROM sessions"), "0");
}

#[test]
fn pending_users_may_log_in_unless_told_otherwise() {
    let deployment = Deployment::new();
    let lenient = deployment.serve();
    let tokens = lenient.connect().new_session("ada@example.com");
    let strict = deployment.serve_with(&["login.allow_pending=false"]);
    let mut client = strict.connect();
    assert_eq!(client.login("ada@example.com").problem(), (403, "account_pending".to_owned()));
    assert_eq!(client.authorized("GET", "/auth/me", &tokens.access).problem(), (403, "account_pending".to_owned()));
    deployment.sql("UPDATE users SET status = 1");
    assert_eq!(client.login("ada@example.com").status, 200);
    assert_eq!(client.authorized("GET", "/auth/me", &tokens.access).status, 200);
}

#[test]
fn row_with_a_foreign_id_stops_nobody() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    client.register("ada@example.com");
    // As somebody does who moves users in by hand.
    deployment
        .sql("UPDATE users SET id = gen_random_uuid(); UPDATE password_upgrade_queue SET user_id = gen_random_uuid()");
    assert_eq!(client.login("ada@example.com").problem(), (401, "invalid_credentials".to_owned()));
    assert_eq!(client.new_session("bob@example.com").session().len(), 36);
    server.stop();
}
