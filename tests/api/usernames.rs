//! Usernames are display data: kept as they were sent, and not unique.

use crate::support::server::Deployment;
use serde_json::json;

#[test]
fn acceptable_usernames_come_back_as_they_were_sent() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    for (number, username) in [
        "A".to_owned(),
        "a".repeat(50),
        "\u{1f980}".repeat(50),
        "Ада Лавлейс".to_owned(),
        "e\u{301} stays decomposed".to_owned(),
        "می\u{200c}خواهم".to_owned(),
        "\u{1f469}\u{200d}\u{1f4bb}".to_owned(),
        "'; DROP TABLE users; --".to_owned(),
        "\"\\/ {null} \\u0041 <b>&amp;".to_owned(),
        "NULL".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("user{number}@example.com");
        let body = json!({ "email": email, "username": username, "password": "correct horse" });
        let reply = client.post(&body.to_string());
        assert_eq!((reply.status, reply.json()["username"].as_str()), (201, Some(username.as_str())), "{username:?}");
        let stored = deployment.sql(&format!("SELECT username FROM users WHERE email = '{email}'"));
        assert_eq!(stored, username);
    }
}

#[test]
fn two_users_may_have_the_same_username() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    assert_eq!(client.register("one@example.com").status, 201);
    assert_eq!(client.register("two@example.com").status, 201);
    assert_eq!(deployment.sql("SELECT count(*) FROM users WHERE username = 'Ada'"), "2");
}
