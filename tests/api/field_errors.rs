//! Fields that are not acceptable: all of them are told at once, each with a code that stays.

use crate::support::{
    client::{Client, Reply},
    server::{Deployment, Server},
};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// Nothing here is stored but by mistake, so that one server does for all.
fn client() -> Client {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Deployment::new().serve()).connect()
}

/// Field and code of every error in a 422.
fn errors(reply: &Reply) -> Vec<(String, String)> {
    assert_eq!(reply.problem(), (422, "invalid_fields".to_owned()), "{reply:?}");
    assert!(reply.keeps_alive());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let problem = reply.json();
    let errors = problem["errors"].as_array().unwrap();
    assert!(errors.iter().all(|error| !text(&error["detail"]).is_empty()), "{problem}");
    errors.iter().map(|error| (text(&error["field"]), text(&error["code"]))).collect()
}

/// The codes for a good registration in which one field is replaced.
fn codes_with(field: &str, value: &str) -> Vec<String> {
    let mut body = json!({ "email": "ada@example.com", "username": "Ada", "password": "correct horse" });
    body[field] = value.into();
    let errors = errors(&client().post(&body.to_string()));
    assert!(errors.iter().all(|(own, _)| own == field), "{errors:?}");
    errors.into_iter().map(|(_, code)| code).collect()
}

#[test]
fn every_fault_is_told_in_one_answer() {
    let all = |codes: [&str; 3]| -> Vec<(String, String)> {
        ["email", "username", "password"].into_iter().zip(codes).map(|(f, c)| (f.to_owned(), c.to_owned())).collect()
    };
    let mut client = client();
    assert_eq!(errors(&client.post("{}")), all(["missing"; 3]));
    assert_eq!(errors(&client.post(r#"{"email":null,"username":null,"password":null}"#)), all(["missing"; 3]));
    let body = json!({ "email": "nobody", "username": "", "password": "short" });
    assert_eq!(
        errors(&client.post(&body.to_string())),
        all(["email_without_at", "username_empty", "password_too_short"])
    );
    let body = json!({ "username": "a\u{7}", "password": "pass\0word!" });
    assert_eq!(errors(&client.post(&body.to_string())), all(["missing", "username_control_character", "password_nul"]));
    let body = json!({ "email": "ada@example.com", "username": "Ada", "password": "x" });
    assert_eq!(errors(&client.post(&body.to_string())), [("password".to_owned(), "password_too_short".to_owned())]);
}

#[test]
fn each_fault_of_an_email_has_its_code() {
    let long_label = "a".repeat(64);
    let (a58, a63) = ("a".repeat(58), "a".repeat(63));
    for (email, code) in [
        ("", "email_without_at"),
        ("ada.example.com", "email_without_at"),
        ("@example.com", "email_local_part_invalid"),
        ("ada love@example.com", "email_local_part_invalid"),
        ("ada..l@example.com", "email_local_part_invalid"),
        (".ada@example.com", "email_local_part_invalid"),
        ("\"ada\"@example.com", "email_local_part_invalid"),
        ("ada@b@example.com", "email_local_part_invalid"),
        (" ada@example.com", "email_local_part_invalid"),
        ("ada\0@example.com", "email_local_part_invalid"),
        // U+212A, which folds to the k of somebody else.
        ("\u{212a}im@example.com", "email_local_part_invalid"),
        (&format!("{}@example.com", "a".repeat(65)), "email_local_part_too_long"),
        ("ada@", "email_domain_invalid"),
        ("ada@-example.com", "email_domain_invalid"),
        ("ada@exa mple.com", "email_domain_invalid"),
        ("ada@example..com", "email_domain_invalid"),
        ("ada@[127.0.0.1]", "email_domain_invalid"),
        (&format!("ada@{long_label}.com"), "email_domain_invalid"),
        ("ada@localhost", "email_domain_not_qualified"),
        ("ada@127.0.0.1", "email_domain_not_qualified"),
        (&format!("{}@{a63}.{a63}.{a58}.com", "a".repeat(64)), "email_too_long"),
    ] {
        assert_eq!(codes_with("email", email), [code], "{email:?}");
    }
}

#[test]
fn each_fault_of_a_username_has_its_code() {
    for (username, code) in [
        ("", "username_empty"),
        ("\u{200b}\u{200d}", "username_empty"),
        (&"a".repeat(51), "username_too_long"),
        (&"\u{1f980}".repeat(51), "username_too_long"),
        (" Ada", "username_padded"),
        ("Ada\u{a0}", "username_padded"),
        ("A\nda", "username_control_character"),
        ("A\0da", "username_control_character"),
        ("A\u{7f}da", "username_control_character"),
        ("A\u{202e}da", "username_control_character"),
    ] {
        assert_eq!(codes_with("username", username), [code], "{username:?}");
    }
}

#[test]
fn each_fault_of_a_password_has_its_code() {
    for (password, code) in [
        ("", "password_too_short"),
        ("seven 7", "password_too_short"),
        (&"\u{1f511}".repeat(7), "password_too_short"),
        (&"a".repeat(257), "password_too_long"),
        (&"\u{1f511}".repeat(257), "password_too_long"),
        // Far more than could ever be normalised to an acceptable length, within the bound of a body.
        (&"a".repeat(15_000), "password_too_long"),
        ("\0correct horse", "password_nul"),
        ("correct horse\0", "password_nul"),
        ("password", "password_too_common"),
        ("PassWord123", "password_too_common"),
        ("12345678", "password_too_common"),
    ] {
        assert_eq!(codes_with("password", password), [code], "{password:?}");
    }
}

#[test]
fn bounds_of_passwords_can_be_set() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["passwords.min_chars=15", "passwords.max_chars=64"]);
    let mut client = server.connect();
    let mut answer = |email: &str, password: &str| {
        let body = json!({ "email": email, "username": "Ada", "password": password });
        let reply = client.post(&body.to_string());
        if reply.status == 201 { String::new() } else { errors(&reply)[0].1.clone() }
    };
    assert_eq!(answer("a@example.com", &"ab".repeat(7)), "password_too_short");
    assert_eq!(answer("a@example.com", &"abc".repeat(5)), "");
    assert_eq!(answer("b@example.com", &"ab".repeat(32)), "");
    assert_eq!(answer("c@example.com", &format!("{}c", "ab".repeat(32))), "password_too_long");
}
