//! Connections: how long they live by version and field, and that replies come in the order of their requests.

use super::{Line, Outcome, UNDERSTOOD, closed, kept, plain, problem, to_head, with_field};

/// The lines are whole requests, one or more.
pub(super) fn frame(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

const OK: Outcome = kept(&[plain(200)]);
const LAST: Outcome = closed(&[plain(200)]);
/// HTTP/1.0 is told that its wish is granted.
const PERSISTS: Outcome = kept(&[with_field(plain(200), "Connection", "keep-alive")]);
const NO_TUNNEL: Outcome = closed(&[problem(501, "method_unknown")]);

pub(super) const LINES: &[Line] = &[
    ("RFC 9112 9.3", "HTTP/1.1 goes on", b"GET /health HTTP/1.1\r\nHost: test\r\n\r\n", OK),
    (
        "RFC 9112 9.3",
        "and is told so in vain",
        b"GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: keep-alive\r\n\r\n",
        OK,
    ),
    (
        "RFC 9112 9.3",
        "an option that is none of ours",
        b"GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: x, xclose\r\n\r\n",
        OK,
    ),
    ("RFC 9112 9.3", "no option", b"GET /health/live HTTP/1.1\r\nHost: test\r\nConnection:\r\n\r\n", OK),
    ("RFC 9112 9.6", "close", b"GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", LAST),
    (
        "RFC 9112 9.6",
        "close in capitals",
        b"GET /health/live HTTP/1.1\r\nHost: test\r\nCONNECTION: CLOSE\r\n\r\n",
        LAST,
    ),
    (
        "RFC 9112 9.6",
        "close among others",
        b"GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: x, ,\tclose\r\n\r\n",
        LAST,
    ),
    (
        "RFC 9112 9.6",
        "close against keep-alive",
        b"GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, close\r\n\r\n",
        LAST,
    ),
    (
        "RFC 9112 9.6",
        "close in one field of two",
        b"GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n",
        LAST,
    ),
    ("RFC 9112 9.3", "HTTP/1.0 ends", b"GET /health/live HTTP/1.0\r\nHost: test\r\n\r\n", LAST),
    (
        "RFC 9112 9.3",
        "HTTP/1.0 that asks to go on",
        b"GET /health/live HTTP/1.0\r\nHost: test\r\nConnection: Keep-Alive\r\n\r\n",
        PERSISTS,
    ),
    (
        "RFC 9112 9.3",
        "HTTP/1.0 that asks for both",
        b"GET /health/live HTTP/1.0\r\nHost: test\r\nConnection: keep-alive, close\r\n\r\n",
        LAST,
    ),
    (
        "RFC 9112 9.6",
        "nothing behind close is looked at",
        b"GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n\
          GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n",
        LAST,
    ),
    (
        "RFC 9112 9.6",
        "nothing behind the end of HTTP/1.0 is looked at",
        b"GET /health/live HTTP/1.0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        LAST,
    ),
    (
        "RFC 9112 9.6",
        "nothing behind what is malformed is looked at",
        b"GET /health/live HTTP/1.1\r\n\r\nGET /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        super::MALFORMED,
    ),
    (
        "RFC 9112 9.6",
        "nothing behind a bad body is looked at",
        b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: x\r\n\r\n\
          GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        super::BODY_MALFORMED,
    ),
    (
        "RFC 9112 9.3.2",
        "replies in the order of their requests",
        b"GET /health/live HTTP/1.1\r\nHost: test\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: test\r\n\r\n\
          GET /auth/me HTTP/1.1\r\nHost: test\r\n\r\nPOST /health HTTP/1.1\r\nHost: test\r\n\r\n\
          BREW / HTTP/1.1\r\nHost: test\r\n\r\n",
        kept(&[
            plain(200),
            problem(404, "not_found"),
            problem(401, "token_missing"),
            problem(405, "method_not_allowed"),
            problem(501, "method_unknown"),
        ]),
    ),
    (
        "RFC 9112 9.3.2",
        "a reply to HEAD in the midst of others",
        b"GET /health/live HTTP/1.1\r\nHost: test\r\n\r\nHEAD /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n\
          GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        kept(&[plain(200), to_head(200), plain(200)]),
    ),
    (
        "RFC 9112 9.3.2",
        "a request behind a body of a length",
        b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n\
          {\"refresh_token\":\"x\"}GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        kept(&[problem(401, "refresh_token_invalid"), plain(200)]),
    ),
    (
        "RFC 9112 9.3.2",
        "a request behind a body in chunks",
        b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
          Transfer-Encoding: chunked\r\n\r\n15\r\n{\"refresh_token\":\"x\"}\r\n0\r\nX: y\r\n\r\n\
          GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        kept(&[problem(401, "refresh_token_invalid"), plain(200)]),
    ),
    (
        "RFC 9112 9.3.2",
        "requests, then one that is malformed",
        b"GET /health/live HTTP/1.1\r\nHost: test\r\n\r\nGET /health/live HTTP/1.1\r\nHost: test\r\n\r\n\
          GET / HTTP/1.1\r\nX : a\r\n\r\nGET /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        closed(&[plain(200), plain(200), problem(400, "request_malformed")]),
    ),
    (
        "RFC 9112 2.2",
        "an empty line behind a body",
        b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n\
          {\"refresh_token\":\"x\"}\r\nGET /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        kept(&[problem(401, "refresh_token_invalid"), plain(200)]),
    ),
    (
        "RFC 9112 2.2",
        "an empty line and nothing more",
        b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n\
          {\"refresh_token\":\"x\"}\r\n",
        UNDERSTOOD,
    ),
    (
        "RFC 9112 2.2",
        "an empty line between requests, each time",
        b"\r\nGET /health/live HTTP/1.1\r\nHost: test\r\n\r\n\r\nGET /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        kept(&[plain(200), plain(200)]),
    ),
    (
        "RFC 9112 2.2",
        "two empty lines between requests",
        b"GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n\r\n\r\nGET /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        closed(&[plain(200), problem(400, "request_malformed")]),
    ),
    (
        "RFC 9112 11.2",
        "a length that a front may skip, and a request in the body",
        b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n\
          0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        super::MALFORMED,
    ),
    ("RFC 9110 9.3.6", "CONNECT", b"CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\n", NO_TUNNEL),
    (
        "RFC 9110 9.3.6",
        "nothing behind CONNECT is looked at",
        b"CONNECT test:443 HTTP/1.1\r\nHost: test:443\r\n\r\nGET /health/live HTTP/1.1\r\nHost: test\r\n\r\n",
        NO_TUNNEL,
    ),
    ("RFC 9112 3.2.3", "CONNECT without a port", b"CONNECT test HTTP/1.1\r\nHost: test\r\n\r\n", super::MALFORMED),
    ("RFC 9112 3.2.3", "CONNECT with a path", b"CONNECT /health HTTP/1.1\r\nHost: test\r\n\r\n", super::MALFORMED),
    ("RFC 9112 3.2.3", "CONNECT to another than Host", b"CONNECT a:1 HTTP/1.1\r\nHost: a:2\r\n\r\n", super::MALFORMED),
];
