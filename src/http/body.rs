//! A request body (RFC 9112 sections 6 and 7.1): `Content-Length` or chunks, decoded as the bytes come.
//! Never looks at what the body means, and never lets more through than the caller allows.

use std::mem;

use httparse::EMPTY_HEADER;
use thiserror::Error;

use super::block;
use super::framing::BodyFraming;
use super::grammar::{hex_digit, is_token_byte};

/// The most trailer fields a body can have, whatever [`BodyLimits::trailer_fields_max`] says.
pub const TRAILER_SLOTS: usize = 32;

/// Hexadecimal digits of the largest size that fits 64 bits; more of them, if only zeros, are refused.
const CHUNK_SIZE_DIGITS_MAX: u8 = 16;

/// The bounds of a body. None of them is a default of this module: they are the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes of content.
    pub body_bytes_max: u64,
    /// Bytes of all chunk extensions together.
    pub extension_bytes_max: usize,
    /// Bytes of the trailer section.
    pub trailer_bytes_max: usize,
    /// Lines of the trailer section, at most [`TRAILER_SLOTS`].
    pub trailer_fields_max: usize,
}

/// Why a body was refused. Where the request ends is then unknown, so that its connection must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BodyError {
    /// More content than allowed, declared or sent (413).
    #[error("request body too large")]
    TooLarge,
    /// A chunk size that is not 1 to 16 hexadecimal digits and nothing else (400).
    #[error("invalid chunk size")]
    ChunkSize,
    /// A chunk extension outside its grammar (400).
    #[error("invalid chunk extension")]
    ChunkExtension,
    /// More bytes of chunk extensions than allowed (400).
    #[error("chunk extensions too long")]
    ChunkExtensionsTooLong,
    /// A chunk or the line in front of it that does not end in CRLF (400).
    #[error("chunk not ended by CRLF")]
    ChunkEnd,
    /// A malformed trailer section (400).
    #[error("invalid trailer")]
    Trailer,
    /// A field that would change how the request is framed, routed or authorised (400).
    #[error("field not allowed as a trailer")]
    TrailerForbidden,
    /// More bytes or lines of trailers than allowed (431).
    #[error("trailer section too large")]
    TrailersTooLarge,
}

/// What one call to [`BodyDecoder::decode`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that belong to the body; unless `done`, all of them.
    pub consumed: usize,
    /// Whether the body is complete. What follows is the next request.
    pub done: bool,
}

/// The whole body, borrowed, if its length is declared and `input` holds all of it. `None`: a [`BodyDecoder`] is
/// needed.
///
/// # Errors
/// [`BodyError::TooLarge`] if more is declared than allowed.
#[inline]
pub fn whole<'b>(framing: BodyFraming, input: &'b [u8], limits: &BodyLimits) -> Result<Option<&'b [u8]>, BodyError> {
    let length = match framing {
        BodyFraming::None => 0,
        BodyFraming::Length(length) if length > limits.body_bytes_max => {
            return Err(BodyError::TooLarge);
        }
        BodyFraming::Length(length) => length,
        BodyFraming::Chunked => return Ok(None),
    };
    Ok(usize::try_from(length).ok().and_then(|length| input.get(..length)))
}

/// Decodes one body. Invariant: content put out + `room` = `body_bytes_max`.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
    room: u64,
    extension_room: usize,
    trailer_bytes_max: usize,
    trailer_fields_max: usize,
    /// Allocated only by a body that has trailers.
    trailer: Vec<u8>,
}

/// What comes next.
#[derive(Debug, Clone, Copy)]
enum State {
    Length(u64),
    Size { size: u64, digits: u8 },
    Extension { size: u64, part: ExtensionPart },
    SizeLf(u64),
    Data(u64),
    DataCr,
    DataLf,
    TrailerOrEnd,
    Trailer,
    EndLf,
    Done,
}

/// Where in `; name = value` of RFC 9112 section 7.1.1 an extension stands, white space included.
#[derive(Debug, Clone, Copy)]
enum ExtensionPart {
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    Token,
    Quoted,
    Escaped,
    QuotedEnd,
    AfterValue,
}

impl BodyDecoder {
    /// A decoder for the body of one request.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] if more is declared than allowed.
    pub fn new(framing: BodyFraming, limits: &BodyLimits) -> Result<Self, BodyError> {
        let state = match framing {
            BodyFraming::None | BodyFraming::Length(0) => State::Done,
            BodyFraming::Length(length) if length > limits.body_bytes_max => {
                return Err(BodyError::TooLarge);
            }
            BodyFraming::Length(length) => State::Length(length),
            BodyFraming::Chunked => State::Size { size: 0, digits: 0 },
        };
        Ok(Self {
            state,
            room: limits.body_bytes_max,
            extension_room: limits.extension_bytes_max,
            trailer_bytes_max: limits.trailer_bytes_max,
            trailer_fields_max: limits.trailer_fields_max.min(TRAILER_SLOTS),
            trailer: Vec::new(),
        })
    }

