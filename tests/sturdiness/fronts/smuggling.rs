//! Requests that two parsers may read differently, each made so that one reading has another request in it: one for
//! what the proxy lets nobody ask for. Short; every rule of the server's parser has its cases elsewhere.

use super::front::FORBIDDEN;

/// A request that asks for nothing but this.
pub(super) fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n").into_bytes()
}

/// The same bytes, and behind them an innocent request which is the last of its connection.
pub(super) fn followed_by_innocent(bytes: &[u8]) -> Vec<u8> {
    [bytes, b"GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"].concat()
}

/// What each attempt is called, and its bytes.
pub(super) fn attempts() -> Vec<(String, Vec<u8>)> {
    let smuggled = String::from_utf8(get(FORBIDDEN)).unwrap();
    // The next request on the connection would be swallowed as the value of a field.
    let open_smuggled = format!("GET {FORBIDDEN} HTTP/1.1\r\nHost: test\r\nX: ");
    let mut attempts = Vec::new();
    for inner in [&smuggled, &open_smuggled] {
        let after_last_chunk = format!("0\r\n\r\n{inner}");
        let in_chunk = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
        for (name, fields) in BOTH_FRAMINGS {
            attempts.push((format!("{name}, length counts"), post(fields, &after_last_chunk)));
        }
        for (name, fields) in BOTH_FRAMINGS {
            let fields = fields.replace("LENGTH", "4");
            attempts.push((format!("{name}, chunks count"), post(&fields, &in_chunk)));
        }
        attempts.extend(LENGTHS.iter().map(|(name, fields)| ((*name).to_owned(), post(fields, inner))));
    }
    for (name, body) in CHUNKS {
        let body = body.replace("SMUGGLED", &smuggled);
        attempts.push(((*name).to_owned(), post("Transfer-Encoding: chunked\r\n", &body)));
    }
    attempts.extend(HEADS.iter().map(|(name, text)| ((*name).to_owned(), text.replace("SMUGGLED", &smuggled).into())));
    for (name, target) in TARGETS {
        attempts.push((format!("target {name}"), get(target)));
    }
    attempts
}

/// `LENGTH` stands for that of the body.
fn post(fields: &str, body: &str) -> Vec<u8> {
    let fields = fields.replace("LENGTH", &body.len().to_string());
    let start = "POST /auth/refresh HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n";
    format!("{start}{fields}\r\n{body}").into_bytes()
}

