//! Requests read as a connection reads them: however the bytes come, the same is taken from them, and nothing that the
//! reference does not take as well. Without sockets.

use super::reference::{self, Framing, Read};
use jeday::{
    http::{
        body::{self, BodyDecoder},
        framing::BodyFraming,
        head::{self, Head, HeadProgress},
    },
    limits::{BODY, HEAD},
};

/// A request that was taken in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    method: &'static str,
    /// Path and query, as sent.
    target: String,
    framing: BodyFraming,
    keep_alive: bool,
    head_bytes: usize,
    content: Vec<u8>,
    body_bytes: usize,
}

/// How reading ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// More bytes are needed, for a head or for a body.
    InHead,
    InBody,
    /// The connection closes behind the last request.
    Closed,
    Refused,
}

fn taken(head: &Head<'_>, head_bytes: usize, content: Vec<u8>, body_bytes: usize) -> Taken {
    let target = match head.target.query {
        None => head.target.path.to_owned(),
        Some(query) => format!("{}?{query}", head.target.path),
    };
    let (method, framing, keep_alive) = (head.method.as_str(), head.framing, head.keep_alive);
    Taken { method, target, framing, keep_alive, head_bytes, content, body_bytes }
}

/// Reads requests as a connection does that gets `bytes` up to each of `cuts` in turn, then the rest.
pub(crate) fn read(bytes: &[u8], cuts: &[usize]) -> (Vec<Taken>, End) {
    let mut arrivals = cuts.iter().copied().chain([bytes.len()]);
    let mut arrived = arrivals.next().unwrap_or(0);
    let mut requests = Vec::new();
    let mut at = 0;
    loop {
        let mut progress = HeadProgress::default();
        let (head, head_bytes) = loop {
            match head::resume(&bytes[at..arrived], &HEAD, &mut progress) {
                Ok(Some(found)) => break found,
                Err(_) => return (requests, End::Refused),
                Ok(None) => match arrivals.next() {
                    Some(next) => arrived = next,
                    None => return (requests, End::InHead),
                },
            }
        };
        let body_at = at + head_bytes;
        let Ok(mut decoder) = BodyDecoder::new(head.framing, &BODY) else { return (requests, End::Refused) };
        let mut content = Vec::new();
        let mut body_bytes = 0;
        loop {
            let piece = &bytes[body_at + body_bytes..arrived];
            match decoder.decode(piece, &mut content) {
                Err(_) => return (requests, End::Refused),
                Ok(progress) => {
                    body_bytes += progress.consumed;
                    if progress.done {
                        break;
                    }
                }
            }
            match arrivals.next() {
                Some(next) => arrived = next,
                None => return (requests, End::InBody),
            }
        }
        if let Ok(Some(borrowed)) = body::whole(head.framing, &bytes[body_at..], &BODY) {
            assert_eq!(borrowed, content);
        }
        at = body_at + body_bytes;
        requests.push(taken(&head, head_bytes, content, body_bytes));
        if !head.keep_alive {
            return (requests, End::Closed);
        }
    }
}

/// Everything that must hold for any bytes.
pub(crate) fn check(bytes: &[u8], cuts: &[usize]) {
    let (requests, end) = read(bytes, &[]);
    let mut at = 0;
    for request in &requests {
        compare(request, &bytes[at..]);
        at += request.head_bytes + request.body_bytes;
    }
    let (in_pieces, other_end) = read(bytes, cuts);
    let shown = String::from_utf8_lossy(bytes);
    assert_eq!(in_pieces, requests, "{shown:?} cut at {cuts:?}");
    // Of fields that have no end yet, what is wrong may be seen only with their end.
    let is_open = reference::head(&bytes[at..]) == Read::Partial && bytes[at..].contains(&b'\n');
    assert!(other_end == end || (is_open && end == End::Refused), "{end:?}, {other_end:?}: {shown:?} cut at {cuts:?}");
}

/// The request must be what the reference reads at the start of `bytes`.
fn compare(request: &Taken, bytes: &[u8]) {
    let shown = String::from_utf8_lossy(bytes);
    let Read::Whole(wanted) = reference::head(bytes) else {
        panic!("the reference does not take {shown:?} for {request:?}");
    };
    assert_eq!((wanted.length, !wanted.is_last), (request.head_bytes, request.keep_alive), "{shown:?}");
    if request.method != "other" {
        assert_eq!(wanted.method, request.method.as_bytes(), "{shown:?}");
    }
    if wanted.target.starts_with(b"/") {
        assert_eq!(wanted.target, request.target.as_bytes(), "{shown:?}");
    }
    let framing = match request.framing {
        BodyFraming::None => Framing::None,
        BodyFraming::Length(length) => Framing::Length(length),
        BodyFraming::Chunked => Framing::Chunked,
    };
    assert_eq!(wanted.framing, framing, "{shown:?}");
    let body = reference::body(framing, &bytes[request.head_bytes..]);
    assert_eq!(body, Read::Whole((request.content.clone(), request.body_bytes)), "{shown:?}");
}
