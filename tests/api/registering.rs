//! What a registration is answered with, and what it leaves in the database.

use crate::support::server::{Deployment, STAYS_WEAK};
use jeday::account::UserId;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn registration_is_answered_with_the_user() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let before = Timestamp::now().as_millisecond();
    let body =
        json!({ "email": "Ada.L@Example.COM", "username": "Ada \u{1f980} Łovelace", "password": "correct horse" });
    let reply = server.connect().post(&body.to_string());
    let after = Timestamp::now().as_millisecond();

    assert_eq!((reply.status, reply.field("Content-Type")), (201, Some("application/json")), "{reply:?}");
    assert!(reply.keeps_alive());
    let user = reply.json();
    let members: BTreeSet<&str> = user.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, BTreeSet::from(["created_at", "email", "id", "status", "username"]));
    assert_eq!(user["email"], "ada.l@example.com");
    assert_eq!(user["username"], "Ada \u{1f980} Łovelace");
    assert_eq!(user["status"], "pending");

    let id: UserId = user["id"].as_str().unwrap().parse().expect("a UUID of version 7");
    assert_eq!(user["id"], id.to_string(), "in its canonical form");
    let created_at = user["created_at"].as_str().unwrap();
    assert!(created_at.len() == "2026-11-24T06:00:00.120Z".len() && created_at.ends_with('Z'), "{created_at}");
    let created_ms = created_at.parse::<Timestamp>().unwrap().as_millisecond();
    assert!((before..=after).contains(&created_ms), "{created_at}");
    assert_eq!(id.unix_ms(), created_ms as u64, "the id tells the same time");
}

#[test]
fn what_is_confirmed_is_in_the_database() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[STAYS_WEAK]);
    let user = server.connect().register("ada@example.com").json();
    let id: UserId = user["id"].as_str().unwrap().parse().unwrap();

    let row = deployment.sql(
        "SELECT id, bucket, email, username, status, to_char(created_at AT TIME ZONE 'UTC', \
         'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), updated_at = created_at FROM users",
    );
    let created_at = user["created_at"].as_str().unwrap();
    assert_eq!(row, format!("{id}|{}|ada@example.com|Ada|0|{created_at}|t", id.bucket().as_i16()));

    let queued = deployment.sql("SELECT user_id, bucket FROM password_upgrade_queue");
    assert_eq!(queued, format!("{id}|{}", id.bucket().as_i16()), "its password waits to be hardened");

    let record = deployment.sql("SELECT password_hash FROM users");
    let parts: Vec<&str> = record.split('$').collect();
    let ["", "hmac-sha256", pepper, salt, digest] = parts[..] else { panic!("{record}") };
    let keys = std::fs::read_to_string(deployment.key_file()).unwrap();
    let pepper_line = keys.lines().find(|line| line.starts_with("pepper")).unwrap();
    assert_eq!(pepper.strip_prefix("k="), pepper_line.split_ascii_whitespace().nth(1), "names the pepper in use");
    assert_eq!((salt.len(), digest.len()), (22, 43), "16 and 32 bytes in Base64 without padding");
}

#[test]
fn equal_passwords_are_stored_differently() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[STAYS_WEAK]);
    let mut client = server.connect();
    for email in ["one@example.com", "two@example.com"] {
        assert_eq!(client.register(email).status, 201);
    }
    assert_eq!(deployment.sql("SELECT count(DISTINCT split_part(password_hash, '$', 4)) FROM users"), "2");
    assert_eq!(deployment.sql("SELECT count(DISTINCT split_part(password_hash, '$', 5)) FROM users"), "2");
}

#[test]
fn unknown_members_are_ignored_and_status_cannot_be_chosen() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let body = json!({
        "email": "eve@example.com", "username": "Eve", "password": "correct horse",
        "status": "active", "id": "01890a5d-ac96-774b-bcce-b302099a8057", "roles": ["admin", { "deep": [1, null] }],
    });
    let reply = server.connect().post(&body.to_string());
    assert_eq!((reply.status, reply.json()["status"].as_str()), (201, Some("pending")));
    assert_ne!(reply.json()["id"], body["id"]);
    assert_eq!(deployment.sql("SELECT status FROM users"), "0");
}
