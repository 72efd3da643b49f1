//! Whom the fields name, and whom they cannot make us believe.

use super::*;
use crate::http::head::{self, HeadLimits};
use proptest::prelude::*;

const LIMITS: HeadLimits =
    HeadLimits { head_bytes_max: 1 << 20, method_bytes_max: 32, target_bytes_max: 8_000, fields_max: 64 };

/// The client of a request with these field lines, from the proxy 10.0.0.1.
fn client(fields: &str) -> String {
    client_of("10.0.0.1", fields).to_string()
}

fn client_of(peer: &str, fields: &str) -> IpAddr {
    let trusted = Networks::parse("10.0.0.0/8,2001:db8:ffff::/48").unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: a\r\nOther: 1.2.3.4\r\n{fields}\r\n");
    let (head, _) = head::parse(request.as_bytes(), &LIMITS).unwrap().unwrap();
    client_address(peer.parse().unwrap(), &trusted, head.lines)
}

fn assert_clients(cases: &[(&str, &str)]) {
    for (fields, wanted) in cases {
        assert_eq!(client(fields), *wanted, "{fields}");
    }
}

#[test]
fn only_a_trusted_peer_is_asked_whom_it_forwards_for() {
    let fields = "X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n";
    for (peer, wanted) in [
        ("10.0.0.1", "203.0.113.9"),
        ("::ffff:10.0.0.1", "203.0.113.9"),
        ("2001:db8:ffff::1", "203.0.113.9"),
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
    ] {
        assert_eq!(client_of(peer, fields).to_string(), wanted, "{peer}");
    }
    assert_eq!(client(""), "10.0.0.1");
}

#[test]
fn the_first_address_from_the_right_that_is_no_proxys_is_the_client() {
    assert_clients(&[
        ("X-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"),
        ("x-forwarded-for: 198.51.100.1, 203.0.113.9 ,10.1.1.1, 10.2.2.2\r\n", "203.0.113.9"),
        ("X-Forwarded-For: 198.51.100.1, 203.0.113.9\r\nX-FORWARDED-FOR: 10.1.1.1\r\n", "203.0.113.9"),
        ("X-Forwarded-For: 10.3.3.3, 10.1.1.1\r\n", "10.3.3.3"),
        ("X-Forwarded-For: ,203.0.113.9,, ,\r\nX-Forwarded-For:\r\n", "203.0.113.9"),
        ("Forwarded: for=192.0.2.60;proto=http;by=203.0.113.43\r\n", "192.0.2.60"),
        ("Forwarded: for=203.0.113.9, For=\"[2001:db8:ffff:17::a]:4711\";by=x\r\n", "203.0.113.9"),
        ("Forwarded: for=203.0.113.9\r\nForwarded: FOR=10.0.0.9\r\n", "203.0.113.9"),
        ("Forwarded: by=\"a,b;c\\\"d\"; for=203.0.113.9 ;\r\n", "203.0.113.9"),
    ]);
}

#[test]
fn ports_and_brackets_are_taken_off() {
    assert_clients(&[
        ("X-Forwarded-For: 203.0.113.9:65535\r\n", "203.0.113.9"),
        ("X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7"),
        ("X-Forwarded-For: [2001:db8::7]\r\n", "2001:db8::7"),
        ("X-Forwarded-For: [2001:db8::7]:80\r\n", "2001:db8::7"),
        ("X-Forwarded-For: ::ffff:203.0.113.9\r\n", "203.0.113.9"),
        ("Forwarded: for=\"203.0.113.9:_port\"\r\n", "203.0.113.9"),
        ("Forwarded: for=\"[2001:db8::7]\"\r\n", "2001:db8::7"),
    ]);
}

#[test]
fn what_cannot_be_read_ends_the_search() {
    for broken in [
        "unknown",
        "_hidden",
        "localhost",
        "203.0.113",
        "203.0.113.09",
        "203.0.113.9:",
        "203.0.113.9:x",
        "203.0.113.9:123456",
        "203.0.113.9 198.51.100.1",
        "[203.0.113.9]",
        "[2001:db8::7",
        "[2001:db8::7]80",
        "2001:db8::7%eth0",
        "\u{fc}",
    ] {
        let x_forwarded_for = format!("X-Forwarded-For: 198.51.100.1, {broken}, 10.1.1.1\r\n");
        assert_eq!(client(&x_forwarded_for), "10.1.1.1", "{broken}");
        let forwarded = format!("Forwarded: for=198.51.100.1, for=\"{broken}\", for=10.1.1.1\r\n");
        assert_eq!(client(&forwarded), "10.1.1.1", "{broken}");
        assert_eq!(client(&format!("X-Forwarded-For: {broken}\r\n")), "10.0.0.1", "{broken}");
    }
    for broken in [
        "proto=http",
        "for=203.0.113.9;for=203.0.113.9",
        "for",
        "for=",
        "for =203.0.113.9",
        "for=203.0.113.9:80",
        "for=203.0.113.9 proto=http",
        "for=\"203.0.113.9",
        "=203.0.113.9",
    ] {
        assert_eq!(client(&format!("Forwarded: {broken}, for=10.1.1.1\r\n")), "10.1.1.1", "{broken}");
    }
}

#[test]
fn two_fields_that_disagree_are_both_not_believed() {
    assert_clients(&[
        ("Forwarded: for=203.0.113.9\r\nX-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"),
        ("Forwarded: for=198.51.100.1\r\nX-Forwarded-For: 203.0.113.9\r\n", "10.0.0.1"),
        ("Forwarded: for=unknown\r\nX-Forwarded-For: 203.0.113.9\r\n", "10.0.0.1"),
        ("Forwarded: for=203.0.113.9\r\nX-Forwarded-For: unknown\r\n", "10.0.0.1"),
        ("Forwarded:\r\nX-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"),
    ]);
}

#[test]
fn the_search_has_an_end() {
    let hops = |count: usize| vec!["10.1.1.1"; count].join(",");
    assert_eq!(client(&format!("X-Forwarded-For: 203.0.113.9,{}\r\n", hops(HOPS_MAX - 1))), "203.0.113.9");
    assert_eq!(client(&format!("X-Forwarded-For: 203.0.113.9,{}\r\n", hops(HOPS_MAX))), "10.1.1.1");
}

proptest! {
    #[test]
    fn whatever_a_client_sends_its_address_is_the_one_its_proxy_saw(
        made_up in "[ -~]{0,60}",
        separate in any::<bool>(),
        octets in any::<[u8; 4]>().prop_filter("no proxy", |octets| octets[0] != 10),
    ) {
        let seen = IpAddr::from(octets);
        let joint = if separate { "\r\nNAME: " } else { ", " };
        for (name, hop) in [("X-Forwarded-For", seen.to_string()), ("Forwarded", format!("for={seen}"))] {
            let fields = format!("NAME: {made_up}{joint}{hop}, NEXT\r\n").replace("NAME", name);
            let fields = fields.replace("NEXT", if name == "Forwarded" { "for=10.7.7.7" } else { "10.7.7.7" });
            prop_assert_eq!(client_of("10.0.0.1", &fields), seen);
        }
    }
}
