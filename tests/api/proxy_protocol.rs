//! The PROXY protocol: trusted proxies say whose connection it is, nobody else gets in, and whatever is no header ends
//! its connection.

use crate::support::{
    client::{Client, request, user},
    metrics::Metrics,
    server::{CHEAP, Deployment, Server},
};
use rustix::net::sockopt::set_socket_linger;
use serde_json::json;
use std::{
    net::{IpAddr, TcpStream},
    process::Output,
    sync::OnceLock,
    time::Duration,
};

const SETTINGS: &[&str] = &["server.proxy_protocol=required", "server.trusted_proxies=127.0.0.1"];

/// Nothing here depends on what others have stored.
fn shared() -> &'static (Deployment<'static>, Server) {
    static SHARED: OnceLock<(Deployment<'static>, Server)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let deployment = Deployment::new();
        let server = deployment.serve_with(&[SETTINGS, CHEAP].concat());
        (deployment, server)
    })
}

fn line(address: &str) -> Vec<u8> {
    let family = if address.contains(':') { "TCP6" } else { "TCP4" };
    let destination = if address.contains(':') { "::1" } else { "127.0.0.1" };
    format!("PROXY {family} {address} {destination} 40000 8080\r\n").into_bytes()
}

/// Version 2 with the command PROXY and a vector that has to be skipped.
fn binary(address: &str) -> Vec<u8> {
    let (family, mut rest) = match address.parse::<IpAddr>().unwrap() {
        IpAddr::V4(address) => (0x11, [&address.octets()[..], &[127, 0, 0, 1][..]].concat()),
        IpAddr::V6(address) => (0x21, [&address.octets()[..], &[0; 16][..]].concat()),
    };
    rest.extend([0x9c, 0x40, 0x1f, 0x90, 0x01, 0, 2, b'h', b'2']);
    header(0x21, family, &rest)
}

fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[command, family], &length[..], rest].concat()
}

/// A connection that begins with this header.
fn announced(server: &Server, header: &[u8]) -> Client {
    let mut client = server.connect();
    client.send(header);
    client
}

/// The address of the session that a login over this connection opens.
fn session_address(client: &mut Client, email: &str) -> String {
    let tokens = client.new_session(email);
    let sessions = client.authorized("GET", "/auth/sessions", &tokens.access).json();
    sessions["sessions"][0]["address"].as_str().unwrap().to_owned()
}

fn start_with(settings: &[&str]) -> Output {
    let flags = settings.iter().flat_map(|text| ["--set", text]);
    Deployment::new().jeday(["serve"].into_iter().chain(flags)).output().unwrap()
}

#[test]
fn sessions_have_the_address_that_the_proxy_announces() {
    let server = &shared().1;
    for (number, (header, address)) in [
        (line("203.0.113.7"), "203.0.113.7"),
        (line("2001:db8::7"), "2001:db8::7"),
        (line("::ffff:203.0.113.8"), "203.0.113.8"),
        (binary("203.0.113.9"), "203.0.113.9"),
        (binary("2001:db8::9"), "2001:db8::9"),
        // The proxy's own connections, and those of clients that have no address.
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (header(0x20, 0x00, b""), "127.0.0.1"),
        (header(0x20, 0x11, &[0xff; 12]), "127.0.0.1"),
        (header(0x21, 0x00, &[0xff; 9]), "127.0.0.1"),
        (header(0x21, 0x31, &[0; 216]), "127.0.0.1"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = announced(server, &header);
        assert_eq!(session_address(&mut client, &format!("announced{number}@example.com")), address);
    }
}

#[test]
fn header_and_request_may_come_in_any_pieces() {
    let server = &shared().1;
    for header in [line("203.0.113.7"), binary("2001:db8::7")] {
        let whole = [header, request("GET", "/health/live", &[], b"")].concat();
        let mut together = server.connect();
        together.send([&whole[..], &request("GET", "/health/live", &[], b"")[..]].concat());
        assert_eq!((together.reply().status, together.reply().status), (200, 200));
        for cut in 1..whole.len() {
            let mut client = server.connect();
            client.send(&whole[..cut]);
            client.send(&whole[cut..]);
            assert_eq!(client.reply().status, 200, "cut at {cut}");
        }
        let mut slowly = server.connect();
        whole.iter().for_each(|byte| slowly.send([*byte]));
        assert_eq!(slowly.reply().status, 200);
        assert_eq!(slowly.get("/health/live").status, 200, "there is one header a connection");
    }
}

#[test]
fn what_is_no_header_ends_its_connection_without_a_word() {
    let server = &shared().1;
    let count = |page: &Metrics| page.sum("jeday_http_parse_errors_total", &[("kind", "proxy_header")]);
    let before = count(&Metrics::of(server));
    let wrong: &[&[u8]] = &[
        b"GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        b"PROXY TCP4 203.0.113.7 127.0.0.1 40000\r\nGET / HTTP/1.1\r\n\r\n",
        b"PROXY TCP4 203.0.113.7 127.0.0.1 40000 8080\nGET / HTTP/1.1\r\n\r\n",
        b"PROXY TCP6 203.0.113.7 127.0.0.1 40000 8080\r\n",
        b"\x16\x03\x01\x02\x00",
        &header(0x22, 0x11, &[0; 12]),
        &header(0x21, 0x11, &[0; 11]),
        &header(0x21, 0x11, &[0; 5000]),
    ];
    for bytes in wrong {
        announced(server, bytes).expect_end();
    }
    Metrics::once(server, "each is counted", |page| count(page) >= before + wrong.len() as f64);
    assert_eq!(server.await_log("closed a proxy's connection for its header")["address"], "127.0.0.1");
    // A second header is a request that nobody can read.
    let mut twice = announced(server, &[line("203.0.113.7"), line("203.0.113.8")].concat());
    assert_eq!(twice.reply().status, 400);
}

#[test]
fn checks_that_only_connect_are_no_fault_of_anybody() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(SETTINGS);
    for _ in 0..50 {
        let mut finishes = server.connect();
        finishes.finish_sending();
        finishes.expect_end();
        // As a balancer's check does that has seen enough: often it is gone before it is asked for its address.
        let resets = TcpStream::connect(server.address()).unwrap();
        set_socket_linger(&resets, Some(Duration::ZERO)).unwrap();
    }
    let closed = |page: &Metrics| page.sum("jeday_connections_closed_total", &[]);
    let page = Metrics::once(&server, "all have gone", |page| closed(page) >= 100.0);
    assert_eq!(page.sum("jeday_connections_closed_total", &[("reason", "stranger")]), 0.0);
    assert_eq!(page.sum("jeday_http_parse_errors_total", &[]), 0.0);
    assert!(!server.stop().contains("closed a "));
}

