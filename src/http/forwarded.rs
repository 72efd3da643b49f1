//! Whom a request comes from when proxies stand between: `Forwarded` (RFC 7239) and `X-Forwarded-For`. Believes nobody
//! but the proxies it is told to trust, and never fails: what cannot be read ends the search where it is.
//!
//! Each proxy adds at the right end whom it got the request from, and whatever stands further left may have been made
//! up by anybody. So the search begins with the peer and goes on to the left for as long as the address it has is a
//! trusted proxy's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::grammar::{is_token, parameter_value, trim_ows};
use super::head::FieldLines;
use super::network::Networks;

/// Proxies that one request went through: more are a loop, or somebody who wants to keep us busy.
const HOPS_MAX: usize = 32;

/// The address of the client: the peer's, or the first one from the right that no trusted proxy has; when the search
/// ends before that, the last one found.
///
/// When the request has both fields they have to agree, and the peer's address holds when they do not: a proxy writes
/// one of them, and may well pass on the other as the client has made it up.
pub fn client_address(peer: IpAddr, trusted: &Networks, lines: FieldLines<'_>) -> IpAddr {
    let peer = peer.to_canonical();
    if !trusted.contain(peer) {
        return peer;
    }
    let forwarded = lines.values("forwarded").rev().flat_map(Elements::of).map(forwarded_for);
    let x_forwarded_for = lines.values("x-forwarded-for").rev().flat_map(elements_without_quotes).map(node);
    match (walk(peer, trusted, forwarded), walk(peer, trusted, x_forwarded_for)) {
        (Some(one), Some(other)) if one != other => peer,
        (one, other) => one.or(other).unwrap_or(peer),
    }
}

/// From the peer on through these hops, of which none is one that cannot be read. None when there are no hops.
fn walk(peer: IpAddr, trusted: &Networks, hops: impl Iterator<Item = Option<IpAddr>>) -> Option<IpAddr> {
    let mut hops = hops.take(HOPS_MAX).peekable();
    hops.peek()?;
    let mut client = peer;
    for address in hops.map_while(|hop| hop) {
        client = address;
        if !trusted.contain(address) {
            break;
        }
    }
    Some(client)
}

/// The elements of a list without quoted strings, from the right. Empty ones are none (RFC 9110 section 5.6.1.2).
fn elements_without_quotes(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.rsplit(|&byte| byte == b',').map(trim_ows).filter(|element| !element.is_empty())
}

/// The elements of a list in which a comma may be quoted, from the right: what a client has put at the left end, such
/// as a quotation mark that it never closes, must not change how the right end reads.
struct Elements<'b> {
    rest: Option<&'b [u8]>,
}

impl<'b> Elements<'b> {
    fn of(line: &'b [u8]) -> Self {
        Self { rest: Some(line) }
    }
}

impl<'b> Iterator for Elements<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        loop {
            let line = self.rest.take()?;
            let mut quoted = false;
            let comma = (0..line.len()).rev().find(|&at| {
                quoted ^= line[at] == b'"' && !is_escaped(line, at);
                line[at] == b',' && !quoted
            });
            let element = match comma {
                Some(at) => {
                    self.rest = Some(&line[..at]);
                    &line[at + 1..]
                }
                None => line,
            };
            match trim_ows(element) {
                b"" => {}
                element => return Some(element),
            }
        }
    }
}

/// Whether the byte stands behind a backslash that is not itself escaped.
fn is_escaped(line: &[u8], at: usize) -> bool {
    line[..at].iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

/// Who stands in the parameter `for` of one element (RFC 7239 section 4). None when it has none, or two.
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    let mut rest = element;
    loop {
        rest = trim_ows(rest);
        if !rest.is_empty() && !rest.starts_with(b";") {
            let equals = rest.iter().position(|&byte| byte == b'=')?;
            let (name, value) = (&rest[..equals], &rest[equals + 1..]);
            let (value, behind) = parameter_value(value).filter(|_| is_token(name))?;
            if name.eq_ignore_ascii_case(b"for") && found.replace(value).is_some() {
                return None;
            }
            rest = trim_ows(behind);
        }
        match rest {
            [] => return node(found?),
            [b';', behind @ ..] => rest = behind,
            _ => return None,
        }
    }
}

/// An address with or without a port (RFC 7239 section 6). Version 6 stands in brackets there; `X-Forwarded-For` has it
/// without. `unknown` and names that a proxy has made up are nobody.
fn node(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let (address, port) = match (text.strip_prefix('['), text.split_once(':')) {
        (Some(bracketed), _) => {
            let (address, behind) = bracketed.split_once(']')?;
            (IpAddr::V6(address.parse::<Ipv6Addr>().ok()?), behind)
        }
        (None, Some((address, port))) if !port.contains(':') => {
            (IpAddr::V4(address.parse::<Ipv4Addr>().ok()?), &text[text.len() - port.len() - 1..])
        }
        (None, _) => (text.parse().ok()?, ""),
    };
    let port_is_valid = match port.strip_prefix(':') {
        Some(port) => is_port(port.as_bytes()),
        None => port.is_empty(),
    };
    port_is_valid.then(|| address.to_canonical())
}

/// A number, or a name that a proxy has made up.
fn is_port(port: &[u8]) -> bool {
    match port {
        [b'_', name @ ..] => is_token(name),
        digits => (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit),
    }
}

#[cfg(test)]
mod tests;