/// Fields that say the length of the body and that it comes in chunks, one of them in a way that not everybody
/// understands.
const BOTH_FRAMINGS: &[(&str, &str)] = &[
    ("length and chunked", "Content-Length: LENGTH\r\nTransfer-Encoding: chunked\r\n"),
    ("chunked and length", "Transfer-Encoding: chunked\r\nContent-Length: LENGTH\r\n"),
    ("in capitals", "Content-Length: LENGTH\r\nTRANSFER-ENCODING: CHUNKED\r\n"),
    ("xchunked", "Content-Length: LENGTH\r\nTransfer-Encoding: xchunked\r\n"),
    ("space before colon", "Content-Length: LENGTH\r\nTransfer-Encoding : chunked\r\n"),
    ("length with space before colon", "Content-Length : LENGTH\r\nTransfer-Encoding: chunked\r\n"),
    ("tab before coding", "Content-Length: LENGTH\r\nTransfer-Encoding:\tchunked\r\n"),
    ("vertical tab before coding", "Content-Length: LENGTH\r\nTransfer-Encoding: \x0bchunked\r\n"),
    ("form feed after coding", "Content-Length: LENGTH\r\nTransfer-Encoding: chunked\x0c\r\n"),
    ("NUL in coding", "Content-Length: LENGTH\r\nTransfer-Encoding: chunked\0\r\n"),
    ("space before name", "Content-Length: LENGTH\r\n Transfer-Encoding: chunked\r\n"),
    ("folded coding", "Content-Length: LENGTH\r\nTransfer-Encoding:\r\n chunked\r\n"),
    ("bare LF before name", "Content-Length: LENGTH\r\nX: x\nTransfer-Encoding: chunked\r\n"),
    ("bare CR before name", "Content-Length: LENGTH\r\nX: x\rTransfer-Encoding: chunked\r\n"),
    ("colon on the next line", "Content-Length: LENGTH\r\nTransfer-Encoding\r\n: chunked\r\n"),
    ("chunked, then another", "Content-Length: LENGTH\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"),
    ("another, then chunked", "Content-Length: LENGTH\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n"),
    ("chunked, identity", "Content-Length: LENGTH\r\nTransfer-Encoding: chunked, identity\r\n"),
    ("identity, chunked", "Content-Length: LENGTH\r\nTransfer-Encoding: identity, chunked\r\n"),
    ("identity", "Content-Length: LENGTH\r\nTransfer-Encoding: identity\r\n"),
    ("gzip, chunked", "Content-Length: LENGTH\r\nTransfer-Encoding: gzip, chunked\r\n"),
    ("chunked twice", "Content-Length: LENGTH\r\nTransfer-Encoding: chunked, chunked\r\n"),
    ("quoted", "Content-Length: LENGTH\r\nTransfer-Encoding: \"chunked\"\r\n"),
    ("with a parameter", "Content-Length: LENGTH\r\nTransfer-Encoding: chunked;q=1\r\n"),
    ("empty coding", "Content-Length: LENGTH\r\nTransfer-Encoding:\r\n"),
    ("underscore", "Content-Length: LENGTH\r\nTransfer_Encoding: chunked\r\n"),
    ("underscore in length", "Content_Length: LENGTH\r\nTransfer-Encoding: chunked\r\n"),
    (
        "coding for this hop",
        "Connection: Transfer-Encoding\r\nContent-Length: LENGTH\r\nTransfer-Encoding: chunked\r\n",
    ),
    ("length for this hop", "Connection: Content-Length\r\nContent-Length: LENGTH\r\nTransfer-Encoding: chunked\r\n"),
];

/// Lengths that may be read as another, or not at all.
const LENGTHS: &[(&str, &str)] = &[
    ("no length", ""),
    ("length of nothing", "Content-Length: 0\r\n"),
    ("length, nothing", "Content-Length: LENGTH\r\nContent-Length: 0\r\n"),
    ("nothing, length", "Content-Length: 0\r\nContent-Length: LENGTH\r\n"),
    ("length twice", "Content-Length: LENGTH\r\nContent-Length: LENGTH\r\n"),
    ("list of lengths", "Content-Length: LENGTH, LENGTH\r\n"),
    ("list with nothing", "Content-Length: 0, LENGTH\r\n"),
    ("plus", "Content-Length: +LENGTH\r\n"),
    ("minus", "Content-Length: -LENGTH\r\n"),
    ("hexadecimal", "Content-Length: 0xLENGTH\r\n"),
    ("leading zeros", "Content-Length: 0000LENGTH\r\n"),
    ("two numbers", "Content-Length: LENGTH 0\r\n"),
    ("fraction", "Content-Length: LENGTH.0\r\n"),
    ("exponent", "Content-Length: LENGTHe0\r\n"),
    ("vertical tab", "Content-Length: LENGTH\x0b\r\n"),
    ("2^64 and more", "Content-Length: 18446744073709551616\r\n"),
    ("empty length", "Content-Length:\r\n"),
    ("folded length", "Content-Length:\r\n LENGTH\r\n"),
    ("length behind a bare LF", "X: x\nContent-Length: LENGTH\r\n"),
    ("space before colon of length", "Content-Length : LENGTH\r\n"),
    ("length is for this hop", "Connection: close, Content-Length\r\nContent-Length: LENGTH\r\n"),
    ("continue", "Expect: 100-continue\r\nContent-Length: LENGTH\r\n"),
    ("continue with nothing", "Expect: 100-continue\r\nContent-Length: 0\r\n"),
    ("something else expected", "Expect: 100-continue, x\r\nContent-Length: LENGTH\r\n"),
];

