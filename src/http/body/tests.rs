//! A corpus of bodies, good and bad, and what must hold for every body however it is cut or garbled.

use proptest::prelude::*;

use super::*;

const LIMITS: BodyLimits =
    BodyLimits { body_bytes_max: 1_000, extension_bytes_max: 64, trailer_bytes_max: 256, trailer_fields_max: 8 };

/// Content, bytes consumed and whether the body ended.
type Decoded = (Vec<u8>, usize, bool);

fn in_pieces(framing: BodyFraming, bytes: &[u8], step: usize) -> Result<Decoded, BodyError> {
    let mut decoder = BodyDecoder::new(framing, &LIMITS)?;
    let mut out = Vec::new();
    let mut total = 0;
    let mut done = decoder.decode(&[], &mut out)?.done;
    for piece in bytes.chunks(step) {
        if done {
            break;
        }
        let progress = decoder.decode(piece, &mut out)?;
        assert!(progress.done || progress.consumed == piece.len());
        total += progress.consumed;
        done = progress.done;
    }
    Ok((out, total, done))
}

fn chunked(bytes: &[u8]) -> Result<Decoded, BodyError> {
    let whole = in_pieces(BodyFraming::Chunked, bytes, bytes.len().max(1));
    for step in 1..bytes.len().min(40) {
        let pieces = in_pieces(BodyFraming::Chunked, bytes, step);
        assert_eq!(pieces, whole, "{:?} by {step}", String::from_utf8_lossy(bytes));
    }
    whole
}

fn assert_refused(error: BodyError, bodies: &[&str]) {
    for body in bodies {
        assert_eq!(chunked(body.as_bytes()), Err(error), "{body:?}");
    }
}

#[test]
fn a_declared_length_is_taken_exactly() {
    for (framing, wanted) in
        [(BodyFraming::None, 0), (BodyFraming::Length(0), 0), (BodyFraming::Length(3), 3), (BodyFraming::Length(6), 6)]
    {
        let bytes = b"abcdef";
        assert_eq!(whole(framing, bytes, &LIMITS), Ok(Some(&bytes[..wanted])));
        for step in 1..=6 {
            let decoded = in_pieces(framing, bytes, step).unwrap();
            assert_eq!(decoded, (bytes[..wanted].to_vec(), wanted, true));
        }
    }
    assert_eq!(whole(BodyFraming::Length(7), b"abcdef", &LIMITS), Ok(None));
    assert_eq!(whole(BodyFraming::Chunked, b"0\r\n\r\n", &LIMITS), Ok(None));
    assert!(!in_pieces(BodyFraming::Length(7), b"abcdef", 2).unwrap().2);
}

#[test]
fn a_body_over_the_bound_is_refused_before_it_is_read() {
    for length in [1_001, u64::MAX] {
        let framing = BodyFraming::Length(length);
        assert_eq!(whole(framing, b"", &LIMITS), Err(BodyError::TooLarge));
        assert!(matches!(BodyDecoder::new(framing, &LIMITS), Err(BodyError::TooLarge)));
    }
    assert_refused(
        BodyError::TooLarge,
        &["3e9\r\n", "ffffffffffffffff\r\n", "1\r\na\r\n3e8\r\n", "5;a=b\r\nabcde\r\n3e4\r\n"],
    );
    let exact = [b"3e8\r\n", "a".repeat(1_000).as_bytes(), b"\r\n0\r\n\r\n"].concat();
    assert_eq!(chunked(&exact).unwrap().0.len(), 1_000);
}

#[test]
fn chunks_are_joined_and_the_next_request_is_left_alone() {
    for (body, content) in [
        ("0\r\n\r\n", ""),
        ("000\r\n\r\n", ""),
        ("1\r\na\r\n0\r\n\r\n", "a"),
        ("A\r\n0123456789\r\n00000000a\r\n0\r\n2345678\r\n0\r\n\r\n", "01234567890\r\n2345678"),
        ("3;a\r\nabc\r\n0;b\r\n\r\n", "abc"),
        ("3;a=b;c=\"d;\\\"\t e\";f\r\nabc\r\n0\r\n\r\n", "abc"),
        ("1; a = b ; c =\"d\" ;e\r\na\r\n0\r\n\r\n", "a"),
        ("1\r\na\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n", "a"),
    ] {
        let bytes = [body.as_bytes(), b"GET / HTTP/1.1"].concat();
        let decoded = chunked(&bytes).unwrap();
        let wanted = (content.as_bytes().to_vec(), body.len(), true);
        assert_eq!(decoded, wanted, "{body:?}");
    }
}

#[test]
fn a_chunk_size_is_hexadecimal_digits_and_nothing_else() {
    assert_refused(
        BodyError::ChunkSize,
        &[
            "\r\n",
            ";a\r\n",
            "g\r\n",
            "+1\r\n",
            "-1\r\n",
            "0x1\r\n",
            "0X1\r\n",
            " 1\r\n",
            "1 \r\n",
            "1\t\r\n",
            "1 ;a\r\n",
            "1 1\r\n",
            "1_0\r\n",
            "1,1\r\n",
            "1\n",
            "\n",
            "1\u{e9}\r\n",
            "1\0\r\n",
            "00000000000000001\r\n",
            "10000000000000000\r\n",
            "1\r\na\r\n\r\n",
            "1\r\na\r\n 0\r\n",
            "\"1\"\r\n",
            "1.0\r\n",
            "1h\r\n",
        ],
    );
}

