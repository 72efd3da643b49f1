//! Bounds: each at its edge, just kept and just passed, and passed by what never ends.

use super::{
    BODY, BODY_MALFORMED, Made, NOT_FOUND, OK, Outcome, TOO_LARGE, UNDERSTOOD, WAITS, closed,
    json::{self, REFUSED},
    problem,
};
use jeday::limits::{BODY as BODY_LIMITS, HEAD as HEAD_LIMITS};

const TARGET_TOO_LONG: Outcome = closed(&[problem(414, "target_too_long")]);
const HEADER_TOO_LARGE: Outcome = closed(&[problem(431, "header_too_large")]);
const TOO_MANY_FIELDS: Outcome = closed(&[problem(431, "too_many_fields")]);
const TRAILERS_TOO_LARGE: Outcome = closed(&[problem(431, "trailers_too_large")]);

pub(super) const CASES: &[Made] = &[
    ("RFC 9112 3", "the longest target", || target(8_000), NOT_FOUND),
    ("RFC 9110 15.5.15", "a byte more", || target(8_001), TARGET_TOO_LONG),
    ("RFC 9110 15.5.15", "a long query", || format!("GET /?{}", "x".repeat(8_100)).into(), TARGET_TOO_LONG),
    ("RFC 9110 15.5.15", "a target without an end", || format!("GET /{}", "x".repeat(8_100)).into(), TARGET_TOO_LONG),
    ("RFC 6585 5", "the largest head", || head(HEAD_LIMITS.head_bytes_max), OK),
    ("RFC 6585 5", "a byte more", || head(HEAD_LIMITS.head_bytes_max + 1), HEADER_TOO_LARGE),
    ("RFC 6585 5", "much more", || head(4 * HEAD_LIMITS.head_bytes_max), HEADER_TOO_LARGE),
    ("RFC 6585 5", "a head without an end", || endless(HEAD_LIMITS.head_bytes_max), HEADER_TOO_LARGE),
    ("RFC 6585 5", "that is a byte short of it", || endless(HEAD_LIMITS.head_bytes_max - 1), WAITS),
    ("RFC 6585 5", "as many fields as allowed", || fields(HEAD_LIMITS.fields_max), OK),
    ("RFC 6585 5", "one more", || fields(HEAD_LIMITS.fields_max + 1), TOO_MANY_FIELDS),
    ("RFC 6585 5", "many more", || fields(10 * HEAD_LIMITS.fields_max), TOO_MANY_FIELDS),
    ("RFC 9110 15.5.14", "the largest body", || padded(BODY_LIMITS.body_bytes_max as usize), UNDERSTOOD),
    ("RFC 9110 15.5.14", "a byte more", || padded(BODY_LIMITS.body_bytes_max as usize + 1), TOO_LARGE),
    ("RFC 9110 15.5.14", "the largest body in chunks", || chunked(BODY_LIMITS.body_bytes_max as usize), UNDERSTOOD),
    ("RFC 9110 15.5.14", "a byte more in chunks", || chunked(BODY_LIMITS.body_bytes_max as usize + 1), TOO_LARGE),
    ("RFC 9110 15.5.14", "a large one that is sent all the same", || padded(100_000), TOO_LARGE),
    ("RFC 9112 7.1.1", "as much of extensions as allowed", || extended(BODY_LIMITS.extension_bytes_max), UNDERSTOOD),
    ("RFC 9112 7.1.1", "a byte more", || extended(BODY_LIMITS.extension_bytes_max + 1), BODY_MALFORMED),
    ("RFC 9112 7.1.1", "an extension without an end", || chunks(&format!("15;{}", "x".repeat(2_000))), BODY_MALFORMED),
    ("RFC 9112 7.1.1", "many small chunks with extensions", || chunks(&"1;x=y\r\n{\r\n".repeat(400)), BODY_MALFORMED),
    ("RFC 9110 6.5", "as many trailers as allowed", || trailers(BODY_LIMITS.trailer_fields_max), UNDERSTOOD),
    ("RFC 9110 6.5", "one more", || trailers(BODY_LIMITS.trailer_fields_max + 1), TRAILERS_TOO_LARGE),
    (
        "RFC 9110 6.5",
        "a trailer without an end",
        || chunks(&format!("0\r\nX: {}", "x".repeat(2_000))),
        TRAILERS_TOO_LARGE,
    ),
    ("RFC 8259 9", "depth that is looked into", || nested(100, "[", "]"), UNDERSTOOD),
    ("RFC 8259 9", "too deep", || nested(128, "[", "]"), REFUSED),
    ("RFC 8259 9", "much too deep", || nested(8_000, "[", "]"), REFUSED),
    ("RFC 8259 9", "objects too deep", || nested(1_000, "{\"a\":", "}"), REFUSED),
    ("RFC 8259 9", "arrays in place of the object", || json::frame(&b"[".repeat(16_000)), REFUSED),
    ("RFC 8259 9", "names without end", || json::frame(&names(1_200)), UNDERSTOOD),
];

fn target(length: usize) -> Vec<u8> {
    format!("GET /{} HTTP/1.1\r\nHost: test\r\n\r\n", "x".repeat(length - 1)).into()
}

fn endless(length: usize) -> Vec<u8> {
    let start = "GET /health/live HTTP/1.1\r\nHost: test\r\nX: ";
    format!("{start}{}", "x".repeat(length - start.len())).into()
}

fn head(length: usize) -> Vec<u8> {
    [&endless(length - 4)[..], b"\r\n\r\n"].concat()
}

/// `Host` is one of them.
fn fields(count: usize) -> Vec<u8> {
    format!("GET /health/live HTTP/1.1\r\nHost: test\r\n{}\r\n", "X: 1\r\n".repeat(count - 1)).into()
}

fn content(length: usize) -> Vec<u8> {
    [BODY, &b" ".repeat(length - BODY.len())].concat()
}

fn padded(length: usize) -> Vec<u8> {
    json::frame(&content(length))
}

fn chunks(body: &str) -> Vec<u8> {
    super::chunks::frame(body.as_bytes())
}

fn chunked(length: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in content(length).chunks(1_000) {
        body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    super::chunks::frame(&body)
}

/// So many bytes of extensions, the CR behind them counted.
fn extended(length: usize) -> Vec<u8> {
    chunks(&format!("15;{}\r\n{{\"refresh_token\":\"x\"}}\r\n0\r\n\r\n", "x".repeat(length - 1)))
}

fn trailers(count: usize) -> Vec<u8> {
    chunks(&format!("15\r\n{{\"refresh_token\":\"x\"}}\r\n0\r\n{}\r\n", "X: 1\r\n".repeat(count)))
}

/// A member that nobody asked for, so deep.
fn nested(depth: usize, open: &str, close: &str) -> Vec<u8> {
    let content = format!("{{\"refresh_token\":\"x\",\"a\":{}{}}}", open.repeat(depth), close.repeat(depth));
    json::frame(content.as_bytes())
}

fn names(count: usize) -> Vec<u8> {
    let members: String = (0..count).map(|number| format!(",\"{number}\":0")).collect();
    format!("{{\"refresh_token\":\"x\"{members}}}").into()
}
