//! Bodies by their chunks and by a length.

use super::{
    cuts,
    reference::{self, Framing, Read},
};
use jeday::{
    http::{
        body::{self, BodyDecoder, BodyError, BodyLimits},
        framing::BodyFraming,
    },
    limits::BODY,
};

/// Content that a narrow bound lets through, in bytes.
const NARROW_BYTES: u64 = 32;

/// Content and the bytes that it took; `None` while it is not complete.
type Decoded = Result<Option<(Vec<u8>, usize)>, BodyError>;

/// A body is the same however it is cut, and what the grammar of RFC 9112 has; no more comes out of it than is allowed;
/// what comes out can be sent again.
pub fn body(bytes: &[u8]) {
    let every: Vec<usize> = (0..bytes.len()).collect();
    let length = bytes.len() as u64 / 2;
    for (framing, grammar) in
        [(BodyFraming::Chunked, Framing::Chunked), (BodyFraming::Length(length), Framing::Length(length))]
    {
        let decoded = decode(framing, bytes, &BODY, &[]);
        for cuts in [&cuts(bytes), &every] {
            assert_eq!(decode(framing, bytes, &BODY, cuts), decoded, "{} cut at {cuts:?}", bytes.escape_ascii());
        }
        if let Ok(Some(body)) = &decoded {
            assert_eq!(reference::body(grammar, bytes), Read::Whole(body.clone()), "{}", bytes.escape_ascii());
            assert_eq!(
                decode(BodyFraming::Chunked, &one_chunk(&body.0), &BODY, &[]).map(content),
                Ok(Some(body.0.clone()))
            );
        }
        bounded(framing, bytes, &decoded);
    }
    if let Ok(Some(borrowed)) = body::whole(BodyFraming::Length(length), bytes, &BODY) {
        assert_eq!(borrowed, &bytes[..bytes.len() / 2]);
    }
}

/// A narrower bound changes nothing but that what is larger is refused.
fn bounded(framing: BodyFraming, bytes: &[u8], decoded: &Decoded) {
    let narrow = decode(framing, bytes, &BodyLimits { body_bytes_max: NARROW_BYTES, ..BODY }, &[]);
    match (&narrow, decoded) {
        (Ok(Some((content, _))), _) if content.len() as u64 > NARROW_BYTES => panic!("{} bytes", content.len()),
        (Err(BodyError::TooLarge), Ok(Some((content, _)))) => assert!(content.len() as u64 > NARROW_BYTES),
        (Err(BodyError::TooLarge), _) => {}
        _ => assert_eq!(&narrow, decoded, "{}", bytes.escape_ascii()),
    }
}

fn decode(framing: BodyFraming, bytes: &[u8], limits: &BodyLimits, cuts: &[usize]) -> Decoded {
    let mut decoder = BodyDecoder::new(framing, limits)?;
    let mut content = Vec::new();
    let mut consumed = 0;
    for &arrived in cuts.iter().chain([&bytes.len()]) {
        let progress = decoder.decode(&bytes[consumed..arrived], &mut content)?;
        assert!(content.len() as u64 <= limits.body_bytes_max, "{} bytes came out", content.len());
        consumed += progress.consumed;
        if progress.done {
            return Ok(Some((content, consumed)));
        }
        assert_eq!(consumed, arrived, "bytes of a body that goes on were left");
    }
    Ok(None)
}

fn content(decoded: Option<(Vec<u8>, usize)>) -> Option<Vec<u8>> {
    decoded.map(|(content, _)| content)
}

fn one_chunk(content: &[u8]) -> Vec<u8> {
    let chunk = match content {
        [] => Vec::new(),
        content => [format!("{:x}\r\n", content.len()).as_bytes(), content, b"\r\n"].concat(),
    };
    [&chunk[..], b"0\r\n\r\n"].concat()
}
