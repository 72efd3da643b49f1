//! Access tokens: what is accepted, and what every other kind of token is told.

use crate::support::{
    client::{Client, Reply},
    server::Deployment,
};

fn me(client: &mut Client, token: &str) -> Reply {
    client.authorized("GET", "/auth/me", token)
}

#[test]
fn me_is_the_user_of_the_token() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let user = client.register("ada@example.com").json();
    let tokens = client.login("ada@example.com").tokens();
    let reply = me(&mut client, &tokens.access);
    assert_eq!((reply.status, reply.field("Cache-Control")), (200, Some("no-store")));
    assert_eq!(reply.json(), user);
    let lower = client.request("GET", "/auth/me", &[("authorization", &format!("bearer {}", tokens.access))], b"");
    assert_eq!(lower.status, 200, "the scheme's name is case-insensitive (RFC 9110 section 11.1)");
}

#[test]
fn request_without_a_token_is_asked_for_one() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    for target in ["/auth/me", "/auth/sessions"] {
        let reply = client.get(target);
        assert_eq!(reply.problem(), (401, "token_missing".to_owned()), "{target}");
        assert_eq!(reply.field("WWW-Authenticate"), Some("Bearer"), "no error is named (RFC 6750 section 3.1)");
    }
    for value in ["Basic YTpi", "Bearer", "Bearer ", "v4.local.x"] {
        let reply = client.request("GET", "/auth/me", &[("Authorization", value)], b"");
        assert_eq!(reply.status, 401, "{value}: {reply:?}");
    }
}

#[test]
fn token_tampered_in_any_character_is_refused() {
    let deployment = Deployment::new();
    for mode in ["local", "public"] {
        let server = deployment.serve_with(&[&format!("tokens.mode={mode}")]);
        let mut client = server.connect();
        let access = client.new_session(&format!("{mode}@example.com")).access;
        assert!(access.starts_with(&format!("v4.{mode}.")));
        for at in 0..access.len() {
            let mut bytes = access.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let reply = me(&mut client, std::str::from_utf8(&bytes).unwrap());
            assert_eq!(reply.problem(), (401, "token_invalid".to_owned()), "{mode}, {at}");
            let challenge = reply.field("WWW-Authenticate").unwrap();
            assert!(challenge.starts_with("Bearer error=\"invalid_token\", error_description=\""), "{challenge}");
        }
        assert_eq!(me(&mut client, &access).status, 200);
    }
}

#[test]
fn tokens_of_other_servers_and_versions_are_refused() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let access = client.new_session("ada@example.com").access;
    // Another key.
    let elsewhere = Deployment::new();
    let stranger = elsewhere.serve().connect().new_session("ada@example.com").access;
    assert_eq!(me(&mut client, &stranger).problem(), (401, "token_invalid".to_owned()));
    // The same key, for somebody else.
    for setting in ["tokens.issuer=other", "tokens.audience=other"] {
        let other = deployment.serve_with(&[setting]);
        assert_eq!(me(&mut other.connect(), &access).problem(), (401, "token_invalid".to_owned()), "{setting}");
    }
    // The same key in the other mode.
    let public = deployment.serve_with(&["tokens.mode=public"]);
    assert_eq!(me(&mut public.connect(), &access).problem(), (401, "token_invalid".to_owned()));
    for other in ["v2.local", "v3.local", "v1.public", "v4.public", "v5.local", "eyJhbGciOiJub25lIn0.e30"] {
        let token = access.replacen("v4.local", other, 1);
        assert_eq!(me(&mut client, &token).problem(), (401, "token_invalid".to_owned()), "{other}");
    }
    assert_eq!(me(&mut client, &"v4.local.".repeat(500)).problem(), (401, "token_invalid".to_owned()));
}

#[test]
fn expired_token_is_told_apart() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["tokens.access_duration=10s"]);
    let mut client = server.connect();
    let tokens = client.new_session("ada@example.com");
    assert_eq!(client.login("ada@example.com").json()["expires_in"], 10);
    assert_eq!(me(&mut client, &tokens.access).status, 200);
}

#[test]
fn published_keys_are_those_of_public_tokens() {
    let deployment = Deployment::new();
    let local = deployment.serve();
    let reply = local.connect().get("/.well-known/paseto-keys");
    assert_eq!((reply.status, reply.json()), (200, serde_json::json!({ "keys": [] })));
    let public = deployment.serve_with(&["tokens.mode=public"]);
    let keys = public.connect().get("/.well-known/paseto-keys").json();
    let key = &keys["keys"][0];
    assert!(key["kid"].as_str().unwrap().starts_with("k4.pid."), "{keys}");
    assert!(key["key"].as_str().unwrap().starts_with("k4.public."), "{keys}");
}

#[test]
fn rotated_keys_log_nobody_out() {
    let deployment = Deployment::new();
    let before = deployment.serve();
    let tokens = before.connect().new_session("ada@example.com");
    before.stop();
    for kind in ["token-local", "refresh", "pepper"] {
        let output = deployment.jeday(["keygen", "--rotate", kind]).output().unwrap();
        assert!(output.status.success(), "{kind}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let after = deployment.serve();
    let mut client = after.connect();
    assert_eq!(me(&mut client, &tokens.access).status, 200);
    let fresh = client.refresh(&tokens.refresh).tokens();
    assert_eq!(me(&mut client, &fresh.access).status, 200);
    assert_eq!(client.refresh(&fresh.refresh).status, 200);
    assert_eq!(client.login("ada@example.com").status, 200);
}
