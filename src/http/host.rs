//! The `Host` field and the authority of a target: `uri-host [ ":" port ]` of RFC 9110 section 7.2, RFC 3986 section
//! 3.2. Only the form is checked; which hosts are ours is nobody's business here.

use std::net::Ipv6Addr;

use super::grammar::{hex_digit, is_reg_name_byte};

/// Whether `text` names a host, with or without a port. User information and an empty host are refused, as they are in
/// the `http` scheme (RFC 9110 section 4.2). A comma is refused although a registered name may hold one: it is what two
/// merged `Host` fields look like.
#[inline]
pub(super) fn is_valid(text: &[u8]) -> bool {
    if text.first() == Some(&b'[') {
        return is_bracketed(text);
    }
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte != b',' && is_reg_name_byte(byte) {
            at += 1;
        } else if byte == b'%' && is_escape(&text[at..]) {
            at += 3;
        } else {
            return at > 0 && byte == b':' && is_port(&text[at + 1..]);
        }
    }
    at > 0
}

/// Whether `text` names a host and a port, as the target of CONNECT must (RFC 9112 section 3.2.3).
pub(super) fn is_valid_with_port(text: &[u8]) -> bool {
    is_valid(text) && text.last().is_some_and(u8::is_ascii_digit) && {
        let digits = text.iter().rev().take_while(|b| b.is_ascii_digit()).count();
        text.get(text.len().wrapping_sub(digits + 1)) == Some(&b':')
    }
}

/// Version 6 addresses only: no other kind of literal was ever defined (RFC 3986 section 3.2.2).
#[cold]
fn is_bracketed(text: &[u8]) -> bool {
    let Some(end) = text.iter().position(|&b| b == b']') else {
        return false;
    };
    let address = std::str::from_utf8(&text[1..end]).is_ok_and(|a| a.parse::<Ipv6Addr>().is_ok());
    address
        && match &text[end + 1..] {
            [] => true,
            [b':', port @ ..] => is_port(port),
            _ => false,
        }
}

/// A port may be empty (RFC 3986 section 3.2.3) but not more than 16 bits.
#[inline]
fn is_port(digits: &[u8]) -> bool {
    digits.len() <= 5
        && digits
            .iter()
            .try_fold(0_u32, |port, &b| b.is_ascii_digit().then(|| port * 10 + u32::from(b - b'0')))
            .is_some_and(|port| port <= u32::from(u16::MAX))
}

fn is_escape(text: &[u8]) -> bool {
    matches!(text, [b'%', high, low, ..] if hex_digit(*high).is_some() && hex_digit(*low).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_and_without_port_are_told_from_other_text() {
        for host in [
            "a",
            "example.com",
            "EXAMPLE.com:443",
            "my_service:8080",
            "10.0.0.1:65535",
            "example.com:",
            "[::1]",
            "[2001:db8::1]:80",
            "xn--bcher-kva.example",
            "a%20b",
        ] {
            assert!(is_valid(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            ":80",
            "a b",
            "a,b",
            "a/b",
            "user@a",
            "a:65536",
            "a:080000",
            "a:8x",
            "a:-1",
            "a:1:2",
            "[::1",
            "[::1]x",
            "[]",
            "[1.2.3.4]",
            "[v1.x]",
            "[fe80::1%25eth0]",
            "::1",
            "a%2",
            "a%zz",
            "a\\b",
            "b\u{fc}cher",
            "a?b",
            "a#b",
            "\"a\"",
            "<a>",
            "a\tb",
        ] {
            assert!(!is_valid(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn connect_needs_a_port() {
        assert!(is_valid_with_port(b"example.com:443"));
        assert!(is_valid_with_port(b"[::1]:1"));
        for text in ["example.com", "example.com:", "1234", "[::1]", ":443", ""] {
            assert!(!is_valid_with_port(text.as_bytes()), "{text}");
        }
    }
}
