//! TLS between clients and the server: whatever HTTP does, in records; handshakes that fail, and connections that end.

use crate::support::{
    client::{Client, registration, request, user},
    metrics::Metrics,
    postgres::TestCluster,
    server::{Deployment, Server},
    session::Session,
    tls::{Authority, BOTH, ONLY_12, ONLY_13},
};
use rustix::process::Signal;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, client::Resumption};
use std::{
    io::{Read, Write},
    sync::Arc,
};

/// A server that speaks TLS, with these settings.
pub(crate) fn serve(deployment: &Deployment<'_>, authority: &Authority, settings: &[&str]) -> Server {
    let files = authority.settings();
    let files = files.each_ref().map(String::as_str);
    deployment.serve_with(&[&files[..], settings].concat())
}

fn failures(server: &Server, reason: &str, count: u64) {
    Metrics::once(server, reason, |metrics| {
        metrics.sum("jeday_tls_handshake_failures_total", &[("reason", reason)]) == count as f64
    });
}

fn closed(server: &Server, reason: &str, count: u64) {
    Metrics::once(server, reason, |metrics| {
        metrics.sum("jeday_connections_closed_total", &[("reason", reason)]) == count as f64
    });
}

/// But the one that asks.
fn none_is_open(server: &Server) {
    Metrics::once(server, "none is open", |metrics| metrics.sum("jeday_connections_open", &[]) == 1.0);
}

fn is_served(server: &Server, config: &Arc<ClientConfig>) {
    assert_eq!(Client::connect_tls(server.address(), config.clone()).get("/health/live").status, 200);
}

/// Encrypts `bytes` as one record at least, without sending it.
fn record(client: &mut Client, bytes: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    client.tls().writer().write_all(bytes).unwrap();
    client.tls().write_tls(&mut record).unwrap();
    record
}

#[test]
fn a_user_registers_logs_in_and_is_known_over_either_version() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &[]);
    assert!(server.await_log("ready")["address"].as_str().unwrap().starts_with("https://"));
    for (versions, version) in [(ONLY_12, "1.2"), (ONLY_13, "1.3")] {
        let config = Arc::new(authority.client(versions, &["http/1.1"]));
        let mut client = Client::connect_tls(server.address(), config);
        assert_eq!(client.tls().alpn_protocol(), Some(b"http/1.1".as_slice()));
        let tokens = client.new_session(&format!("ada@{version}.example.com"));
        let me = client.authorized("GET", "/auth/me", &tokens.access);
        assert_eq!((me.status, me.json()["email"].as_str()), (200, Some(&*format!("ada@{version}.example.com"))));
        assert_eq!(client.authorized("POST", "/auth/logout", &tokens.access).status, 204);
        let labels = [("version", version), ("kind", "full")];
        Metrics::once(&server, version, |metrics| metrics.sum("jeday_tls_handshakes_total", &labels) == 1.0);
    }
    // The operator's address has no TLS.
    assert_eq!(server.connect_operator().get("/health/ready").status, 200);
}

#[test]
fn requests_are_answered_whatever_the_records_and_packets_they_come_in() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &[]);
    for versions in [ONLY_12, ONLY_13] {
        let config = Arc::new(authority.client(versions, &[]));
        let mut client = Client::connect_tls(server.address(), config.clone());
        let live = request("GET", "/health/live", &[], b"");
        let unknown = request("GET", "/nowhere", &[], b"");
        // Many in one record.
        client.send([&live[..], &unknown, &live, &unknown].concat());
        assert_eq!([(); 4].map(|()| client.reply().status), [200, 404, 200, 404]);
        // One and a half, then the rest.
        let (first, rest) = unknown.split_at(unknown.len() / 2);
        client.send([&live, first].concat());
        assert_eq!(client.reply().status, 200);
        client.send(rest);
        assert_eq!(client.reply().status, 404);
        // A record for each byte.
        for byte in &live {
            client.send([*byte]);
        }
        assert_eq!(client.reply().status, 200);
        // A packet for each byte of a record.
        for byte in record(&mut client, &unknown) {
            client.stream().write_all(&[byte]).unwrap();
        }
        assert_eq!(client.reply().status, 404);
        // A body that fills records, with more behind it.
        let body = "x".repeat(16 << 10);
        let fields = [("Content-Type", "application/json")];
        client.send([&request("POST", "/auth/login", &fields, body.as_bytes())[..], &live].concat());
        assert_eq!([client.reply().status, client.reply().status], [400, 200]);
        // A change of keys in between.
        if versions == ONLY_13 {
            client.tls().refresh_traffic_keys().unwrap();
            client.send(&live);
            assert_eq!(client.reply().status, 200);
        }
    }
}

