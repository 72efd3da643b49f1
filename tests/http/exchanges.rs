//! Requests whose outcome takes more than one look: a body that is waited for, a reply that is compared with another,
//! JSON that means the same in another spelling.

use crate::support::{
    client::{PASSWORD, request, user},
    server::Deployment,
};
use serde_json::json;

const HEAD: &str = "POST /auth/register HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n";

#[test]
fn body_comes_when_it_is_invited() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let body = user("ada@example.com");
    client.send(format!("{HEAD}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len()));
    client.take_continue();
    client.send(&body);
    let reply = client.reply();
    assert!(reply.status == 201 && reply.keeps_alive(), "{reply:?}");

    let body = user("chunks@example.com");
    client.send(format!("{HEAD}Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n"));
    client.take_continue();
    client.send(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
    assert_eq!(client.reply().status, 201);
}

#[test]
fn head_has_everything_but_the_body() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    for target in ["/health", "/health/live", "/health/ready", "/openapi.json", "/.well-known/paseto-keys"] {
        let get = client.get(target);
        let head = client.request("HEAD", target, &[], b"");
        assert_eq!((head.status, head.body.len()), (200, 0), "{target}");
        for name in ["Content-Type", "Content-Length"] {
            assert_eq!(head.field(name), get.field(name), "{target}");
        }
    }
}

#[test]
fn reply_without_content_says_no_length() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let tokens = client.new_session("ada@example.com");
    let reply = client.authorized("POST", "/auth/logout", &tokens.access);
    assert!(reply.status == 204 && reply.body.is_empty(), "{reply:?}");
    assert_eq!((reply.field("Content-Length"), reply.field("Content-Type")), (None, None), "{reply:?}");
    assert_eq!(client.get("/health/live").status, 200, "nothing of a body is left on the connection");
}

#[test]
fn escaped_and_reordered_json_is_the_same_request() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let body = " {\"password\" : \"\\ud83d\\udd11 correct horse\",\r\n\t\"username\":\"\\u0041d\\u0061\\/\",\
                \"\\u0065mail\":\"ada@b\\u00fccher.example\"} \n";
    client.send(request("POST", "/auth/register", &[("Content-Type", "application/json")], body.as_bytes()));
    let reply = client.reply();
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.json()["email"], "ada@xn--bcher-kva.example");
    assert_eq!(reply.json()["username"], "Ada/");
}

#[test]
fn registration_that_is_not_the_object_asked_for_stores_nothing() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let good = user("ada@example.com");
    let with = |members: &str| format!("{},{members}}}", &good[..good.len() - 1]);
    for body in [
        json!(["ada@example.com", "Ada", PASSWORD]).to_string(),
        with(r#""email":"eve@example.com""#),
        with(r#""\u0065mail":"eve@example.com""#),
        with(r#""password":null"#),
        with(r#""more":{"a":1,"a":2}"#),
        good.replace("\"Ada\"", "1"),
        good.replace("Ada", "\\ud83d"),
        format!("{good}{good}"),
    ] {
        let reply = client.post(&body);
        assert_eq!(reply.problem(), (400, "json_invalid".to_owned()), "{body}");
        assert!(reply.keeps_alive(), "{body}");
    }
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "0");
    assert_eq!(client.post(&good).status, 201);
}
