//! `Host`: once, valid, and there at all.

use super::{Line, MALFORMED, OK, closed, plain};

/// The lines are all that stands between method and target, and the end of the head.
pub(super) fn frame(lines: &[u8]) -> Vec<u8> {
    match lines.first() {
        Some(b' ') => [b"GET /health/live", lines, b"\r\n"].concat(),
        _ => [b"GET /health/live HTTP/1.1\r\n", lines, b"\r\n"].concat(),
    }
}

pub(super) const LINES: &[Line] = &[
    ("RFC 9112 3.2", "none", b"", MALFORMED),
    ("RFC 9112 3.2", "none, other fields though", b"Accept: */*\r\n", MALFORMED),
    ("RFC 9112 3.2", "none in HTTP/1.0", b" HTTP/1.0\r\n", closed(&[plain(200)])),
    ("RFC 9112 3.2", "one in HTTP/1.0", b" HTTP/1.0\r\nHost: a\r\n", closed(&[plain(200)])),
    ("RFC 9112 3.2", "a bad one in HTTP/1.0", b" HTTP/1.0\r\nHost: a b\r\n", MALFORMED),
    ("RFC 9112 3.2", "two in HTTP/1.0", b" HTTP/1.0\r\nHost: test\r\nHost: test\r\n", MALFORMED),
    ("RFC 9112 3.2", "two that differ", b"Host: one\r\nHost: two\r\n", MALFORMED),
    ("RFC 9112 3.2", "two that are equal", b"Host: test\r\nhost: test\r\n", MALFORMED),
    ("RFC 9112 3.2", "two with others between", b"Host: a\r\nA: b\r\nHOST: a\r\n", MALFORMED),
    ("RFC 9112 3.2", "two merged", b"Host: one, two\r\n", MALFORMED),
    ("RFC 9112 3.2", "an empty one", b"Host:\r\n", MALFORMED),
    ("RFC 9112 3.2", "white space", b"Host: \t \r\n", MALFORMED),
    ("RFC 9110 7.2", "a name", b"Host: EXAMPLE.com\r\n", OK),
    ("RFC 9110 7.2", "no white space around it", b"Host:test\r\n", OK),
    ("RFC 9110 7.2", "white space around it", b"Host:\t test \t\r\n", OK),
    ("RFC 9110 7.2", "a field name in another case", b"hOsT: test\r\n", OK),
    ("RFC 9110 7.2", "a port", b"Host: test:8080\r\n", OK),
    ("RFC 3986 3.2.3", "an empty port", b"Host: test:\r\n", OK),
    ("RFC 3986 3.2.2", "an address", b"Host: 127.0.0.1:1\r\n", OK),
    ("RFC 3986 3.2.2", "a version 6 address", b"Host: [::1]:8080\r\n", OK),
    ("RFC 3986 3.2.2", "an escape", b"Host: a%20b\r\n", OK),
    ("RFC 3986 3.2.2", "a dot at the end", b"Host: example.com.\r\n", OK),
    ("RFC 3986 3.2.2", "a space within", b"Host: a b\r\n", MALFORMED),
    ("RFC 3986 3.2.2", "a tab within", b"Host: a\tb\r\n", MALFORMED),
    ("RFC 3986 3.2.2", "a slash", b"Host: test/\r\n", MALFORMED),
    ("RFC 3986 3.2.2", "a scheme", b"Host: http://test\r\n", MALFORMED),
    ("RFC 3986 3.2.2", "a query", b"Host: test?x\r\n", MALFORMED),
    ("RFC 3986 3.2.2", "a fragment", b"Host: test#x\r\n", MALFORMED),
    ("RFC 3986 3.2.2", "a backslash", b"Host: te\\st\r\n", MALFORMED),
    ("RFC 3986 3.2.2", "a quoted one", b"Host: \"test\"\r\n", MALFORMED),
    ("RFC 3986 3.2.2", "a half escape", b"Host: test%2\r\n", MALFORMED),
    ("RFC 3986 3.2.2", "bytes outside ASCII", b"Host: t\xc3\xa9st\r\n", MALFORMED),
    ("RFC 9110 4.2.4", "a user's name", b"Host: user@test\r\n", MALFORMED),
    ("RFC 3986 3.2.3", "a port alone", b"Host: :80\r\n", MALFORMED),
    ("RFC 3986 3.2.3", "a port that is no number", b"Host: test:8x\r\n", MALFORMED),
    ("RFC 3986 3.2.3", "a signed port", b"Host: test:+80\r\n", MALFORMED),
    ("RFC 3986 3.2.3", "a port of 17 bits", b"Host: test:65536\r\n", MALFORMED),
    ("RFC 3986 3.2.3", "two ports", b"Host: test:80:80\r\n", MALFORMED),
    ("RFC 3986 3.2.2", "a version 6 address without brackets", b"Host: ::1\r\n", MALFORMED),
    ("RFC 3986 3.2.2", "brackets that do not close", b"Host: [::1\r\n", MALFORMED),
    ("RFC 3986 3.2.2", "something behind the brackets", b"Host: [::1]x\r\n", MALFORMED),
    ("RFC 3986 3.2.2", "a version 4 address in brackets", b"Host: [127.0.0.1]\r\n", MALFORMED),
];
