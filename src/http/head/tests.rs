//! A corpus of heads, good and bad, and what must hold for every head however it is cut or garbled.

use super::*;

const LIMITS: HeadLimits =
    HeadLimits { head_bytes_max: 16 * 1024, method_bytes_max: 32, target_bytes_max: 8_000, fields_max: 64 };

fn parse_whole(bytes: &[u8]) -> Result<Option<(Head<'_>, usize)>, HeadError> {
    parse(bytes, &LIMITS)
}

fn good(bytes: &[u8]) -> Head<'_> {
    match parse_whole(bytes) {
        Ok(Some((head, _))) => head,
        other => panic!("{:?} gave {other:?}", String::from_utf8_lossy(bytes)),
    }
}

/// The head of `GET / HTTP/1.1` with `Host: a` and these lines behind it.
fn with_fields(lines: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes()
}

fn assert_errors(cases: &[(&str, HeadError)]) {
    for &(bytes, error) in cases {
        assert_eq!(parse_whole(bytes.as_bytes()), Err(error), "{bytes:?}");
        assert_eq!(in_pieces(bytes.as_bytes(), 1), Err(()), "{bytes:?}");
    }
}

fn assert_malformed(cases: &[(&str, Malformed)]) {
    for &(bytes, malformed) in cases {
        assert_errors(&[(bytes, malformed.into())]);
    }
}

fn assert_malformed_fields(cases: &[(&str, Malformed)]) {
    for &(lines, malformed) in cases {
        let bytes = String::from_utf8(with_fields(lines)).unwrap();
        assert_errors(&[(&bytes, malformed.into())]);
    }
}

/// Feeds `bytes` step by step. Which of several rules is found broken may depend on the steps, the rest may not.
fn in_pieces(bytes: &[u8], step: usize) -> Result<Option<(Head<'_>, usize)>, ()> {
    let mut progress = HeadProgress::default();
    let mut end = 0;
    loop {
        let parsed = resume(&bytes[..end], &LIMITS, &mut progress).map_err(|_| ())?;
        if parsed.is_some() || end == bytes.len() {
            return Ok(parsed);
        }
        end = bytes.len().min(end + step);
    }
}

#[test]
fn a_register_request_gives_all_that_the_server_needs() {
    let bytes =
        b"POST /auth/register?x=1?&y=%20 HTTP/1.1\r\nhost: example.com:8080\r\nContent-Type:application/json\r\n\
        CONTENT-LENGTH: 75  \r\nAuthorization:\t Bearer x\t\r\nIdempotency-Key: k\r\nUser-Agent: curl/8\r\n\
        Forwarded: for=1\r\nForwarded: for=2\r\nX-Forwarded-For: 1\r\nX-Forwarded-For: 2\r\nOrigin: null\r\n\
        Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: a, b\r\nTraceparent: 00-1\r\n\
        Expect: 100-Continue\r\nX-Empty:\r\nX-Odd: \xfc\xff\r\n\r\n{\"email\"";
    let (head, len) = parse_whole(bytes).unwrap().unwrap();
    assert_eq!(len, bytes.len() - 8);
    let wanted = Head {
        method: Method::Post,
        target: Target { path: "/auth/register", query: Some("x=1?&y=%20") },
        version: Version::Http11,
        keep_alive: true,
        framing: BodyFraming::Length(75),
        expect_continue: true,
        content_coded: false,
        host: Some(b"example.com:8080"),
        content_type: Some(b"application/json"),
        authorization: Some(b"Bearer x"),
        idempotency_key: Some(b"k"),
        user_agent: Some(b"curl/8"),
        origin: Some(b"null"),
        access_control_request_method: Some(b"POST"),
        access_control_request_headers: Some(b"a, b"),
        traceparent: Some(b"00-1"),
        lines: head.lines,
    };
    assert_eq!(head, wanted);
    let values = |name| head.lines.values(name).map(|value| std::str::from_utf8(value).unwrap()).collect::<Vec<_>>();
    assert_eq!(values("forwarded"), ["for=1", "for=2"]);
    assert_eq!(values("authorization"), ["Bearer x"]);
    assert_eq!(values("x-empty"), [""]);
    assert_eq!(values("x-forwarded"), [""; 0]);
    let last = head.lines.values("X-Forwarded-For").next_back();
    assert_eq!(last, Some(&b"2"[..]));
    assert!(!format!("{:?}", head.lines).contains("Bearer"));
}

