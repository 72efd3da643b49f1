//! What takes too long: a head, a body, a client that says nothing, a client that does not read.

use crate::support::{
    client::{registration, request, user},
    metrics::Metrics,
    server::{Deployment, Server},
};
use std::io::Write;

const HEAD: &str = "POST /auth/register HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n";

fn await_closed(server: &Server, reason: &str) {
    let labels = [("reason", reason)];
    Metrics::once(server, reason, |metrics| metrics.sum("jeday_connections_closed_total", &labels) == 1.0);
}

#[test]
fn head_that_takes_too_long_is_answered_with_408() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.header_timeout=200ms"]);
    let mut client = server.connect();
    client.send("GET /health/live HT");
    let reply = client.reply();
    assert!(reply.problem() == (408, "header_timeout".to_owned()) && !reply.keeps_alive(), "{reply:?}");
    client.expect_end();
    await_closed(&server, "header_timeout");
}

#[test]
fn drops_of_a_head_do_not_win_time() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.header_timeout=300ms"]);
    let mut client = server.connect();
    client.send("GET /health/live HTTP/1.1\r\nHost: test\r\nX: ");
    // Faster than the time-out, for as long as the server listens. That it listens no more shows as an error here, or
    // as the reply, after which these bytes go nowhere.
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (mut stream, done) = (client.stream().try_clone().unwrap(), stop.clone());
    let dripping = std::thread::spawn(move || {
        while !done.load(std::sync::atomic::Ordering::Relaxed) && stream.write_all(b"x").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    });
    let reply = client.reply();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    dripping.join().unwrap();
    assert_eq!(reply.problem(), (408, "header_timeout".to_owned()));
}

#[test]
fn body_that_takes_too_long_is_answered_with_408() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.body_timeout=200ms"]);
    for start in ["Content-Length: 100\r\n\r\n{\"email\":", "Transfer-Encoding: chunked\r\n\r\n64\r\n{\"email\":"] {
        let mut client = server.connect();
        client.send(format!("{HEAD}{start}"));
        let reply = client.reply();
        assert!(reply.problem() == (408, "body_timeout".to_owned()) && !reply.keeps_alive(), "{reply:?}");
        client.expect_end();
    }
    let mut client = server.connect();
    client.send(format!("{HEAD}Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"));
    client.take_continue();
    assert_eq!(client.reply().problem(), (408, "body_timeout".to_owned()));
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "0");
}

#[test]
fn idle_connection_is_closed_without_a_word() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.idle_timeout=200ms"]);
    server.connect().expect_end();
    await_closed(&server, "idle");
    let mut client = server.connect();
    assert_eq!(client.register("ada@example.com").status, 201);
    client.expect_end();
}

#[test]
fn client_that_does_not_read_is_given_up() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.write_timeout=200ms"]);
    let client = server.connect();
    // Asks until the replies fill what both kernels hold, then until the server has reset the connection.
    let mut stream = client.stream();
    let burst = request("GET", "/openapi.json", &[], b"").repeat(100);
    let refusal = loop {
        if let Err(error) = stream.write_all(&burst) {
            break error;
        }
    };
    let kind = refusal.kind();
    assert!(matches!(kind, std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe), "{refusal}");
    await_closed(&server, "write_timeout");
    assert_eq!(server.connect().register("ada@example.com").status, 201, "others are served");
}

#[test]
fn client_that_reads_slowly_gets_everything() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let mut writer = client.stream().try_clone().unwrap();
    // More replies than both kernels hold: the server has to stop reading until the client takes them.
    let count = 20_000;
    let sender = std::thread::spawn(move || {
        let one = request("GET", "/health", &[], b"");
        for _ in 0..count / 100 {
            writer.write_all(&one.repeat(100)).unwrap();
        }
        writer.write_all(&registration(&[], &user("last@example.com"))).unwrap();
    });
    for number in 0..count {
        if number == 0 {
            // The others are served meanwhile.
            assert_eq!(server.connect().register("other@example.com").status, 201);
        }
        assert_eq!(client.reply().status, 200, "{number}");
    }
    assert_eq!(client.reply().status, 201);
    sender.join().unwrap();
}
