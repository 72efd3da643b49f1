//! The request line: method, target and version with one space between them, and CRLF.

use super::{Line, MALFORMED, NOT_FOUND, OK, WAITS, closed, kept, problem};

/// The lines are whole requests.
pub(super) fn frame(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

pub(super) const LINES: &[Line] = &[
    ("RFC 9112 3", "a plain request", b"GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n", OK),
    ("RFC 9112 3", "no version", b"GET /health/live\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3", "a method alone", b"GET\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3", "no method", b"/health/live HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3", "one word", b"nonsense\r\n\r\n", MALFORMED),
    ("RFC 9112 3", "four words", b"GET /health/live x HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3", "two spaces in front of the target", b"GET  / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3", "two spaces behind the target", b"GET /  HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3", "a tab for a space", b"GET\t/ HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3", "a tab for the other space", b"GET /\tHTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3", "a form feed for a space", b"GET\x0c/ HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3", "a space in front", b" GET / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3", "a space at the end", b"GET / HTTP/1.1 \r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3.1", "a method that is no token", b"G(T / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3.1", "a method with a colon", b"GET: / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3.1", "a method with a NUL", b"G\0T / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3.1", "a method outside ASCII", b"G\xc3\x89T / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3.1", "a quoted method", b"\"GET\" / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.3", "a version in small letters", b"GET / http/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.3", "no minor version", b"GET / HTTP/1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.3", "half a minor version", b"GET / HTTP/1.\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.3", "a minor version of two digits", b"GET / HTTP/1.10\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.3", "a major version of two digits", b"GET / HTTP/01.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.3", "a letter for a version", b"GET / HTTP/x.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.3", "a signed version", b"GET / HTTP/+1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.3", "a space within the version", b"GET / HTTP/ 1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.3", "a comma in the version", b"GET / HTTP/1,1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.3", "another protocol", b"GET / ICY/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.3", "a protocol that ends alike", b"GET / XHTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 3", "TLS instead of HTTP", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n", MALFORMED),
    ("RFC 9112 3", "SOCKS instead of HTTP", b"\x05\x01\0\x05\x01\0\x03\x04test\0P", MALFORMED),
    ("RFC 9110 2.5", "a minor version to come", b"GET /health/live HTTP/1.2\r\nHost: test\r\n\r\n", OK),
    ("RFC 9110 15.6.6", "HTTP/0.9 that says so", b"GET / HTTP/0.9\r\nHost: test\r\n\r\n", UNSUPPORTED),
    ("RFC 9110 15.6.6", "HTTP/2.0", b"GET / HTTP/2.0\r\nHost: test\r\n\r\n", UNSUPPORTED),
    ("RFC 9110 15.6.6", "HTTP/9.9", b"GET / HTTP/9.9\r\nHost: test\r\n\r\n", UNSUPPORTED),
    ("RFC 9113 3.4", "the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", UNSUPPORTED),
    ("RFC 9112 2.2", "a bare LF behind the line", b"GET / HTTP/1.1\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.2", "bare LF throughout", b"GET /health/live HTTP/1.1\nHost: test\n\n", MALFORMED),
    ("RFC 9112 2.2", "a bare CR behind the line", b"GET / HTTP/1.1\rHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.2", "CR twice behind the line", b"GET / HTTP/1.1\r\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.2", "a bare CR in the target", b"GET /health\r/live HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.2", "a bare CR in front", b"\rGET / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.2", "a bare LF in front", b"\nGET / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.2", "an empty line in front", b"\r\nGET /health/live HTTP/1.1\r\nHost: test\r\n\r\n", OK),
    ("RFC 9112 2.2", "two empty lines in front", b"\r\n\r\nGET / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.2", "an empty line, then a bare LF", b"\r\n\nGET / HTTP/1.1\r\nHost: test\r\n\r\n", MALFORMED),
    ("RFC 9112 2.2", "an empty line and nothing else", b"\r\n", WAITS),
    ("RFC 9112 2.2", "an empty line that is not whole", b"\r", WAITS),
    ("RFC 9112 3", "half a line", b"GET /health/live HT", WAITS),
    ("RFC 9112 3", "a line and no end of the head", b"GET /health/live HTTP/1.1\r\n", WAITS),
    ("RFC 9110 9.1", "a method that nobody knows", b"BREW / HTTP/1.1\r\nHost: test\r\n\r\n", METHOD_UNKNOWN),
    ("RFC 9110 9.1", "a method in small letters", b"get /health HTTP/1.1\r\nHost: test\r\n\r\n", METHOD_UNKNOWN),
    ("RFC 9110 9.1", "a method of odd characters", b"!#$%&'*+-.^_`|~ / HTTP/1.1\r\nHost: test\r\n\r\n", METHOD_UNKNOWN),
    (
        "RFC 9110 9.1",
        "a method longer than any",
        b"EXTRAORDINARILYLONG / HTTP/1.1\r\nHost: test\r\n\r\n",
        METHOD_TOO_LONG,
    ),
    ("RFC 9110 9.1", "a method without an end", b"EXTRAORDINARILYLONG", METHOD_TOO_LONG),
    ("RFC 9112 3.2.4", "the server as a whole", b"OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n", NOT_FOUND),
];

const METHOD_UNKNOWN: super::Outcome = kept(&[problem(501, "method_unknown")]);
const METHOD_TOO_LONG: super::Outcome = closed(&[problem(501, "method_unknown")]);
const UNSUPPORTED: super::Outcome = closed(&[problem(505, "version_unsupported")]);
