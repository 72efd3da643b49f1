//! Bodies as such: media type and coding, who may have one, and `100 Continue`.

use super::{Answer, Fate, Line, OK, Outcome, TOO_LARGE, UNDERSTOOD, WAITS, closed, kept, plain, problem, to_head};

/// The lines are whole requests.
pub(super) fn frame(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

const MEDIA_TYPE: Outcome = kept(&[problem(415, "media_type_unsupported")]);
const CODED: Outcome = kept(&[problem(415, "content_coding_unsupported")]);
const INVITED: Outcome = Outcome { answers: &[plain(100)], fate: Fate::Waiting };
const WRONG_TOKEN: Answer = problem(401, "refresh_token_invalid");

macro_rules! typed {
    ($fields:literal) => {
        concat!(
            "POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Length: 21\r\n",
            $fields,
            "\r\n{\"refresh_token\":\"x\"}"
        )
        .as_bytes()
    };
}

pub(super) const LINES: &[Line] = &[
    ("RFC 8259 11", "the media type of JSON", typed!("Content-Type: application/json\r\n"), UNDERSTOOD),
    ("RFC 9110 8.3.1", "it in another case", typed!("content-TYPE: Application/JSON\r\n"), UNDERSTOOD),
    ("RFC 9110 8.3.2", "a charset", typed!("Content-Type: application/json;charset=utf-8\r\n"), UNDERSTOOD),
    (
        "RFC 9110 8.3.2",
        "a charset in capitals",
        typed!("Content-Type: application/json; charset=UTF-8\r\n"),
        UNDERSTOOD,
    ),
    (
        "RFC 9110 8.3.2",
        "a charset in quotes",
        typed!("Content-Type: application/json; charset=\"utf-8\"\r\n"),
        UNDERSTOOD,
    ),
    ("RFC 9110 8.3.1", "another parameter", typed!("Content-Type: application/json; profile=\"a;b\"\r\n"), UNDERSTOOD),
    ("RFC 8259 8.1", "another charset", typed!("Content-Type: application/json; charset=iso-8859-1\r\n"), MEDIA_TYPE),
    ("RFC 8259 8.1", "UTF-16", typed!("Content-Type: application/json; charset=utf-16\r\n"), MEDIA_TYPE),
    (
        "RFC 8259 8.1",
        "two charsets",
        typed!("Content-Type: application/json; charset=utf-8; charset=utf-7\r\n"),
        MEDIA_TYPE,
    ),
    ("RFC 9110 8.3", "no media type", typed!(""), MEDIA_TYPE),
    ("RFC 9110 8.3", "an empty one", typed!("Content-Type:\r\n"), MEDIA_TYPE),
    ("RFC 9110 8.3", "text", typed!("Content-Type: text/plain\r\n"), MEDIA_TYPE),
    ("RFC 9110 8.3", "a form", typed!("Content-Type: application/x-www-form-urlencoded\r\n"), MEDIA_TYPE),
    ("RFC 9110 8.3", "a form in parts", typed!("Content-Type: multipart/form-data; boundary=x\r\n"), MEDIA_TYPE),
    ("RFC 9110 8.3", "a longer name", typed!("Content-Type: application/jsonp\r\n"), MEDIA_TYPE),
    ("RFC 9110 8.3", "a format made of JSON", typed!("Content-Type: application/problem+json\r\n"), MEDIA_TYPE),
    ("RFC 9110 8.3", "any type", typed!("Content-Type: */*\r\n"), MEDIA_TYPE),
    ("RFC 9110 8.3", "half a type", typed!("Content-Type: application\r\n"), MEDIA_TYPE),
    ("RFC 9110 8.3", "two types", typed!("Content-Type: application/json, text/plain\r\n"), MEDIA_TYPE),
    (
        "RFC 9110 8.3.1",
        "a parameter without its value",
        typed!("Content-Type: application/json; charset\r\n"),
        MEDIA_TYPE,
    ),
    (
        "RFC 9110 8.4",
        "no coding",
        typed!("Content-Type: application/json\r\nContent-Encoding: identity\r\n"),
        UNDERSTOOD,
    ),
    ("RFC 9110 8.4", "a coding", typed!("Content-Type: application/json\r\nContent-Encoding: gzip\r\n"), CODED),
    (
        "RFC 9110 8.4",
        "two codings",
        typed!("Content-Type: application/json\r\nContent-Encoding: identity, br\r\n"),
        CODED,
    ),
    (
        "RFC 9112 6.3",
        "a body where none is asked for",
        b"GET /health/live HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello",
        OK,
    ),
    (
        "RFC 9112 6.3",
        "a body that looks like a request, to nothing",
        b"POST /nowhere HTTP/1.1\r\nHost: test\r\nContent-Length: 42\r\n\r\n\
          GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n",
        Outcome { answers: &[problem(404, "not_found")], fate: Fate::KeptIfWhole },
    ),
    (
        "RFC 9112 6.3",
        "a body that looks like a request, by a wrong method",
        b"POST /health/live HTTP/1.1\r\nHost: test\r\nContent-Length: 42\r\n\r\n\
          GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n",
        Outcome { answers: &[problem(405, "method_not_allowed")], fate: Fate::KeptIfWhole },
    ),
    (
        "RFC 9112 9.3",
        "a body that is still to come, to nothing",
        b"POST /nowhere HTTP/1.1\r\nHost: test\r\nContent-Length: 43\r\n\r\n",
        closed(&[problem(404, "not_found")]),
    ),
    (
        "RFC 9112 9.3",
        "a body in chunks, to nothing",
        b"POST /nowhere HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n",
        closed(&[problem(404, "not_found")]),
    ),
    (
        "RFC 9110 9.3.2",
        "a body that is still to come, to HEAD of nothing",
        b"HEAD /nowhere HTTP/1.1\r\nHost: test\r\nContent-Length: 43\r\n\r\n",
        closed(&[to_head(404)]),
    ),
    (
        "RFC 9110 9.3.2",
        "too long a body to HEAD",
        b"HEAD /health HTTP/1.1\r\nHost: test\r\nContent-Length: 16385\r\n\r\n",
        closed(&[to_head(413)]),
    ),
    (
        "RFC 9110 9.3.2",
        "a bad chunk to HEAD",
        b"HEAD /health HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        closed(&[to_head(400)]),
    ),
    (
        "RFC 9110 9.3.2",
        "a bad head of HEAD behind an empty line",
        b"\r\nHEAD /health HTTP/1.1\r\n\r\n",
        closed(&[to_head(400)]),
    ),
    (
        "RFC 9110 10.1.1",
        "a client that waits",
        b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\
          Expect: 100-continue\r\n\r\n",
        INVITED,
    ),
    (
        "RFC 9110 10.1.1",
        "a client that waits with chunks",
        b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n",
        INVITED,
    ),
    (
        "RFC 9110 10.1.1",
        "no invitation for a body that is here already",
        b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\
          Expect: 100-continue\r\n\r\n{\"refresh_token\":\"x\"}",
        UNDERSTOOD,
    ),
    (
        "RFC 9110 10.1.1",
        "no invitation from HTTP/1.0",
        b"POST /auth/refresh HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\
          Expect: 100-continue\r\n\r\n{\"refresh_token\":\"x\"}",
        closed(&[WRONG_TOKEN]),
    ),
    (
        "RFC 9110 10.1.1",
        "none in HTTP/1.0 before the body either",
        b"POST /auth/refresh HTTP/1.0\r\nContent-Length: 21\r\nExpect: 100-continue\r\n\r\n",
        WAITS,
    ),
    (
        "RFC 9110 10.1.1",
        "none to a body of no length",
        b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\
          Expect: 100-continue\r\n\r\n",
        kept(&[problem(400, "json_invalid")]),
    ),
    (
        "RFC 9110 10.1.1",
        "none to a body that goes nowhere",
        b"POST /nowhere HTTP/1.1\r\nHost: test\r\nContent-Length: 21\r\nExpect: 100-continue\r\n\r\n",
        closed(&[problem(404, "not_found")]),
    ),
    (
        "RFC 9110 10.1.1",
        "none to a body by a wrong method",
        b"PUT /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Length: 21\r\nExpect: 100-continue\r\n\r\n",
        closed(&[problem(405, "method_not_allowed")]),
    ),
    (
        "RFC 9110 10.1.1",
        "none to a body that is too large",
        b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Length: 16385\r\nExpect: 100-continue\r\n\r\n",
        TOO_LARGE,
    ),
    (
        "RFC 9112 6.3",
        "a body shorter than its length",
        b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Length: 22\r\n\r\n{\"refresh_token\":\"x\"}",
        WAITS,
    ),
    (
        "RFC 9112 6.3",
        "a body longer than its length",
        b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n\
          {\"refresh_token\":\"x\"}}",
        closed(&[WRONG_TOKEN, problem(400, "request_malformed")]),
    ),
    (
        "RFC 9112 6.3",
        "a body and two empty lines",
        b"POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n\
          {\"refresh_token\":\"x\"}\r\n\r\n",
        closed(&[WRONG_TOKEN, problem(400, "request_malformed")]),
    ),
];
