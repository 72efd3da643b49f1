//! Heads that break a rule or a bound: told why, and the connection ends, for nobody knows where the next would begin.

use crate::support::{
    client::{Client, request},
    server::{Deployment, Server},
};
use std::sync::OnceLock;

/// Nothing is stored here, so that one server does for all.
fn client() -> Client {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Deployment::new().serve()).connect()
}

fn answer(sent: impl AsRef<[u8]>) -> (u16, String) {
    let mut client = client();
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
fn malformed_head_is_refused() {
    for head in [
        "nonsense\r\n\r\n",
        "GET /health/live\r\n\r\n",
        "GET  /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /health/live HTTP/1.1 \r\nHost: test\r\n\r\n",
        "GET health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /health\tlive HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /health/live HTTP/1.1\nHost: test\n\n",
        "GET /health/live HTTP/1.1\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: one\r\nHost: two\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET http://other/health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: test\r\nname : value\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: test\r\nX-Folded: one\r\n two\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: test\r\nX: a\0b\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: test\r\nno colon\r\n\r\n",
        "\r\n\r\n\r\nGET /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}\r\n\r\n",
    ] {
        assert_eq!(answer(head), problem(400, "request_malformed"), "{head:?}");
    }
}

#[test]
fn one_empty_line_before_a_request_is_forgiven() {
    let mut client = client();
    client.send("\r\nGET /health/live HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.reply().status, 200);
}

#[test]
fn header_too_large_is_refused() {
    let long = "x".repeat(16 << 10);
    assert_eq!(answer(request("GET", "/health/live", &[("X-Long", &long)], b"")), problem(431, "header_too_large"));
    // It needs no end to be too large.
    assert_eq!(answer(format!("GET / HTTP/1.1\r\nHost: test\r\nX: {long}")), problem(431, "header_too_large"));
    let many: Vec<_> = (0..64).map(|_| ("X-Many", "1")).collect();
    assert_eq!(answer(request("GET", "/health/live", &many, b"")), problem(431, "too_many_fields"));
    let mut client = client();
    assert_eq!(client.request("GET", "/health/live", &many[..63], b"").status, 200, "Host is the 64th");
    assert_eq!(client.request("GET", "/health/live", &[("X-Long", &long[..16_000])], b"").status, 200);
}

#[test]
fn bound_of_the_header_can_be_set() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.header_bytes_max=1KiB"]);
    let mut client = server.connect();
    assert_eq!(client.request("GET", "/health/live", &[("X", &"x".repeat(900))], b"").status, 200);
    client.send(request("GET", "/health/live", &[("X", &"x".repeat(1_024))], b""));
    assert_eq!(client.reply().problem(), problem(431, "header_too_large"));
}

#[test]
fn target_and_method_have_bounds_of_their_own() {
    let long = format!("/{}", "x".repeat(8_000));
    assert_eq!(answer(request("GET", &long, &[], b"")), problem(414, "target_too_long"));
    assert_eq!(
        answer(format!("GET {long}{}", "x".repeat(100))),
        problem(414, "target_too_long"),
        "also without an end"
    );
    assert_eq!(client().get(&long[..8_000]).status, 404);
    assert_eq!(answer(request("EXTRAORDINARILYLONG", "/", &[], b"")), problem(501, "method_unknown"));
}
