//! Heads, and what may stand before them on a connection or be read out of their fields.

use super::{cuts, requests};
use jeday::{
    http::{
        bearer,
        forwarded::client_address,
        head::{self, Head},
        network::Networks,
        path::canonical,
        proxy_protocol,
    },
    limits::{HEAD, PROXY_HEADER_BYTES_MAX},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::LazyLock,
};

/// A proxy of ours, and one that is not.
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

static TRUSTED: LazyLock<Networks> = LazyLock::new(|| Networks::parse("127.0.0.0/8,10.0.0.0/8").expect("are networks"));

/// Requests are the same however they are cut, and are what the grammar of the RFCs has; a head is told from its own
/// bytes; strangers' fields are not believed; a PROXY header is judged as soon as it can be, and stays judged.
pub fn head(bytes: &[u8]) {
    requests::check(bytes, &cuts(bytes));
    requests::check(bytes, &(0..bytes.len()).collect::<Vec<_>>());
    if let Ok(Some((head, length))) = head::parse(bytes, &HEAD) {
        let own = &bytes[..length];
        assert_eq!(head::parse(own, &HEAD), Ok(Some((head, length))), "{}", own.escape_ascii());
        for shorter in [&own[..length - 1], &own[..length / 2]] {
            assert_eq!(head::parse(shorter, &HEAD), Ok(None), "{}", own.escape_ascii());
        }
        fields(&head);
    }
    proxy_header(bytes);
}

fn fields(head: &Head<'_>) {
    let path = canonical(head.target.path);
    assert!(path.len() <= head.target.path.len(), "{path} is longer than {}", head.target.path);
    // What was escaped twice may be unescaped once more; what has no escape stays as it is.
    if !head.target.path.contains('%') {
        assert_eq!(path, head.target.path);
    }
    if let Ok(token) = bearer::token(head.authorization) {
        assert!(head.authorization.is_some_and(|field| field.ends_with(token.as_bytes())));
    }
    assert_eq!(client_address(STRANGER, &TRUSTED, head.lines), STRANGER);
    let client = client_address(PROXY, &TRUSTED, head.lines);
    assert_eq!(client, client.to_canonical(), "an address has one spelling");
}

fn proxy_header(bytes: &[u8]) {
    let parse = |bytes| proxy_protocol::parse(bytes, PROXY_HEADER_BYTES_MAX);
    let whole = parse(bytes);
    for end in cuts(bytes) {
        let part = parse(&bytes[..end]);
        assert!(part == Ok(None) || part == whole, "{part:?}, then {whole:?}: {}", bytes.escape_ascii());
    }
    if let Ok(Some((_, length))) = whole {
        assert_eq!(parse(&bytes[..length]), whole, "{}", bytes.escape_ascii());
        assert_eq!(parse(&bytes[..length - 1]), Ok(None), "{}", bytes.escape_ascii());
    }
}