/// Chunks whose end may be seen elsewhere.
const CHUNKS: &[(&str, &str)] = &[
    ("last chunk, then another request", "0\r\n\r\nSMUGGLED"),
    ("extension", "0;x=y\r\n\r\nSMUGGLED"),
    ("extension with a quoted line end", "0;x=\"\r\n\r\nSMUGGLED\"\r\n\r\n"),
    ("extension with a bare LF", "2;\nxx\r\n0\r\n\r\nSMUGGLED"),
    ("extension with a bare CR", "2;\rxx\r\n0\r\n\r\nSMUGGLED"),
    ("bare LF behind size", "0\n\r\nSMUGGLED"),
    ("bare LFs", "0\n\nSMUGGLED"),
    ("bare LF behind data", "2\r\n{}\n0\r\n\r\nSMUGGLED"),
    ("nothing behind data", "2\r\n{}0\r\n\r\nSMUGGLED"),
    ("more data than the size", "2\r\n{}xx\r\n0\r\n\r\nSMUGGLED"),
    ("size with 0x", "0x2\r\n{}\r\n0\r\n\r\nSMUGGLED"),
    ("size with plus", "+2\r\n{}\r\n0\r\n\r\nSMUGGLED"),
    ("size with minus", "-2\r\n{}\r\n0\r\n\r\nSMUGGLED"),
    ("space before size", " 2\r\n{}\r\n0\r\n\r\nSMUGGLED"),
    ("space behind size", "2 \r\n{}\r\n0\r\n\r\nSMUGGLED"),
    ("underscore in size", "0_2\r\n{}\r\n0\r\n\r\nSMUGGLED"),
    ("no size", "\r\n{}\r\n0\r\n\r\nSMUGGLED"),
    ("size with many zeros", "00000000000000000000002\r\n{}\r\n0\r\n\r\nSMUGGLED"),
    ("size of 2^64 and more", "10000000000000002\r\n{}\r\n0\r\n\r\nSMUGGLED"),
    ("size of 2^32 and more", "100000002\r\n{}\r\n0\r\n\r\nSMUGGLED"),
    ("length in the trailer", "0\r\nContent-Length: 5\r\n\r\nSMUGGLED"),
    ("coding in the trailer", "0\r\nTransfer-Encoding: chunked\r\n\r\nSMUGGLED"),
    ("request as trailer", "0\r\nSMUGGLED"),
    ("bare LF in the trailer", "0\r\nX: x\n\r\nSMUGGLED"),
];