#[test]
fn replies_that_fill_the_connection_arrive_whole() {
    const TIMES: usize = 200;
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &[]);
    let expected = server_page(&server, &authority);
    for versions in [ONLY_12, ONLY_13] {
        let mut client = Client::connect_tls(server.address(), Arc::new(authority.client(versions, &[])));
        // Nobody reads until all of it has been asked for.
        client.send(request("GET", "/openapi.json", &[], b"").repeat(TIMES));
        for _ in 0..TIMES {
            assert!(client.reply().body == expected);
        }
    }
}

fn server_page(server: &Server, authority: &Authority) -> Vec<u8> {
    let page = Client::connect_tls(server.address(), authority.trusted()).get("/openapi.json").body;
    assert!(page.len() > 40 << 10, "more than two records");
    page
}

#[test]
fn a_client_that_ends_is_answered_first_and_told_the_end() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &["server.idle_timeout=300ms"]);
    // It sends no more, in the way of TLS and in that of TCP.
    let mut client = Client::connect_tls(server.address(), Arc::new(authority.client(ONLY_13, &[])));
    client.send(request("GET", "/health/live", &[], b""));
    client.finish_sending();
    assert_eq!(client.reply().status, 200);
    client.expect_end();
    // It goes without a word, in the middle of a request and of a record.
    for part in [b"GET /health".as_slice(), b""] {
        let mut client = Client::connect_tls(server.address(), authority.trusted());
        let whole = record(&mut client, b"GET /health/live");
        client.send(part);
        client.stream().write_all(&whole[..whole.len() - 1]).unwrap();
    }
    none_is_open(&server);
    // Whoever is told to go, by a reply or by the time, is told so in TLS too: a client that reads on sees no failure.
    for versions in [ONLY_12, ONLY_13] {
        let mut client = Client::connect_tls(server.address(), Arc::new(authority.client(versions, &[])));
        assert_eq!(client.request("GET", "/health/live", &[("Connection", "close")], b"").status, 200);
        client.expect_end();
        let mut client = Client::connect_tls(server.address(), Arc::new(authority.client(versions, &[])));
        client.send("GET / HTTP/1.1\r\nbad\r\n\r\nand more");
        assert_eq!(client.reply().status, 400);
        client.expect_end();
        let mut client = Client::connect_tls(server.address(), Arc::new(authority.client(versions, &[])));
        client.expect_end();
    }
    closed(&server, "idle", 2);
}

#[test]
fn part_of_a_record_has_the_time_of_a_header() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &["server.header_timeout=200ms", "server.idle_timeout=1h"]);
    let mut client = Client::connect_tls(server.address(), authority.trusted());
    assert_eq!(client.get("/health/live").status, 200);
    let whole = record(&mut client, b"GET /health/live HTTP/1.1\r\n");
    client.stream().write_all(&whole[..20]).unwrap();
    client.expect_end();
    is_served(&server, &authority.trusted());
}

#[test]
fn handshakes_that_do_not_come_about_are_closed_and_counted() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &["server.header_timeout=300ms"]);
    let trusted = authority.trusted();
    let mut open = Client::connect_tls(server.address(), trusted.clone());

    // Silence, and the beginning of a greeting.
    let mut hello = Vec::new();
    let name = "localhost".try_into().unwrap();
    ClientConnection::new(trusted.clone(), name).unwrap().write_tls(&mut hello).unwrap();
    for part in [&b""[..], &hello[..1], &hello[..hello.len() - 1]] {
        let mut slow = server.connect();
        slow.send(part);
        assert!(slow.rest().is_empty());
    }
    failures(&server, "timeout", 3);
    closed(&server, "handshake", 3);

    // Plain HTTP gets an alert (RFC 8446 section 6), not a reply.
    let mut plain = server.connect();
    plain.send(request("GET", "/health/live", &[], b""));
    assert_eq!(plain.rest()[0], 21);
    failures(&server, "not_tls", 1);
    assert_eq!(server.await_log("no TLS came about with a client")["address"], "127.0.0.1");

    // Only a protocol that is not spoken (RFC 7301 section 3.2); another beside it does no harm.
    let h2 = Arc::new(authority.client(BOTH, &["h2"]));
    let refused = server.connect().begin_tls(h2).unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    failures(&server, "no_application_protocol", 1);
    let both = Arc::new(authority.client(BOTH, &["h2", "http/1.1"]));
    let mut client = Client::connect_tls(server.address(), both);
    assert_eq!(client.tls().alpn_protocol(), Some(b"http/1.1".as_slice()));

    // A client that knows nothing of the authority.
    let refused = server.connect().begin_tls(Authority::new().trusted()).unwrap_err();
    assert!(refused.to_string().contains("invalid peer certificate"), "{refused}");
    failures(&server, "alert", 1);

    // A client that leaves in the middle.
    for part in [&b""[..], &hello[..hello.len() / 2], &hello[..]] {
        server.connect().send(part);
    }
    failures(&server, "closed", 3);

    assert_eq!(open.get("/health/live").status, 200);
    is_served(&server, &trusted);
}