#[test]
fn methods_are_told_apart_by_case() {
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"] {
        let bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(good(bytes.as_bytes()).method.as_str(), method);
    }
    for method in ["get", "Post", "POSTX", "PO", "M-SEARCH", "!#$%&'*+-.^_`|~09"] {
        let bytes = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(good(bytes.as_bytes()).method, Method::Other, "{method}");
    }
}

#[test]
fn the_four_forms_of_a_target_are_split() {
    for (line, host, path, query) in [
        ("GET /", "a", "/", None),
        ("GET //a/../%2e/b%2Fc", "a", "//a/../%2e/b%2Fc", None),
        ("GET /a:b@c;d=e,f!$&'()*+~?", "a", "/a:b@c;d=e,f!$&'()*+~", Some("")),
        ("GET /?a/b?c", "a", "/", Some("a/b?c")),
        ("OPTIONS *", "a", "*", None),
        ("OPTIONS /a", "a", "/a", None),
        ("GET http://Example.com/a?b", "example.COM", "/a", Some("b")),
        ("GET HTTPS://a:80/", "a:80", "/", None),
        ("GET http://a", "a", "/", None),
        ("GET http://a?b", "a", "/", Some("b")),
        ("OPTIONS http://a", "a", "*", None),
        ("OPTIONS http://a/", "a", "/", None),
        ("OPTIONS http://a?b", "a", "/", Some("b")),
        ("GET http://[::1]:80/a", "[::1]:80", "/a", None),
        ("CONNECT a:443", "a:443", "", None),
    ] {
        let bytes = format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let target = good(bytes.as_bytes()).target;
        assert_eq!((target.path, target.query), (path, query), "{line}");
    }
}

#[test]
fn a_target_outside_the_grammar_is_refused() {
    let targets = " a * /a#b /a\\b \\a /caf\u{e9} /a\0 /a\tb /a\u{7f} /% /%4 /%4x /%\u{e9}a /a\"b /<a> /a^b \
        /a`b /{a} /a|b /[a] /?[a] /?a#b ?a # //\u{1} http:/a http:///a http:// http://u@a/ \
        http://a:x/ http://a[/ http://a/[ http://a/?] ftp://a/ http//a/ mailto:a@b a:443 \
        http://[::1/";
    for target in targets.split(' ') {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_errors(&[(&bytes, Malformed::Target.into())]);
    }
    for line in ["POST *", "CONNECT /", "CONNECT a", "CONNECT http://a:1", "OPTIONS **", "OPTIONS a"] {
        let bytes = format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_errors(&[(&bytes, Malformed::Target.into())]);
    }
}

#[test]
fn a_request_line_outside_the_grammar_is_refused() {
    use Malformed::{EmptyLine, LineEnding, Method, Target, Version};
    assert_malformed(&[
        ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", EmptyLine),
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", EmptyLine),
        ("\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", EmptyLine),
        ("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", EmptyLine),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", Method),
        ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Method),
        ("GET\r\n\r\n", Method),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", Method),
        ("\0 / HTTP/1.1\r\nHost: a\r\n\r\n", Method),
        ("\u{16}\u{3}\u{1}", Method),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET /\r\n\r\n", Target),
        ("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", Target),
        ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", Version),
        ("GET / a HTTP/1.1\r\nHost: a\r\n\r\n", Version),
        ("GET / \r\n\r\n", Version),
        ("GET / HTTP\r\n\r\n", Version),
        ("GET / HTTP/1\r\n\r\n", Version),
        ("GET / HTTP/1.\r\n\r\n", Version),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", Version),
        ("GET / HTTP/a.1\r\nHost: a\r\n\r\n", Version),
        ("GET / HTTP/11.1\r\nHost: a\r\n\r\n", Version),
        ("GET / HTTP 1.1\r\nHost: a\r\n\r\n", Version),
        ("GET / ICY/1.1\r\nHost: a\r\n\r\n", Version),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", LineEnding),
        ("GET / HTTP/1.11\r\nHost: a\r\n\r\n", LineEnding),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", LineEnding),
        ("GET / HTTP/1.1\rHost: a\r\n\r\n", LineEnding),
        ("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", LineEnding),
        ("GET / HTTP/1.1\n", LineEnding),
    ]);
}

#[test]
fn only_major_version_one_is_served() {
    use HeadError::VersionNotSupported;
    assert_eq!(good(b"GET / HTTP/1.0\r\n\r\n").version, Version::Http10);
    assert_eq!(good(b"GET / HTTP/1.9\r\nHost: a\r\n\r\n").version, Version::Http11);
    assert_errors(&[
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VersionNotSupported),
        ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", VersionNotSupported),
        ("GET / HTTP/3.1\r\nHost: a\r\n\r\n", VersionNotSupported),
    ]);
}

