//! Bounds that the operator sets: kept and passed at their edge like those of the corpus, which are the defaults.

use crate::support::{
    client::{registration, request, user},
    server::{Deployment, Server},
};

fn refused(server: &Server, sent: impl AsRef<[u8]>) -> (u16, String) {
    let mut client = server.connect();
    client.send(sent);
    let reply = client.reply();
    assert!(!reply.keeps_alive(), "{reply:?}");
    client.expect_end();
    reply.problem()
}

fn problem(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn bound_of_the_header_can_be_set() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.header_bytes_max=1KiB"]);
    let head = |length: usize| {
        let rest = request("GET", "/health/live", &[("X", "")], b"").len();
        request("GET", "/health/live", &[("X", &"x".repeat(length - rest))], b"")
    };
    let mut client = server.connect();
    client.send(head(1 << 10));
    assert_eq!(client.reply().status, 200);
    assert_eq!(refused(&server, head((1 << 10) + 1)), problem(431, "header_too_large"));
}

#[test]
fn bound_of_the_body_can_be_set() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.body_bytes_max=4KiB", "passwords.max_chars=64"]);
    let body = |email: &str, length: usize| {
        let body = user(email);
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    let mut client = server.connect();
    assert_eq!(client.post(&body("ada@example.com", 4 << 10)).status, 201);
    let large = body("eve@example.com", (4 << 10) + 1);
    assert_eq!(refused(&server, registration(&[], &large)), problem(413, "body_too_large"));
    // Not a byte of the body is sent.
    let head = "POST /auth/register HTTP/1.1\r\nHost: test\r\n";
    assert_eq!(refused(&server, format!("{head}Content-Length: 4097\r\n\r\n")), problem(413, "body_too_large"));
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    assert_eq!(refused(&server, format!("{chunked}1001\r\n")), problem(413, "body_too_large"));
    let chunks = format!("400\r\n{}\r\n", "x".repeat(1 << 10)).repeat(4);
    assert_eq!(refused(&server, format!("{chunked}{chunks}1\r\n")), problem(413, "body_too_large"));
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "1");
}