#[test]
fn sessions_are_resumed_on_any_shard() {
    const CONNECTIONS: usize = 12;
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &[]);
    for (versions, version) in [(ONLY_12, "1.2"), (ONLY_13, "1.3")] {
        let mut config = authority.client(versions, &[]);
        config.resumption = Resumption::in_memory_sessions(32);
        let config = Arc::new(config);
        let kinds: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let mut client = Client::connect_tls(server.address(), config.clone());
                // Tickets come before the reply.
                assert_eq!(client.get("/health/live").status, 200);
                client.tls().handshake_kind()
            })
            .collect();
        assert!(kinds[1..].iter().all(|kind| *kind == Some(HandshakeKind::Resumed)), "{kinds:?}");
        let labels = [("version", version), ("kind", "resumed")];
        let resumed = (CONNECTIONS - 1) as f64;
        Metrics::once(&server, version, |metrics| metrics.sum("jeday_tls_handshakes_total", &labels) == resumed);
    }
}

#[test]
fn whoever_is_one_too_many_costs_no_handshake() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &["server.connections_per_address_max=1"]);
    let mut first = Client::connect_tls(server.address(), authority.trusted());
    assert!(server.connect().begin_tls(authority.trusted()).is_err());
    closed(&server, "address_full", 1);
    assert_eq!(first.get("/health/live").status, 200);
    drop(first);
    none_is_open(&server);
    is_served(&server, &authority.trusted());

    // Nobody may ask for metrics then either.
    let server = serve(&deployment, &authority, &["server.connections_max=1", "cores.request_shards=1"]);
    let mut first = Client::connect_tls(server.address(), authority.trusted());
    assert!(server.connect().begin_tls(authority.trusted()).is_err());
    assert_eq!(first.get("/health/live").status, 200);
}

#[test]
fn a_proxys_header_comes_before_the_handshake() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let settings = ["server.proxy_protocol=required", "server.trusted_proxies=127.0.0.1"];
    let server = serve(&deployment, &authority, &settings);
    let header = b"PROXY TCP4 192.0.2.7 192.0.2.1 1234 443\r\n";
    let mut apart = server.connect();
    apart.send(header);
    apart.begin_tls(authority.trusted()).unwrap();
    assert_eq!(apart.register("ada@example.com").status, 201);
    assert_eq!(apart.login_with("ada@example.com", "wrong").status, 401);
    assert_eq!(server.await_event("login_failed")["address"], "192.0.2.7");

    // In one packet with the client's first message.
    let mut tls = ClientConnection::new(authority.trusted(), "localhost".try_into().unwrap()).unwrap();
    let mut first = header.to_vec();
    tls.write_tls(&mut first).unwrap();
    let together = server.connect();
    let mut stream = together.stream();
    stream.write_all(&first).unwrap();
    let mut stream = rustls::Stream::new(&mut tls, &mut stream);
    stream.write_all(&request("GET", "/health/live", &[("Connection", "close")], b"")).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
}

#[test]
fn stopping_answers_what_was_accepted() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let mut server = serve(&deployment, &authority, &["database.deadline=60s"]);
    let mut session = Session::open(TestCluster::shared(), deployment.database());
    session.hold_registrations();
    let connect = || Client::connect_tls(server.address(), authority.trusted());
    let (mut under_way, mut idle, mut amid_record) = (connect(), connect(), connect());
    let mut amid_handshake = server.connect();
    assert_eq!(idle.get("/health/live").status, 200);
    under_way.send(registration(&[], &user("ada@example.com")));
    let whole = record(&mut amid_record, &registration(&[], &user("bob@example.com")));
    let (first, rest) = whole.split_at(40);
    amid_record.stream().write_all(first).unwrap();
    amid_handshake.send(b"\x16");
    Metrics::await_sent(&server, 1);

    server.signal(Signal::TERM);
    idle.expect_end();
    assert!(amid_handshake.rest().is_empty());
    amid_record.stream().write_all(rest).unwrap();
    session.release();
    for client in [&mut under_way, &mut amid_record] {
        let reply = client.reply();
        assert!(reply.status == 201 && !reply.keeps_alive(), "{reply:?}");
        client.expect_end();
    }
    let status = server.wait();
    assert!(status.success(), "{status}: {}", server.log());
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "2");
}
