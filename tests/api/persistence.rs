//! How long a connection lives: keep-alive, pipelining, `Connection: close`, HTTP/1.0.

use crate::support::{
    client::{registration, request, user},
    metrics::Metrics,
    server::Deployment,
};

#[test]
fn one_connection_serves_many_requests() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    for number in 0..50 {
        let reply = client.register(&format!("user{number}@example.com"));
        assert!(reply.status == 201 && reply.keeps_alive(), "{reply:?}");
    }
    let accepted = Metrics::of(&server).sum("jeday_connections_accepted_total", &[]);
    assert_eq!(accepted, 2.0, "this one and the operator's");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let mut sent = Vec::new();
    for number in 0..40 {
        sent.extend(registration(&[], &user(&format!("user{number}@example.com"))));
        sent.extend(request("GET", "/health/live", &[], b""));
        sent.extend(registration(&[], &user(&format!("user{number}@example.com"))));
        sent.extend(request("POST", "/nowhere", &[], b"body"));
    }
    client.send(&sent);
    for number in 0..40 {
        let created = client.reply();
        assert_eq!(
            (created.status, created.json()["email"].as_str()),
            (201, Some(&*format!("user{number}@example.com")))
        );
        assert_eq!(client.reply().text(), r#"{"status":"ok"}"#);
        assert_eq!(client.reply().code(), "email_taken");
        assert_eq!(client.reply().code(), "not_found");
    }
}

#[test]
fn requests_may_come_in_any_pieces() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    for byte in registration(&[], &user("ada@example.com")) {
        client.send([byte]);
    }
    assert_eq!(client.reply().status, 201);
    // One piece that ends one request and begins the next.
    let (one, two) = (request("GET", "/health/live", &[], b""), request("GET", "/openapi.json", &[], b""));
    client.send(&one[..20]);
    client.send([&one[20..], &two[..10]].concat());
    assert_eq!(client.reply().text(), r#"{"status":"ok"}"#);
    client.send(&two[10..]);
    assert_eq!(client.reply().status, 200);
}

#[test]
fn connection_ends_when_the_client_says_so() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    for value in ["close", "Close", "keep-alive, close"] {
        let mut client = server.connect();
        // What comes behind the last request is not looked at.
        client.send(request("GET", "/health/live", &[("Connection", value)], b""));
        client.send(request("GET", "/health/live", &[], b""));
        let reply = client.reply();
        assert!(reply.status == 200 && !reply.keeps_alive(), "{value}: {reply:?}");
        client.expect_end();
    }
}

#[test]
fn requests_sent_before_the_clients_end_are_answered() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    client.send(registration(&[], &user("ada@example.com")));
    client.finish_sending();
    assert_eq!(client.reply().status, 201);
    client.expect_end();
}

#[test]
fn http_1_0_is_answered_and_closed_unless_it_asks_to_stay() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    client.send("GET /health/live HTTP/1.0\r\n\r\n");
    let reply = client.reply();
    assert!(reply.status == 200 && !reply.keeps_alive(), "{reply:?}");
    client.expect_end();

    let mut client = server.connect();
    for _ in 0..2 {
        client.send("GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let reply = client.reply();
        assert_eq!((reply.status, reply.field("Connection")), (200, Some("keep-alive")));
    }
    client.send("GET /health/live HTTP/2.0\r\nHost: test\r\n\r\n");
    assert_eq!(client.reply().problem(), (505, "version_unsupported".to_owned()));
    client.expect_end();
}
