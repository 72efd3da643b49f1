//! How long a body is: one plain number, or chunks, or no body; never two answers.

use super::{Line, MALFORMED, Outcome, POST, TOO_LARGE, UNDERSTOOD, closed, kept, problem};

/// The lines follow the media type: framing fields, the empty line, the body. A line that begins with a space begins
/// with the version instead.
pub(super) fn frame(rest: &[u8]) -> Vec<u8> {
    match rest.first() {
        Some(b' ') => [b"POST /auth/refresh", rest].concat(),
        _ => [POST, rest].concat(),
    }
}

const CODING_UNKNOWN: Outcome = closed(&[problem(501, "transfer_coding_unknown")]);
const NO_JSON: Outcome = kept(&[problem(400, "json_invalid")]);

pub(super) const LINES: &[Line] = &[
    ("RFC 9112 6.2", "a length", b"Content-Length: 21\r\n\r\n{\"refresh_token\":\"x\"}", UNDERSTOOD),
    ("RFC 9112 6.2", "white space around it", b"Content-Length:\t 21 \r\n\r\n{\"refresh_token\":\"x\"}", UNDERSTOOD),
    ("RFC 9112 6.2", "zeros in front", b"Content-Length: 0021\r\n\r\n{\"refresh_token\":\"x\"}", UNDERSTOOD),
    ("RFC 9112 6.2", "a length of 0", b"Content-Length: 0\r\n\r\n", NO_JSON),
    ("RFC 9112 6.3", "no length is no body", b"\r\n", NO_JSON),
    ("RFC 9110 8.6", "a plus", b"Content-Length: +21\r\n\r\n{\"refresh_token\":\"x\"}", MALFORMED),
    ("RFC 9110 8.6", "a minus", b"Content-Length: -21\r\n\r\n{\"refresh_token\":\"x\"}", MALFORMED),
    ("RFC 9110 8.6", "minus nothing", b"Content-Length: -0\r\n\r\n", MALFORMED),
    ("RFC 9110 8.6", "a space within", b"Content-Length: 2 1\r\n\r\n{\"refresh_token\":\"x\"}", MALFORMED),
    ("RFC 9110 8.6", "a tab within", b"Content-Length: 2\t1\r\n\r\n{\"refresh_token\":\"x\"}", MALFORMED),
    ("RFC 9110 8.6", "hexadecimal", b"Content-Length: 0x15\r\n\r\n{\"refresh_token\":\"x\"}", MALFORMED),
    ("RFC 9110 8.6", "a letter behind", b"Content-Length: 21a\r\n\r\n{\"refresh_token\":\"x\"}", MALFORMED),
    ("RFC 9110 8.6", "a fraction", b"Content-Length: 21.0\r\n\r\n{\"refresh_token\":\"x\"}", MALFORMED),
    ("RFC 9110 8.6", "an exponent", b"Content-Length: 2e1\r\n\r\n{\"refresh_token\":\"x\"}", MALFORMED),
    ("RFC 9110 8.6", "an underscore", b"Content-Length: 2_1\r\n\r\n{\"refresh_token\":\"x\"}", MALFORMED),
    ("RFC 9110 8.6", "quotes", b"Content-Length: \"21\"\r\n\r\n{\"refresh_token\":\"x\"}", MALFORMED),
    ("RFC 9110 8.6", "a semicolon", b"Content-Length: 21;\r\n\r\n{\"refresh_token\":\"x\"}", MALFORMED),
    ("RFC 9110 8.6", "digits outside ASCII", b"Content-Length: \xd9\xa2\xd9\xa1\r\n\r\n", MALFORMED),
    ("RFC 9110 8.6", "nothing", b"Content-Length:\r\n\r\n", MALFORMED),
    ("RFC 9110 8.6", "white space", b"Content-Length: \r\n\r\n", MALFORMED),
    ("RFC 9110 8.6", "a folded length", b"Content-Length:\r\n 21\r\n\r\n", MALFORMED),
    ("RFC 9112 6.3", "a list of lengths that differ", b"Content-Length: 21, 22\r\n\r\n", MALFORMED),
    ("RFC 9112 6.3", "a list of equal lengths", b"Content-Length: 21, 21\r\n\r\n", MALFORMED),
    ("RFC 9112 6.3", "a list with an empty place", b"Content-Length: 21,\r\n\r\n", MALFORMED),
    ("RFC 9112 6.3", "two lengths that differ", b"Content-Length: 21\r\nContent-Length: 0\r\n\r\n", MALFORMED),
    ("RFC 9112 6.3", "two equal lengths", b"Content-Length: 21\r\ncontent-length: 21\r\n\r\n", MALFORMED),
    ("RFC 9112 6.3", "65 bits", b"Content-Length: 18446744073709551616\r\n\r\n", MALFORMED),
    ("RFC 9112 6.3", "65 bits that wrap to 21", b"Content-Length: 18446744073709551637\r\n\r\n", MALFORMED),
    ("RFC 9112 6.3", "20 nines", b"Content-Length: 99999999999999999999\r\n\r\n", MALFORMED),
    ("RFC 9110 15.5.14", "64 bits", b"Content-Length: 18446744073709551615\r\n\r\n", TOO_LARGE),
    ("RFC 9110 15.5.14", "a byte more than allowed", b"Content-Length: 16385\r\n\r\n", TOO_LARGE),
    ("RFC 9112 6.1", "chunks", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", NO_JSON),
    ("RFC 9112 6.1", "chunks in another case", b"transfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n", NO_JSON),
    ("RFC 9112 6.1", "white space around them", b"Transfer-Encoding:\t chunked \r\n\r\n0\r\n\r\n", NO_JSON),
    (
        "RFC 9112 6.1",
        "a length beside them",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        MALFORMED,
    ),
    (
        "RFC 9112 6.1",
        "a length behind them",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        MALFORMED,
    ),
    (
        "RFC 9112 6.1",
        "a length of 0 beside them",
        b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
        MALFORMED,
    ),
    (
        "RFC 9112 6.1",
        "a length beside another coding",
        b"Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\n",
        MALFORMED,
    ),
    ("RFC 9112 6.1", "chunked twice", b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", MALFORMED),
    ("RFC 9112 6.1", "in two fields", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", MALFORMED),
    ("RFC 9112 6.1", "another coding behind it", b"Transfer-Encoding: chunked, gzip\r\n\r\n", MALFORMED),
    (
        "RFC 9112 6.1",
        "another in the next field",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n",
        MALFORMED,
    ),
    ("RFC 9112 6.1", "identity behind it", b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", MALFORMED),
    ("RFC 9112 6.3", "another coding alone", b"Transfer-Encoding: gzip\r\n\r\n", MALFORMED),
    ("RFC 9112 6.3", "identity", b"Transfer-Encoding: identity\r\n\r\n", MALFORMED),
    ("RFC 9112 6.3", "nothing", b"Transfer-Encoding:\r\n\r\n", MALFORMED),
    ("RFC 9112 7", "an empty place behind it", b"Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", MALFORMED),
    ("RFC 9112 7", "an empty place in front", b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", MALFORMED),
    ("RFC 9112 7", "a parameter", b"Transfer-Encoding: chunked;x=1\r\n\r\n0\r\n\r\n", MALFORMED),
    ("RFC 9112 7", "quotes", b"Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", MALFORMED),
    ("RFC 9112 7", "a word that ends alike", b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", MALFORMED),
    ("RFC 9112 7", "a vertical tab in front", b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", MALFORMED),
    ("RFC 9112 7", "a word that begins alike", b"Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n", MALFORMED),
    ("RFC 9112 5.2", "a folded coding", b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", MALFORMED),
    ("RFC 9112 6.1", "in HTTP/1.0", b" HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", MALFORMED),
    ("RFC 9110 15.6.2", "an unknown coding", b"Transfer-Encoding: gzip, chunked\r\n\r\n", CODING_UNKNOWN),
    ("RFC 9110 15.6.2", "identity in front", b"Transfer-Encoding: identity, chunked\r\n\r\n", CODING_UNKNOWN),
    (
        "RFC 9110 15.6.2",
        "in two fields",
        b"Transfer-Encoding: br\r\nTransfer-Encoding: chunked\r\n\r\n",
        CODING_UNKNOWN,
    ),
    (
        "RFC 9112 6.1",
        "a name that only looks like it",
        b"Transfer_Encoding: chunked\r\nContent-Length: 21\r\n\r\n{\"refresh_token\":\"x\"}",
        UNDERSTOOD,
    ),
];