#[test]
fn a_chunk_ends_where_its_size_says() {
    assert_refused(
        BodyError::ChunkEnd,
        &[
            "1\ra\r\n",
            "1\r\r\n",
            "1\r\nab\r\n",
            "1\r\na\n",
            "1\r\na\rb",
            "1\r\na\r\r\n",
            "2\r\na\r\n\r\n",
            "1\r\na0\r\n\r\n",
            "0\r\n\r\r",
            "0\r\n\ra",
            "0\r\r\n",
            "1;a\ra",
            "1;a\r\r\n",
        ],
    );
}

#[test]
fn extensions_are_ignored_if_legal_and_few() {
    assert_refused(
        BodyError::ChunkExtension,
        &[
            "1;\r\n",
            "1;;a\r\n",
            "1;a;\r\n",
            "1;=b\r\n",
            "1;a=\r\n",
            "1;a=b=c\r\n",
            "1;a b\r\n",
            "1;a \r\n",
            "1;a=b \r\n",
            "1;a=\"b\r\n",
            "1;a=\"b\"c\r\n",
            "1;a=\"b\\\r\n",
            "1;a\n",
            "1;a=b\n",
            "1;a=\"\n\"\r\n",
            "1;a\0\r\n",
            "1;\u{e9}\r\n",
            "1;a=\"\u{7f}\"\r\n",
            "1; \r\n",
            "1;a= \r\n",
            "1;a[\r\n",
        ],
    );
    let extended = format!("1;{}\r\na\r\n0\r\n\r\n", "a".repeat(63));
    assert!(chunked(extended.as_bytes()).unwrap().2);
    let over = format!("1;{}\r\na\r\n0;a\r\n\r\n", "a".repeat(63));
    assert_refused(BodyError::ChunkExtensionsTooLong, &[&over, &format!("1;{}", "a".repeat(65))]);
}

#[test]
fn trailers_are_discarded_if_harmless_and_few() {
    let body = |trailer: &str| format!("1\r\na\r\n0\r\n{trailer}\r\n\r\n");
    for name in [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "AUTHORIZATION",
        "Cookie",
        "Content-Type",
        "Expect",
        "Trailer",
        "Connection",
        "Idempotency-Key",
    ] {
        assert_refused(BodyError::TrailerForbidden, &[&body(&format!("X: a\r\n{name}: b"))]);
    }
    for trailer in [
        "X",
        "X : a",
        " X: a",
        ": a",
        "X: a\r\n b",
        "X: a\0",
        "X: a\rb",
        "X: a\nY: b",
        "X: a\n\n",
        "\n",
        "X(: a",
        "X: a\n\r",
    ] {
        assert_refused(BodyError::Trailer, &[&body(trailer)]);
    }
    let lines = |count| ["X: a"; 9][..count].join("\r\n");
    assert!(chunked(body(&lines(8)).as_bytes()).unwrap().2);
    assert_refused(BodyError::TrailersTooLarge, &[&body(&lines(9))]);
    assert!(chunked(body(&format!("X: {}", "a".repeat(249))).as_bytes()).unwrap().2);
    assert_refused(BodyError::TrailersTooLarge, &[&body(&format!("X: {}", "a".repeat(250)))]);
}

/// Chunks as written by another party, and their content.
fn bodies() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let chunk = (prop::collection::vec(any::<u8>(), 1..60), "(;[a-z]{1,3}(=\"[ -!]?\")?)?");
    let trailer = "(X-[a-z]{1,3}: [a-z]{0,4}\r\n){0,3}";
    (prop::collection::vec(chunk, 0..6), any::<bool>(), trailer).prop_map(|(chunks, upper, trailer)| {
        let mut body = Vec::new();
        let mut content = Vec::new();
        for (data, extension) in chunks {
            let size = data.len();
            let size = if upper { format!("{size:X}") } else { format!("{size:03x}") };
            body.extend_from_slice(format!("{size}{extension}\r\n").as_bytes());
            body.extend_from_slice(&data);
            body.extend_from_slice(b"\r\n");
            content.extend_from_slice(&data);
        }
        body.extend_from_slice(format!("0\r\n{trailer}\r\n").as_bytes());
        (body, content)
    })
}

proptest! {
    #[test]
    fn chunks_give_back_their_content_however_they_are_cut(
        (body, content) in bodies(),
        behind in prop::collection::vec(any::<u8>(), 0..10),
        step in 1..100_usize,
    ) {
        let bytes = [&body[..], &behind].concat();
        let decoded = in_pieces(BodyFraming::Chunked, &bytes, step);
        prop_assert_eq!(decoded, Ok((content, body.len(), true)));
    }

    #[test]
    fn a_garbled_body_reads_the_same_however_it_is_cut(
        (mut body, _) in bodies(),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(&b"\r\n\0 ;=\"0af"[..])],
        step in 1..100_usize,
    ) {
        let at = at.index(body.len());
        body[at] = byte;
        let whole = in_pieces(BodyFraming::Chunked, &body, body.len());
        prop_assert_eq!(in_pieces(BodyFraming::Chunked, &body, step), whole);
    }

    #[test]
    fn random_bytes_never_panic_and_never_pass_the_bound(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"\r\n;=0123f"[..])], 0..400),
        length in any::<u64>(),
        step in 1..50_usize,
    ) {
        for framing in [BodyFraming::Chunked, BodyFraming::Length(length), BodyFraming::Length(length % 500)] {
            if let Ok((content, consumed, _)) = in_pieces(framing, &bytes, step) {
                prop_assert!(content.len() <= 1_000 && content.len() <= consumed);
            }
        }
    }
}
