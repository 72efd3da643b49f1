//! Which path answers to which method: 404, 405 with `Allow`, 501, and HEAD wherever there is GET.

use crate::support::{
    client::{Client, user},
    server::{Deployment, Server},
};
use std::sync::OnceLock;

/// Nothing is stored here, so that one server does for all.
fn client() -> Client {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Deployment::new().serve()).connect()
}

#[test]
fn unknown_path_is_not_found() {
    let mut client = client();
    for target in [
        "/",
        "/auth",
        "/auth/register/",
        "//auth/register",
        "/auth/./register",
        "/auth/x/../register",
        "/AUTH/register",
        "/auth%2fregister",
        "/metrics",
        "/favicon.ico",
        "/health/live/more",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let reply = client.request(method, target, &[], b"");
            assert_eq!(reply.problem(), (404, "not_found".to_owned()), "{method} {target}");
            assert!(reply.keeps_alive() && reply.field("Allow").is_none());
        }
    }
}

#[test]
fn wrong_method_is_told_the_right_ones() {
    let mut client = client();
    for (target, allow, wrong) in [
        ("/auth/register", "POST", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"]),
        ("/health", "GET, HEAD", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
        ("/openapi.json", "GET, HEAD", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
    ] {
        for method in wrong {
            let reply = client.request(method, target, &[], b"");
            assert_eq!(reply.problem(), (405, "method_not_allowed".to_owned()), "{method} {target}");
            assert_eq!(reply.field("Allow"), Some(allow), "{method} {target}");
            assert!(reply.keeps_alive());
        }
    }
}

#[test]
fn body_of_a_request_that_goes_nowhere_is_no_request() {
    let mut client = client();
    let smuggled = b"GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n";
    assert_eq!(client.request("POST", "/nowhere", &[], smuggled).status, 404);
    assert_eq!(client.request("POST", "/health/live", &[], smuggled).status, 405);
    assert_eq!(client.get("/openapi.json").status, 200, "the next reply is that of the next request");
}

#[test]
fn unknown_method_is_not_implemented() {
    let mut client = client();
    for method in ["BREW", "get", "PROPFIND"] {
        for target in ["/auth/register", "/health", "/nowhere"] {
            let reply = client.request(method, target, &[], b"");
            assert_eq!(reply.problem(), (501, "method_unknown".to_owned()), "{method} {target}");
            assert!(reply.keeps_alive());
        }
    }
}

#[test]
fn head_has_everything_but_the_body() {
    let mut client = client();
    for target in ["/health", "/health/live", "/health/ready", "/openapi.json"] {
        let get = client.get(target);
        let head = client.request("HEAD", target, &[], b"");
        assert_eq!((head.status, head.body.len()), (200, 0), "{target}");
        for name in ["Content-Type", "Content-Length"] {
            assert_eq!(head.field(name), get.field(name), "{target}");
        }
    }
    for (target, status) in [("/auth/register", 405), ("/nowhere", 404)] {
        let head = client.request("HEAD", target, &[], b"");
        assert_eq!((head.status, head.body.len()), (status, 0), "{target}");
    }
    assert_eq!(client.get("/health/live").status, 200, "nothing of a body is left on the connection");
}

#[test]
fn queries_escapes_and_absolute_targets_lead_to_the_same_path() {
    let mut client = client();
    for target in ["/health/live?x=1", "/health/live?", "/health/%6cive", "http://test/health/live"] {
        assert_eq!(client.get(target).status, 200, "{target}");
    }
    assert_eq!(client.post_with(&[("Host", "test")], &user("a@example.com")).problem().0, 400, "two Host fields");
}
