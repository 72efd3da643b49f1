//! How a body comes: with its length or in chunks, asked for by `100 Continue`, and never larger than allowed.

use crate::support::{
    client::{Client, request, user},
    server::{Deployment, Server},
};

const HEAD: &str = "POST /auth/register HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n";

/// Sends the fields and checks that they are refused, and the connection closed, without a body.
fn refused(server: &Server, fields: &str) -> (u16, String) {
    let mut client = server.connect();
    client.send(format!("{HEAD}{fields}\r\n"));
    closing_problem(&mut client)
}

fn closing_problem(client: &mut Client) -> (u16, String) {
    let reply = client.reply();
    assert!(!reply.keeps_alive(), "{reply:?}");
    client.expect_end();
    reply.problem()
}

fn problem(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn chunked_body_is_taken_however_it_is_cut() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    for (number, size) in [1, 2, 7, 1_000].into_iter().enumerate() {
        let body = user(&format!("user{number}@example.com"));
        let mut sent = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
        for chunk in body.as_bytes().chunks(size) {
            sent.extend(format!("{:X};name=\"value\"\r\n", chunk.len()).bytes());
            sent.extend_from_slice(chunk);
            sent.extend(b"\r\n");
        }
        sent.extend(b"000\r\nX-Trailer: ignored\r\n\r\n");
        // Another request lies directly behind it.
        sent.extend(request("GET", "/health/live", &[], b""));
        client.send(&sent);
        assert_eq!(client.reply().status, 201, "chunks of {size}");
        assert_eq!(client.reply().status, 200);
    }
    // Byte by byte over the wire.
    let body = user("slow@example.com");
    let whole = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for byte in whole.bytes() {
        client.send([byte]);
    }
    assert_eq!(client.reply().status, 201);
}

#[test]
fn malformed_chunks_are_refused_and_end_the_connection() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    for chunks in [
        "x\r\n",
        "\r\n",
        "-1\r\n",
        "+5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "5\nhello\n",
        "5\r\nhelloo\r\n",
        "5\r\nhello\n",
        "10000000000000000\r\n",
        "5;=\r\nhello\r\n",
        "0\r\nContent-Length: 5\r\n\r\n",
        "0\r\nno colon\r\n\r\n",
    ] {
        let mut client = server.connect();
        client.send(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{chunks}"));
        assert_eq!(closing_problem(&mut client), problem(400, "body_malformed"), "{chunks:?}");
    }
}

#[test]
fn ambiguous_framing_is_refused() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5 \t5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Content-Length: 5\r\n Content-Length: 6\r\n",
    ] {
        let (status, _) = refused(&server, fields);
        assert!(status == 400 || status == 501 || status == 413, "{fields:?}: {status}");
    }
    assert_eq!(refused(&server, "Transfer-Encoding: gzip, chunked\r\n"), problem(501, "transfer_coding_unknown"));
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "0");
}

#[test]
fn body_waits_for_100_continue() {
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

    // A body that is here already needs no invitation (RFC 9110 section 10.1.1).
    let body = user("eager@example.com");
    client.send(format!("{HEAD}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    assert_eq!(client.reply().status, 201);
}

#[test]
fn body_that_would_be_refused_is_not_asked_for() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let expecting = |line: &str, fields: &str| {
        let mut client = server.connect();
        client.send(format!("{line} HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n{fields}\r\n"));
        closing_problem(&mut client)
    };
    let length = "Content-Length: 50\r\n";
    assert_eq!(expecting("POST /nowhere", length), problem(404, "not_found"));
    assert_eq!(expecting("PUT /auth/register", length), problem(405, "method_not_allowed"));
    assert_eq!(expecting("POST /auth/register", "Content-Length: 16385\r\n"), problem(413, "body_too_large"));
    let mut client = server.connect();
    client.send(format!("{HEAD}Expect: something-else\r\n{length}\r\n"));
    assert_eq!(closing_problem(&mut client), problem(417, "expectation_unknown"));
}

#[test]
fn body_too_large_is_refused_before_it_is_read() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.body_bytes_max=4KiB", "passwords.max_chars=64"]);
    // Not a byte of the body is sent.
    assert_eq!(refused(&server, "Content-Length: 4097\r\n"), problem(413, "body_too_large"));
    assert_eq!(refused(&server, "Content-Length: 18446744073709551615\r\n"), problem(413, "body_too_large"));
    // Chunks announce what is to come too.
    assert_eq!(refused(&server, "Transfer-Encoding: chunked\r\n\r\n1001\r\n"), problem(413, "body_too_large"));
    let many = "400\r\n".to_owned() + &"x".repeat(0x400) + "\r\n";
    let chunks = format!("Transfer-Encoding: chunked\r\n\r\n{}400\r\n", many.repeat(4));
    assert_eq!(refused(&server, &chunks), problem(413, "body_too_large"));
    // The largest that is allowed is read to its end and understood.
    let body = user("ada@example.com");
    let body = format!("{body}{}", " ".repeat(4096 - body.len()));
    let mut client = server.connect();
    assert_eq!(client.post(&body).status, 201);
}

#[test]
fn client_that_sends_too_much_still_reads_its_answer() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let sent = format!("{HEAD}Content-Length: 100000\r\n\r\n{}", "x".repeat(100_000));
    client.send(&sent);
    client.finish_sending();
    assert_eq!(closing_problem(&mut client), problem(413, "body_too_large"));
}

#[test]
fn request_without_a_body_is_answered_at_once() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    client.send(format!("{HEAD}\r\n"));
    assert_eq!(client.reply().problem(), problem(400, "json_invalid"));
    client.send(format!("{HEAD}Content-Length: 0\r\nExpect: 100-continue\r\n\r\n"));
    assert_eq!(client.reply().problem(), problem(400, "json_invalid"));
    client.send(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
    assert_eq!(client.reply().problem(), problem(400, "json_invalid"));
}
