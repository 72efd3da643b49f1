//! Pages of websites that are configured may call the API from browsers, those of others may not, and nothing of this
//! shows where no website is configured.

use crate::support::{
    client::{Client, Reply, registration, request, user},
    metrics::Metrics,
    server::{Deployment, Server},
};
use std::{io::Write, net::Shutdown, sync::OnceLock};

const APP: &str = "https://app.example.com";

/// Nothing here depends on what others have stored.
fn shared() -> &'static (Deployment<'static>, Server) {
    static SHARED: OnceLock<(Deployment<'static>, Server)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let deployment = Deployment::new();
        let origins = "server.cors_origins=https://app.example.com,http://localhost:3000";
        let server = deployment.serve_with(&[origins, "server.body_timeout=500ms", "server.header_timeout=500ms"]);
        (deployment, server)
    })
}

fn client() -> Client {
    shared().1.connect()
}

fn cors_fields(reply: &Reply) -> Vec<(&str, &str)> {
    let fields = reply.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    fields.filter(|(name, _)| *name == "Vary" || name.starts_with("Access-Control-")).collect()
}

#[track_caller]
fn assert_shared_with(reply: &Reply, origin: &str) {
    let wanted = [
        ("Vary", "Origin"),
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", "Retry-After, WWW-Authenticate"),
    ];
    assert_eq!(cors_fields(reply), wanted, "{reply:?}");
}

fn preflight(client: &mut Client, target: &str, origin: &str, method: &str) -> Reply {
    let asked = "authorization,content-type";
    let fields =
        [("Origin", origin), ("Access-Control-Request-Method", method), ("Access-Control-Request-Headers", asked)];
    client.request("OPTIONS", target, &fields, b"")
}

#[test]
fn listed_origins_may_read_replies_and_errors() {
    let mut client = client();
    for origin in [APP, "http://localhost:3000"] {
        let from = [("Origin", origin)];
        let health = client.request("GET", "/health", &from, b"");
        assert_eq!(health.status, 200);
        assert_shared_with(&health, origin);
        assert_shared_with(&client.request("HEAD", "/health", &from, b""), origin);
        for (method, target, status) in [
            ("GET", "/auth/me", 401),
            ("GET", "/nowhere", 404),
            ("PUT", "/auth/login", 405),
            ("BREW", "/auth/login", 501),
            ("POST", "/auth/login", 415),
        ] {
            let reply = client.request(method, target, &from, b"{}");
            assert_eq!(reply.status, status, "{method} {target}");
            assert_shared_with(&reply, origin);
        }
        let email = format!("{}@example.com", origin.len());
        for status in [201, 409, 400] {
            let body = if status == 400 { "{".to_owned() } else { user(&email) };
            let reply = client.post_with(&from, &body);
            assert_eq!(reply.status, status);
            assert_shared_with(&reply, origin);
        }
    }
}

#[test]
fn what_is_refused_before_its_body_is_read_is_shared_too() {
    let from = [("Origin", APP), ("Content-Type", "application/json")];
    let head = |fields: &str| format!("POST /auth/register HTTP/1.1\r\nHost: test\r\nOrigin: {APP}\r\n{fields}\r\n");
    for (sent, status) in [
        (head("Content-Type: application/json\r\nContent-Length: 1000000\r\n"), 413),
        (head("Content-Type: application/json\r\nContent-Length: 10\r\n"), 408),
        (head("Transfer-Encoding: chunked\r\n") + "x\r\n", 400),
        (head("Content-Length: 10\r\n").replace("register", "nothing"), 404),
    ] {
        let mut client = client();
        client.send(&sent);
        let reply = client.reply();
        assert_eq!((reply.status, reply.keeps_alive()), (status, false), "{sent}");
        assert_shared_with(&reply, APP);
    }
    // The body comes after its head.
    let mut client = client();
    let whole = request("POST", "/auth/register", &from, user("late@example.com").as_bytes());
    let (head, body) = whole.split_at(whole.len() - 5);
    client.send(head);
    client.send(body);
    let reply = client.reply();
    assert_eq!(reply.status, 201);
    assert_shared_with(&reply, APP);
}

