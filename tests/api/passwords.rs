//! Passwords are taken whole: counted in code points, in any script, and never cut short before they are hashed.

use crate::support::server::{Deployment, STAYS_WEAK};
use base64ct::{Base64Unpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

/// What the record must hold: HMAC-SHA-256(pepper, salt || password), computed here by itself.
fn digest(deployment: &Deployment<'_>, salt: &str, password: &str) -> String {
    let keys = std::fs::read_to_string(deployment.key_file()).unwrap();
    let pepper = keys.lines().find(|line| line.starts_with("pepper")).unwrap();
    let pepper = Base64Unpadded::decode_vec(pepper.split_ascii_whitespace().nth(3).unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&pepper).unwrap();
    mac.update(&Base64Unpadded::decode_vec(salt).unwrap());
    mac.update(password.as_bytes());
    Base64Unpadded::encode_string(&mac.finalize().into_bytes())
}

#[test]
fn every_character_of_a_password_is_hashed() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[STAYS_WEAK]);
    let mut client = server.connect();
    let long: String = ('a'..='z').cycle().take(256).collect();
    let passwords = [
        "eight ch".to_owned(),
        long.clone(),
        "\u{1f511}".repeat(8),
        "\u{1f511}".repeat(256),
        "пароль не для всех".to_owned(),
        "  spaces at both ends  ".to_owned(),
        "\t\u{1}\u{7f}control characters".to_owned(),
        "quotes \" and \\ backslashes".to_owned(),
    ];
    for (number, password) in passwords.iter().enumerate() {
        let email = format!("user{number}@example.com");
        let body = json!({ "email": email, "username": "Ada", "password": password });
        assert_eq!(client.post(&body.to_string()).status, 201, "{password:?}");
        let record = deployment.sql(&format!("SELECT password_hash FROM users WHERE email = '{email}'"));
        let parts: Vec<&str> = record.split('$').collect();
        assert_eq!(parts[4], digest(&deployment, parts[3], password), "{password:?}");
        let mut shorter = password.clone();
        shorter.pop();
        assert_ne!(parts[4], digest(&deployment, parts[3], &shorter), "{password:?}");
    }
}

#[test]
fn composed_and_decomposed_spellings_are_one_password() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[STAYS_WEAK]);
    let mut client = server.connect();
    let (composed, decomposed) = ("caf\u{e9} cr\u{e8}me", "cafe\u{301} cre\u{300}me");
    for (email, password) in [("one@example.com", composed), ("two@example.com", decomposed)] {
        let body = json!({ "email": email, "username": "Ada", "password": password });
        assert_eq!(client.post(&body.to_string()).status, 201);
        let record = deployment.sql(&format!("SELECT password_hash FROM users WHERE email = '{email}'"));
        let parts: Vec<&str> = record.split('$').collect();
        assert_eq!(parts[4], digest(&deployment, parts[3], composed), "{email}");
    }
}

#[test]
fn length_counts_what_is_left_of_combining_marks() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[STAYS_WEAK]);
    let mut client = server.connect();
    let mut status = |email: &str, password: &str| {
        let body = json!({ "email": email, "username": "Ada", "password": password });
        client.post(&body.to_string()).status
    };
    // Seven letters with a mark each are seven characters once composed; marks that compose with nothing count.
    assert_eq!(status("a@example.com", &"e\u{301}".repeat(7)), 422);
    assert_eq!(status("b@example.com", &"e\u{301}".repeat(8)), 201);
    assert_eq!(status("c@example.com", &"e\u{301}".repeat(256)), 201);
    assert_eq!(status("d@example.com", &"e\u{301}".repeat(257)), 422);
    assert_eq!(status("e@example.com", &"x\u{30a}\u{332}".repeat(4)), 201);
}