/// Whole heads, and what follows them.
const HEADS: &[(&str, &str)] = &[
    ("three in a row", "GET /health/live HTTP/1.1\r\nHost: test\r\n\r\nSMUGGLEDSMUGGLED"),
    ("empty lines before", "\r\n\r\n\r\nSMUGGLED"),
    ("bare LFs end lines", "GET /health/live HTTP/1.1\nHost: test\n\nSMUGGLED"),
    ("bare LF in a value", "GET /health/live HTTP/1.1\r\nHost: test\r\nX: x\n\nSMUGGLED\r\n\r\n"),
    ("bare CRs in a value", "GET /health/live HTTP/1.1\r\nHost: test\r\nX: x\r\rSMUGGLED\r\n\r\n"),
    ("NUL in a name", "GET /health/live HTTP/1.1\r\nHost: test\r\nX\0: x\r\n\r\nSMUGGLED"),
    ("NUL in a value", "GET /health/live HTTP/1.1\r\nHost: test\r\nX: \0\r\n\r\nSMUGGLED"),
    ("no name", "GET /health/live HTTP/1.1\r\nHost: test\r\n: x\r\n\r\nSMUGGLED"),
    ("no colon", "GET /health/live HTTP/1.1\r\nHost: test\r\nX\r\n\r\nSMUGGLED"),
    ("folded value", "GET /health/live HTTP/1.1\r\nHost: test\r\nX: x\r\n y\r\n\r\nSMUGGLED"),
    ("folded first line", "GET /health/live HTTP/1.1\r\n Host: x\r\nHost: test\r\n\r\nSMUGGLED"),
    ("body of a GET", "GET /health/live HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nGET /SMUGGLED"),
    ("chunked GET", "GET /health/live HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nSMUGGLED"),
    ("chunked 1.0", "POST /auth/refresh HTTP/1.0\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nSMUGGLED"),
    (
        "chunked 1.0, kept alive",
        "POST /auth/refresh HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\n\r\nSMUGGLED",
    ),
    ("1.0, then another", "GET /health/live HTTP/1.0\r\nHost: test\r\n\r\nSMUGGLED"),
    ("0.9", "GET /health/live\r\nSMUGGLED"),
    ("1.2", "GET /health/live HTTP/1.2\r\nHost: test\r\n\r\nSMUGGLED"),
    ("2.0", "GET /health/live HTTP/2.0\r\nHost: test\r\n\r\nSMUGGLED"),
    ("version in small letters", "GET /health/live http/1.1\r\nHost: test\r\n\r\nSMUGGLED"),
    ("two spaces", "GET  /health/live HTTP/1.1\r\nHost: test\r\n\r\nSMUGGLED"),
    ("space in the target", "GET /health/live HTTP/1.1 HTTP/1.1\r\nHost: test\r\n\r\nSMUGGLED"),
    ("tab in the line", "GET\t/health/live\tHTTP/1.1\r\nHost: test\r\n\r\nSMUGGLED"),
    ("no host", "GET /health/live HTTP/1.1\r\n\r\nSMUGGLED"),
    ("two hosts", "GET /health/live HTTP/1.1\r\nHost: test\r\nHost: other\r\n\r\nSMUGGLED"),
    ("host with a path", "GET /health/live HTTP/1.1\r\nHost: test/openapi.json?\r\n\r\nSMUGGLED"),
    ("target with another host", "GET http://other/health/live HTTP/1.1\r\nHost: test\r\n\r\nSMUGGLED"),
    ("forbidden with another host", "GET http://other/openapi.json HTTP/1.1\r\nHost: test\r\n\r\nSMUGGLED"),
    ("host in front of a user", "GET http://test@other/openapi.json HTTP/1.1\r\nHost: test\r\n\r\nSMUGGLED"),
    (
        "upgrade to h2c",
        "GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\nSMUGGLED",
    ),
    (
        "upgrade to a web socket",
        "GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\nSMUGGLED",
    ),
    ("closed, then another", "GET /health/live HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\nSMUGGLED"),
    ("CONNECT", "CONNECT test:80 HTTP/1.1\r\nHost: test:80\r\n\r\nSMUGGLED"),
    ("TRACE", "TRACE / HTTP/1.1\r\nHost: test\r\n\r\nSMUGGLED"),
    ("method in small letters", "get /health/live HTTP/1.1\r\nHost: test\r\n\r\nSMUGGLED"),
];

/// Other words for what is forbidden.
const TARGETS: &[(&str, &str)] = &[
    ("escaped", "/%6fpenapi.json"),
    ("escaped dot", "/openapi%2ejson"),
    ("escaped slash", "/%2fopenapi.json"),
    ("two slashes", "//openapi.json"),
    ("dot", "/./openapi.json"),
    ("two dots", "/health/../openapi.json"),
    ("escaped dots", "/health/%2e%2e/openapi.json"),
    ("parameter", "/health/..;/openapi.json"),
    ("query", "/openapi.json?x"),
    ("fragment", "/health/live#/../openapi.json"),
    ("backslash", "/health\\..\\openapi.json"),
    ("NUL", "/openapi.json%00"),
    ("escaped twice", "/%256fpenapi.json"),
];