#[test]
fn nobody_else_gets_more_than_the_hint_that_replies_differ() {
    let mut client = client();
    let others = [
        "null",
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "https://APP.example.com",
        "https://app.example.com:443",
        "https://app.example.com, http://localhost:3000",
        "*",
    ];
    for origin in others {
        for (method, target) in [("GET", "/health"), ("GET", "/auth/me"), ("GET", "/nowhere"), ("OPTIONS", "/auth/me")]
        {
            let reply = client.request(method, target, &[("Origin", origin)], b"");
            assert_eq!(cors_fields(&reply), [("Vary", "Origin")], "{origin} {target}");
        }
        let reply = preflight(&mut client, "/auth/login", origin, "POST");
        assert_eq!((reply.status, reply.field("Allow")), (405, Some("POST")), "{origin}");
        assert_eq!(cors_fields(&reply), [("Vary", "Origin")], "{origin}");
    }
    assert_eq!(cors_fields(&client.get("/health")), [("Vary", "Origin")], "without an origin");
    // What cannot be read is nobody's.
    client.send(format!("GET /health HTTP/1.1\r\nOrigin: {APP}\r\n\r\n"));
    let reply = client.reply();
    assert_eq!((reply.status, cors_fields(&reply)), (400, vec![("Vary", "Origin")]));
}

#[test]
fn preflight_is_answered_from_the_route_table() {
    let mut client = client();
    for (target, methods) in [
        ("/auth/login", "POST"),
        ("/auth/register", "POST"),
        ("/auth/me", "GET, HEAD"),
        ("/auth/sessions", "GET, HEAD"),
        ("/auth/sessions/0198", "DELETE"),
        ("/auth/%6cogout?x", "POST"),
        ("/health", "GET, HEAD"),
    ] {
        // The browser compares: it gets the same answer whatever it is about to send.
        for asked in ["POST", "GET", "DELETE", "BREW"] {
            let reply = preflight(&mut client, target, APP, asked);
            assert_eq!((reply.status, reply.body.len(), reply.keeps_alive()), (204, 0, true), "{target} {asked}");
            let mut fields = cors_fields(&reply);
            fields.retain(|(name, _)| *name != "Access-Control-Expose-Headers");
            let wanted = [
                ("Access-Control-Allow-Methods", methods),
                ("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key"),
                ("Access-Control-Max-Age", "7200"),
                ("Vary", "Origin"),
                ("Access-Control-Allow-Origin", APP),
            ];
            assert_eq!(fields, wanted, "{target} {asked}");
            assert_eq!(reply.field("Allow"), None);
        }
    }
    for target in ["/nowhere", "/auth/login/", "//auth/login", "/metrics", "*"] {
        let reply = preflight(&mut client, target, APP, "POST");
        assert_eq!(reply.problem(), (404, "not_found".to_owned()), "{target}");
        assert_shared_with(&reply, APP);
    }
    Metrics::once(&shared().1, "they are counted by themselves", |page| page.requests("preflight", 204) >= 28.0);
}

#[test]
fn options_without_all_of_a_preflight_is_the_method_that_it_was() {
    let mut client = client();
    let asks = ("Access-Control-Request-Method", "POST");
    for fields in [vec![], vec![("Origin", APP)], vec![asks]] {
        let reply = client.request("OPTIONS", "/auth/login", &fields, b"");
        assert_eq!(reply.problem(), (405, "method_not_allowed".to_owned()), "{fields:?}");
        assert_eq!(reply.field("Allow"), Some("POST"));
    }
    let reply = client.request("GET", "/auth/login", &[("Origin", APP), asks], b"");
    assert_eq!((reply.status, reply.field("Allow")), (405, Some("POST")), "not even with a preflight's fields");
}

#[test]
fn pages_find_nothing_at_the_operators_address() {
    let mut operator = shared().1.connect_operator();
    for target in ["/metrics", "/health"] {
        assert_eq!(cors_fields(&operator.request("GET", target, &[("Origin", APP)], b"")), [], "{target}");
        let reply = preflight(&mut operator, target, APP, "GET");
        assert_eq!((reply.status, cors_fields(&reply)), (405, vec![]), "{target}");
    }
}

#[test]
fn without_origins_replies_are_the_same_to_the_byte() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let raw = |bytes: &[u8]| {
        let mut client = server.connect();
        client.stream().write_all(bytes).unwrap();
        client.stream().shutdown(Shutdown::Write).unwrap();
        let text = String::from_utf8(client.rest()).unwrap();
        let lines = text.split("\r\n").map(|line| if line.starts_with("Date: ") { "Date" } else { line });
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let asks = [("Origin", APP), ("Access-Control-Request-Method", "POST")];
    for (method, target) in
        [("GET", "/health/live"), ("OPTIONS", "/auth/login"), ("GET", "/auth/me"), ("GET", "/nowhere")]
    {
        let plain = raw(&request(method, target, &[], b""));
        assert_eq!(raw(&request(method, target, &asks, b"")), plain, "{method} {target}");
        assert!(!plain.contains("Vary") && !plain.contains("Access-Control"), "{plain}");
    }
    let plain = raw(&registration(&[], "{"));
    assert_eq!(raw(&registration(&asks, "{")), plain);
}
