//! How a request is cut into packets makes no difference: byte by byte it is served, and what is missing is waited for,
//! wherever it ends.

use crate::support::{
    client::{registration, request, user},
    server::{Deployment, Server},
};
use std::thread;

/// A registration in chunks of this size, with everything that may stand around them.
fn chunked(email: &str, size: usize) -> Vec<u8> {
    let head = "POST /auth/register HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    let mut sent = head.as_bytes().to_vec();
    for chunk in user(email).as_bytes().chunks(size) {
        sent.extend(format!("{:X};name=\"value\"\r\n", chunk.len()).bytes());
        sent.extend_from_slice(chunk);
        sent.extend(b"\r\n");
    }
    sent.extend(b"000\r\nX-Trailer: ignored\r\n\r\n");
    sent
}

/// Valid requests of each kind, with the status of their replies.
fn requests() -> Vec<(u16, Vec<u8>)> {
    vec![
        (201, registration(&[("Accept", "*/*"), ("User-Agent", "test")], &user("length@example.com"))),
        (201, chunked("chunks@example.com", 7)),
        (200, request("GET", "/health/live?x=1", &[], b"")),
        (200, b"\r\nGET /health/live HTTP/1.1\r\nHost: test\r\n\r\n".to_vec()),
        (401, request("GET", "/auth/me", &[("Authorization", "Bearer x")], b"")),
    ]
}

#[test]
fn each_byte_may_come_in_a_packet_of_its_own() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    for (status, bytes) in requests() {
        for byte in bytes {
            // Nothing is held back to be joined with the next (TCP_NODELAY).
            client.send([byte]);
            thread::yield_now();
        }
        assert_eq!(client.reply().status, status);
    }
    client.finish_sending();
    client.expect_end();
}

#[test]
fn chunks_of_any_size_make_the_same_body() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    for size in [1, 2, 7, 1_000] {
        let email = format!("user{size}@example.com");
        // Another request lies directly behind it.
        client.send([chunked(&email, size), request("GET", "/health/live", &[], b"")].concat());
        let reply = client.reply();
        assert_eq!((reply.status, reply.json()["email"].as_str()), (201, Some(email.as_str())), "chunks of {size}");
        assert_eq!(client.reply().status, 200);
    }
}

#[test]
fn request_cut_at_any_length_is_no_request() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let requests = requests();
    thread::scope(|scope| {
        for (_, bytes) in &requests {
            scope.spawn(|| {
                for length in 0..bytes.len() {
                    expect_silence(&server, &bytes[..length]);
                }
            });
        }
    });
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "0");
}

fn expect_silence(server: &Server, sent: &[u8]) {
    let mut client = server.connect();
    client.send(sent);
    client.finish_sending();
    client.expect_end();
}