#[test]
fn one_empty_line_in_front_is_skipped_and_counted() {
    let bytes = b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(parse_whole(bytes).unwrap().unwrap().1, bytes.len());
    for bytes in ["", "\r", "\r\n"] {
        assert_eq!(parse_whole(bytes.as_bytes()), Ok(None));
    }
}

#[test]
fn field_lines_outside_the_grammar_are_refused() {
    use Malformed::{FieldName, FieldValue, LineEnding};
    assert_malformed_fields(&[
        ("X : a\r\n", FieldName),
        ("X\t: a\r\n", FieldName),
        ("X a\r\n", FieldName),
        ("X\r\n", FieldName),
        (": a\r\n", FieldName),
        ("X: a\r\n b\r\n", FieldName),
        ("X: a\r\n\tb\r\n", FieldName),
        (" X: a\r\n", FieldName),
        ("X\0Y: a\r\n", FieldName),
        ("X(Y): a\r\n", FieldName),
        ("caf\u{e9}: a\r\n", FieldName),
        ("X: a\0b\r\n", FieldValue),
        ("X: a\u{1b}b\r\n", FieldValue),
        ("X: a\u{7f}b\r\n", FieldValue),
        ("X: \0\r\n", FieldValue),
        ("X: a\rb\r\n", FieldValue),
        ("X: a\r\r\n", FieldValue),
        ("X: a\n", LineEnding),
        ("X: a\nY: b\r\n", LineEnding),
        ("X:\nY: b\r\n", LineEnding),
        ("\nX: a\r\n", LineEnding),
        ("X: a\r\n\n", LineEnding),
        ("X: a\n\n", LineEnding),
        ("\rX: a\r\n", LineEnding),
    ]);
    let before_first = "GET / HTTP/1.1\r\n Host: a\r\n\r\n";
    assert_malformed(&[(before_first, FieldName)]);
    assert_malformed(&[("GET / HTTP/1.1\r\nHost: a\n\n", LineEnding)]);
}

#[test]
fn every_control_byte_is_refused_wherever_it_stands_in_a_value() {
    for byte in (0..=0x1f).chain([0x7f]).filter(|&byte| byte != b'\t') {
        for at in 0..40 {
            let mut value = [b'a'; 40];
            value[at] = byte;
            let mut bytes = b"GET / HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
            bytes.extend_from_slice(&value);
            bytes.extend_from_slice(b"\r\n\r\n");
            assert!(parse_whole(&bytes).is_err(), "{byte:#x} at {at}");
            assert_eq!(in_pieces(&bytes, 7), Err(()), "{byte:#x} at {at}");
        }
    }
}

#[test]
fn host_is_one_valid_authority() {
    use Malformed::{HostInvalid, HostMismatch, HostMissing, Repeated};
    assert_malformed(&[
        ("GET / HTTP/1.1\r\n\r\n", HostMissing),
        ("GET http://a/ HTTP/1.1\r\n\r\n", HostMissing),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Repeated("Host")),
        ("GET / HTTP/1.0\r\nHost: a\r\nhOST: b\r\n\r\n", Repeated("Host")),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HostInvalid),
        ("GET / HTTP/1.0\r\nHost: a:b\r\n\r\n", HostInvalid),
        ("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", HostMismatch),
        ("GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n", HostMismatch),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:2\r\n\r\n", HostMismatch),
    ]);
    assert_eq!(good(b"GET http://a/ HTTP/1.0\r\n\r\n").host, None);
}

#[test]
fn repeated_singletons_are_refused() {
    for name in [
        "Content-Type",
        "Authorization",
        "Idempotency-Key",
        "User-Agent",
        "Origin",
        "Access-Control-Request-Method",
        "Access-Control-Request-Headers",
    ] {
        let lines = format!("{name}: a\r\n{}: a\r\n", name.to_lowercase());
        assert_malformed_fields(&[(&lines, Malformed::Repeated(name))]);
    }
    let two_traces = with_fields("traceparent: a\r\ntraceparent: b\r\n");
    assert_eq!(good(&two_traces).traceparent, Some(&b""[..]));
}