    /// Takes the next bytes of the connection and appends the content in them to `out`.
    ///
    /// # Errors
    /// The rule that is broken or the bound that is passed; the decoder must not be used again.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Progress, BodyError> {
        let mut rest = input;
        loop {
            if let State::Length(left) | State::Data(left) = self.state {
                let (content, behind) = split_at_most(rest, left);
                out.extend_from_slice(content);
                rest = behind;
                self.content_taken(left, content.len() as u64);
            }
            if matches!(self.state, State::Done) {
                break;
            }
            let Some((&byte, behind)) = rest.split_first() else {
                break;
            };
            rest = behind;
            self.state = self.step(byte)?;
        }
        Ok(Progress { consumed: input.len() - rest.len(), done: matches!(self.state, State::Done) })
    }

    fn content_taken(&mut self, left: u64, taken: u64) {
        self.room -= taken;
        self.state = match (self.state, left - taken) {
            (State::Length(_), 0) => State::Done,
            (State::Length(_), left) => State::Length(left),
            (_, 0) => State::DataCr,
            (_, left) => State::Data(left),
        };
    }

    /// One byte of what stands around the content.
    fn step(&mut self, byte: u8) -> Result<State, BodyError> {
        Ok(match (self.state, byte) {
            (State::Size { size, digits }, _) => size_byte(size, digits, byte)?,
            (State::Extension { size, part }, _) => {
                self.extension_room = self.extension_room.checked_sub(1).ok_or(BodyError::ChunkExtensionsTooLong)?;
                match part.next(byte)? {
                    Some(part) => State::Extension { size, part },
                    None => State::SizeLf(size),
                }
            }
            (State::SizeLf(0), b'\n') => State::TrailerOrEnd,
            (State::SizeLf(size), b'\n') if size > self.room => return Err(BodyError::TooLarge),
            (State::SizeLf(size), b'\n') => State::Data(size),
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size { size: 0, digits: 0 },
            (State::TrailerOrEnd, b'\r') => State::EndLf,
            (State::EndLf, b'\n') => State::Done,
            (State::TrailerOrEnd | State::Trailer, _) => self.trailer_byte(byte)?,
            // `decode` takes content itself and stops where the body is done.
            (State::Length(_) | State::Data(_) | State::Done, _) => self.state,
            _ => return Err(BodyError::ChunkEnd),
        })
    }

    #[cold]
    fn trailer_byte(&mut self, byte: u8) -> Result<State, BodyError> {
        if self.trailer.len() >= self.trailer_bytes_max {
            return Err(BodyError::TrailersTooLarge);
        }
        // As in a head, lines that end in a bare LF would never come to an end.
        if byte == b'\n' && self.trailer.last() != Some(&b'\r') {
            return Err(BodyError::Trailer);
        }
        self.trailer.push(byte);
        if !self.trailer.ends_with(b"\r\n\r\n") {
            return Ok(State::Trailer);
        }
        check_trailer(&mem::take(&mut self.trailer), self.trailer_fields_max)?;
        Ok(State::Done)
    }
}

fn split_at_most(input: &[u8], len: u64) -> (&[u8], &[u8]) {
    input.split_at(usize::try_from(len).map_or(input.len(), |len| len.min(input.len())))
}

/// White space behind the size is refused even in front of an extension, where RFC 9112 section 7.1.1 bears with it:
/// parsers are known to differ there.
fn size_byte(size: u64, digits: u8, byte: u8) -> Result<State, BodyError> {
    match (hex_digit(byte), byte) {
        (Some(digit), _) if digits < CHUNK_SIZE_DIGITS_MAX => {
            Ok(State::Size { size: size << 4 | u64::from(digit), digits: digits + 1 })
        }
        (None, b'\r') if digits > 0 => Ok(State::SizeLf(size)),
        (None, b';') if digits > 0 => Ok(State::Extension { size, part: ExtensionPart::BeforeName }),
        _ => Err(BodyError::ChunkSize),
    }
}

impl ExtensionPart {
    /// The part that `byte` leads to; `None` at the CR that ends the line.
    fn next(self, byte: u8) -> Result<Option<Self>, BodyError> {
        use ExtensionPart::{AfterName, AfterValue, BeforeName, BeforeValue, Escaped, Name, Quoted, QuotedEnd, Token};
        let space = matches!(byte, b' ' | b'\t');
        Ok(Some(match (self, byte) {
            (BeforeName | BeforeValue, _) if space => self,
            (BeforeName | Name, _) if is_token_byte(byte) => Name,
            (Name | AfterName, _) if space => AfterName,
            (Name | AfterName, b'=') => BeforeValue,
            (BeforeValue, b'"') => Quoted,
            (BeforeValue | Token, _) if is_token_byte(byte) => Token,
            (Quoted, b'"') => QuotedEnd,
            (Quoted, b'\\') => Escaped,
            (Quoted | Escaped, b'\t' | b' '..=b'~' | 0x80..) => Quoted,
            (Token | QuotedEnd | AfterValue, _) if space => AfterValue,
            (Name | AfterName | Token | QuotedEnd | AfterValue, b';') => BeforeName,
            (Name | Token | QuotedEnd, b'\r') => return Ok(None),
            _ => return Err(BodyError::ChunkExtension),
        }))
    }
}

/// Trailers are discarded, but not before it is certain that nobody else could have obeyed them.
fn check_trailer(block: &[u8], fields_max: usize) -> Result<(), BodyError> {
    let mut slots = [EMPTY_HEADER; TRAILER_SLOTS];
    let fields = match block::parse(block, &mut slots[..fields_max]) {
        Ok(Some((len, fields))) if len == block.len() => fields,
        Ok(_) => return Err(BodyError::Trailer),
        Err(block::BlockError::TooMany) => return Err(BodyError::TrailersTooLarge),
        Err(_) => return Err(BodyError::Trailer),
    };
    if fields.iter().any(|field| is_forbidden_trailer(field.name)) {
        return Err(BodyError::TrailerForbidden);
    }
    Ok(())
}

/// RFC 9110 section 6.5.1: fields for framing, routing, modifying the request, authentication and content.
fn is_forbidden_trailer(name: &str) -> bool {
    const FORBIDDEN: [&str; 33] = [
        "accept",
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "host",
        "idempotency-key",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "keep-alive",
        "max-forwards",
        "origin",
        "pragma",
        "proxy-authorization",
        "proxy-connection",
        "range",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "www-authenticate",
        "x-forwarded-for",
    ];
    FORBIDDEN.iter().any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests;