#[test]
fn connections_that_come_past_the_proxies_are_closed() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["server.proxy_protocol=required", "server.trusted_proxies=192.0.2.1"]);
    for bytes in [line("192.0.2.1"), binary("203.0.113.7"), request("GET", "/health/live", &[], b"")] {
        announced(&server, &bytes).expect_end();
    }
    let strangers = |page: &Metrics| page.sum("jeday_connections_closed_total", &[("reason", "stranger")]);
    Metrics::once(&server, "they are counted", |page| strangers(page) == 3.0);
    let line = server.await_log("closed a connection that comes from no trusted proxy");
    assert_eq!((line["address"].as_str(), line["level"].as_str()), (Some("127.0.0.1"), Some("WARN")));
    assert_eq!(server.connect_operator().get("/health").status, 200, "the operator comes directly");
}

#[test]
fn limits_count_by_the_announced_address() {
    let deployment = Deployment::new();
    let limit = ["limits.login_failures_per_address=2"];
    let server = deployment.serve_with(&[SETTINGS, CHEAP, &limit].concat());
    let guess = |address: &str, forwarded: &str, number: usize| {
        let body = json!({ "email": format!("user{number}@example.com"), "password": "guess" }).to_string();
        let fields = [("Content-Type", "application/json"), ("X-Forwarded-For", forwarded)];
        let mut client = announced(&server, &line(address));
        client.request("POST", "/auth/login", &fields, body.as_bytes()).status
    };
    // A client's own X-Forwarded-For is not believed: it is no proxy.
    let guesses: Vec<u16> =
        (0..4).map(|number| guess("203.0.113.7", &format!("198.51.100.{number}"), number)).collect();
    assert_eq!(guesses, [401, 401, 429, 429]);
    assert_eq!(guess("203.0.113.8", "203.0.113.7", 9), 401, "of another address");
    // One proxy behind another: what the outer one forwards for is believed.
    let chained: Vec<u16> = (0..4).map(|number| guess("127.0.0.1", "203.0.113.9", number + 10)).collect();
    assert_eq!(chained, [401, 401, 429, 429]);
}

#[test]
fn header_that_does_not_come_is_not_waited_for_for_ever() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[SETTINGS, &["server.header_timeout=300ms"]].concat());
    let mut silent = server.connect();
    let mut slow = announced(&server, b"PROXY TCP4 203.0.113.7");
    let mut served = announced(&server, &line("203.0.113.7"));
    silent.expect_end();
    slow.expect_end();
    Metrics::once(&server, "both are counted", |page| {
        page.sum("jeday_connections_closed_total", &[("reason", "header_timeout")]) == 2.0
    });
    assert_eq!(served.get("/health/live").status, 200, "the next wait is for a request");
}

#[test]
fn stopping_waits_for_no_header() {
    let deployment = Deployment::new();
    let patient = ["server.header_timeout=10m", "server.drain_timeout=10m"];
    let server = deployment.serve_with(&[SETTINGS, &patient].concat());
    let mut silent = server.connect();
    let mut begun = announced(&server, b"PROXY TCP4 203.0.113.7");
    let mut served = announced(&server, &line("203.0.113.7"));
    assert_eq!(served.post(&user("ada@example.com")).status, 201);
    server.stop();
    silent.expect_end();
    begun.expect_end();
    served.expect_end();
}

#[test]
fn required_headers_need_somebody_to_believe() {
    let output = start_with(&["server.proxy_protocol=required"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(told.contains("server.proxy_protocol = \"required\" (from --set)"), "{told}");
    assert!(told.contains("believes the headers of trusted proxies only: server.trusted_proxies = \"none\""), "{told}");
    let output = start_with(&["server.proxy_protocol=optional"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && told.contains("accepted: off or required"), "{told}");
}