#[test]
fn the_length_of_a_body_is_never_guessed() {
    use Malformed::{ContentLength, LengthAndTransferEncoding, TransferEncoding};
    for (lines, framing) in [
        ("", BodyFraming::None),
        ("Content-Length: 0\r\n", BodyFraming::Length(0)),
        ("Content-Length: 007\r\n", BodyFraming::Length(7)),
        ("Content-Length: 18446744073709551615\r\n", BodyFraming::Length(u64::MAX)),
        ("Transfer-Encoding: chunked\r\n", BodyFraming::Chunked),
        ("transfer-encoding:\t CHUNKED \r\n", BodyFraming::Chunked),
    ] {
        assert_eq!(good(&with_fields(lines)).framing, framing, "{lines}");
    }
    for value in [
        "",
        "+1",
        "-1",
        "1 1",
        "1,1",
        "1, 2",
        "0x1",
        "1a",
        "1.0",
        "1e1",
        "18446744073709551616",
        "99999999999999999999",
        "\"1\"",
        "1;",
        "\u{661}",
    ] {
        assert_malformed_fields(&[(&format!("Content-Length: {value}\r\n"), ContentLength)]);
    }
    assert_malformed_fields(&[
        ("Content-Length: 1\r\nContent-Length: 2\r\n", ContentLength),
        ("Content-Length: 1\r\ncontent-length: 1\r\n", ContentLength),
        ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", LengthAndTransferEncoding),
        ("Transfer-Encoding: gzip, chunked\r\nContent-Length: 1\r\n", LengthAndTransferEncoding),
    ]);
    for value in [
        "",
        "gzip",
        "identity",
        "chunked, gzip",
        "chunked, chunked",
        "chunked, identity",
        "chunked,",
        ",chunked",
        "gzip,,chunked",
        "xchunked",
        "chunked;a=b",
        "chun ked",
        "\"chunked\"",
        "chunked\u{e9}",
        "gzip, \"chunked",
        "gzip;a=\"b, chunked, c\"",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: gzip",
    ] {
        assert_malformed_fields(&[(&format!("Transfer-Encoding: {value}\r\n"), TransferEncoding)]);
    }
    for value in ["gzip, chunked", "identity,chunked", "gzip\r\nTransfer-Encoding: chunked", "a;b=c, chunked"] {
        let bytes = String::from_utf8(with_fields(&format!("Transfer-Encoding: {value}\r\n"))).unwrap();
        assert_errors(&[(&bytes, HeadError::UnknownTransferCoding)]);
    }
    let in_1_0 = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_malformed(&[(in_1_0, Malformed::TransferEncodingInHttp10)]);
}

#[test]
fn persistence_follows_version_and_connection_options() {
    for (version, lines, keep_alive) in [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "connection: CLOSE\r\n", false),
        ("1.1", "Connection: upgrade, ,\tClose\r\n", false),
        ("1.1", "Connection: keep-alive, close\r\n", false),
        ("1.1", "Connection: close\r\nConnection: keep-alive\r\n", false),
        ("1.1", "Connection: closed, xclose, clos\r\n", true),
        ("1.1", "Connection:\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: a\r\nConnection: keep-alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let bytes = format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n");
        assert_eq!(good(bytes.as_bytes()).keep_alive, keep_alive, "{bytes:?}");
    }
}

#[test]
fn an_expectation_is_met_or_refused() {
    for (version, lines, wanted) in [
        ("1.1", "Expect: 100-continue\r\nContent-Length: 1\r\n", true),
        ("1.1", "Transfer-Encoding: chunked\r\nExpect: 100-CONTINUE, 100-continue\r\n", true),
        ("1.1", "Expect: 100-continue\r\n", false),
        ("1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", false),
        ("1.0", "Expect: 100-continue\r\nContent-Length: 1\r\n", false),
    ] {
        let bytes = format!("POST / HTTP/{version}\r\nHost: a\r\n{lines}\r\n");
        assert_eq!(good(bytes.as_bytes()).expect_continue, wanted, "{bytes:?}");
    }
    for value in ["", "100", "100-continue, a", "100-continue;a", "200-ok"] {
        let bytes = String::from_utf8(with_fields(&format!("Expect: {value}\r\n"))).unwrap();
        assert_errors(&[(&bytes, HeadError::UnknownExpectation)]);
    }
}

#[test]
fn a_coded_body_is_noticed() {
    for (value, coded) in [("identity", false), ("Identity", false), ("gzip", true), ("", true), ("identity, br", true)]
    {
        let bytes = with_fields(&format!("Content-Encoding: {value}\r\n"));
        assert_eq!(good(&bytes).content_coded, coded, "{value}");
    }
}

mod bounds;
mod properties;
