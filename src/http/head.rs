//! A request head (RFC 9112 sections 2, 3 and 5): bytes in, one borrowed `Head` out.
//! Strict where `httparse` is lenient; knows no route, never allocates, never reads a body.

use httparse::{EMPTY_HEADER, Header};
use thiserror::Error;

pub use super::block::FieldLines;

use super::block::{self, BlockError};
use super::framing::{BodyFraming, FramingFields};
use super::grammar::{is_name, list};
use super::{host, request_line};

/// The most field lines a head can have, whatever [`HeadLimits::fields_max`] says.
pub const FIELD_SLOTS: usize = 128;

/// Most heads have fewer lines than this; more slots are set up only for those that need them.
const FIELD_SLOTS_COMMON: usize = 24;

/// The bounds of a head. None of them is a default of this module: they are the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the head from method to empty line.
    pub head_bytes_max: usize,
    /// Bytes of the method.
    pub method_bytes_max: usize,
    /// Bytes of the target as sent.
    pub target_bytes_max: usize,
    /// Field lines, at most [`FIELD_SLOTS`].
    pub fields_max: usize,
}

/// Why a head was refused. Where the request ends is then unknown, so that its connection must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeadError {
    /// Breaks the grammar or a rule of RFC 9112 (400).
    #[error("malformed request: {0}")]
    BadRequest(#[from] Malformed),
    /// The target is longer than allowed (414).
    #[error("request target too long")]
    UriTooLong,
    /// The head is longer than allowed (431).
    #[error("header section too large")]
    HeadersTooLarge,
    /// More field lines than allowed (431).
    #[error("too many header fields")]
    TooManyHeaders,
    /// A method longer than any that could be known (501).
    #[error("request method too long")]
    MethodTooLong,
    /// A transfer coding other than `chunked` (501).
    #[error("unknown transfer coding")]
    UnknownTransferCoding,
    /// A major version other than 1 (505).
    #[error("HTTP version not supported")]
    VersionNotSupported,
    /// An expectation other than `100-continue` (417).
    #[error("unknown expectation")]
    UnknownExpectation,
}

/// The rule that a malformed head breaks. The words are safe to show to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// More than one empty line in front of the request.
    #[error("empty line before the request")]
    EmptyLine,
    /// The method is no token followed by one space.
    #[error("invalid method")]
    Method,
    /// The target has a byte that no URI has, or a form that its method does not.
    #[error("invalid request target")]
    Target,
    /// No HTTP version where one belongs.
    #[error("invalid HTTP version")]
    Version,
    /// A line does not end in CRLF.
    #[error("line not ended by CRLF")]
    LineEnding,
    /// A field name is no token followed by a colon, or a line is folded.
    #[error("invalid header field name")]
    FieldName,
    /// A control byte in a field value.
    #[error("invalid header field value")]
    FieldValue,
    /// HTTP/1.1 without `Host`.
    #[error("missing Host")]
    HostMissing,
    /// `Host` is neither a name nor an address.
    #[error("invalid Host")]
    HostInvalid,
    /// `Host` is not the authority of the target.
    #[error("Host differs from the request target")]
    HostMismatch,
    /// Not one plain decimal number.
    #[error("invalid Content-Length")]
    ContentLength,
    /// `chunked` is not the last coding, or comes twice.
    #[error("invalid Transfer-Encoding")]
    TransferEncoding,
    /// HTTP/1.0 has no transfer codings.
    #[error("Transfer-Encoding in HTTP/1.0")]
    TransferEncodingInHttp10,
    /// Two answers to how long the body is.
    #[error("Content-Length together with Transfer-Encoding")]
    LengthAndTransferEncoding,
    /// A field that must not be repeated is.
    #[error("repeated {0}")]
    Repeated(&'static str),
}

impl From<BlockError> for HeadError {
    fn from(error: BlockError) -> Self {
        match error {
            BlockError::Name => Malformed::FieldName.into(),
            BlockError::Value => Malformed::FieldValue.into(),
            BlockError::LineEnding => Malformed::LineEnding.into(),
            BlockError::TooMany => Self::TooManyHeaders,
        }
    }
}

/// A method of RFC 9110 section 9.3 or RFC 5789; names are case-sensitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Patch,
    Options,
    Trace,
    Connect,
    /// Any other token.
    Other,
}

impl Method {
    pub(super) fn from_token(token: &[u8]) -> Self {
        match token {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"PATCH" => Self::Patch,
            b"OPTIONS" => Self::Options,
            b"TRACE" => Self::Trace,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }

    /// The name as sent, but for [`Method::Other`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Connect => "CONNECT",
            Self::Other => "other",
        }
    }
}

/// The version a request is served by; 1.2 and above are served as 1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Version {
    Http10,
    Http11,
}

/// What is asked for. `path` is as sent, to be compared after [`path::canonical`](super::path::canonical).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'b> {
    /// Begins with a slash; `*` for `OPTIONS *`; empty for CONNECT.
    pub path: &'b str,
    /// What follows the first question mark, as sent.
    pub query: Option<&'b str>,
}

impl<'b> Target<'b> {
    pub(super) const fn plain(path: &'b str) -> Self {
        Self { path, query: None }
    }
}

/// A valid request head. The fields are what the server needs of them, as sent, white space around them taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Head<'b> {
    pub method: Method,
    pub target: Target<'b>,
    pub version: Version,
    /// Whether the connection may serve another request (RFC 9112 section 9.3).
    pub keep_alive: bool,
    pub framing: BodyFraming,
    /// Whether the client waits for `100 Continue` before it sends the body. Never set in HTTP/1.0 or without a body.
    pub expect_continue: bool,
    /// Whether `Content-Encoding` names anything but `identity`.
    pub content_coded: bool,
    pub host: Option<&'b [u8]>,
    pub content_type: Option<&'b [u8]>,
    pub authorization: Option<&'b [u8]>,
    pub idempotency_key: Option<&'b [u8]>,
    pub user_agent: Option<&'b [u8]>,
    pub origin: Option<&'b [u8]>,
    pub access_control_request_method: Option<&'b [u8]>,
    pub access_control_request_headers: Option<&'b [u8]>,
    /// Empty, which is no trace parent, if there are several: a trace is no reason to refuse a request.
    pub traceparent: Option<&'b [u8]>,
    /// Every field line.
    pub lines: FieldLines<'b>,
}

/// How far a partial head has been looked at, so that a head that comes byte by byte costs no more than its length.
/// A new one belongs to each request of a connection; a head that was returned leaves it new.
#[derive(Debug, Clone, Default)]
pub struct HeadProgress {
    searched: usize,
    request_line_done: bool,
}

/// Parses the head at the start of `buf` and says how many bytes it took, one leading CRLF included (RFC 9112
/// section 2.2). `None`: more bytes are needed, and what is there breaks no rule.
///
/// # Errors
/// The first rule found to be broken, or the bound found to be passed, also by a head that is still incomplete.
#[inline]
pub fn parse<'b>(buf: &'b [u8], limits: &HeadLimits) -> Result<Option<(Head<'b>, usize)>, HeadError> {
    resume(buf, limits, &mut HeadProgress::default())
}

/// [`parse`] for a head that may come in pieces: `buf` holds all bytes of the head so far, those of earlier calls
/// first. A shorter `buf` than the last one begins another head.
///
/// # Errors
/// As [`parse`].
#[inline]
pub fn resume<'b>(
    buf: &'b [u8],
    limits: &HeadLimits,
    progress: &mut HeadProgress,
) -> Result<Option<(Head<'b>, usize)>, HeadError> {
    if buf.len() < progress.searched {
        *progress = HeadProgress::default();
    }
    if progress.searched == 0 || progress.may_be_complete(buf) {
        match attempt(buf, limits) {
            Ok(None) => {}
            outcome => {
                *progress = HeadProgress::default();
                return outcome;
            }
        }
    }
    progress.note(buf, limits)?;
    Ok(None)
}

impl HeadProgress {
    /// Whether the bytes since the last call make another attempt worth while. A request line is judged by each byte:
    /// a client that waits for an answer to its first bytes gets it, however they came. Of fields only the end is
    /// looked for: reading up to 64 of them again with each byte would cost more than receiving it.
    #[cold]
    fn may_be_complete(&self, buf: &[u8]) -> bool {
        let end_from = self.searched.saturating_sub(3);
        !self.request_line_done || memchr::memmem::find(&buf[end_from..], b"\r\n\r\n").is_some()
    }

    /// A head whose lines end in a bare LF would never come to an end: it is refused as soon as the LF is seen.
    #[cold]
    fn note(&mut self, buf: &[u8], limits: &HeadLimits) -> Result<(), HeadError> {
        if !block::has_only_crlf(buf, self.searched) {
            return Err(Malformed::LineEnding.into());
        }
        let start = leading_crlf_bytes(buf);
        if buf.len() - start >= limits.head_bytes_max {
            return Err(HeadError::HeadersTooLarge);
        }
        self.request_line_done |= memchr::memchr(b'\n', &buf[start.max(self.searched)..]).is_some();
        self.searched = buf.len();
        Ok(())
    }
}

#[inline]
fn leading_crlf_bytes(buf: &[u8]) -> usize {
    if buf.starts_with(b"\r\n") { 2 } else { 0 }
}

#[inline]
fn attempt<'b>(buf: &'b [u8], limits: &HeadLimits) -> Result<Option<(Head<'b>, usize)>, HeadError> {
    let start = leading_crlf_bytes(buf);
    // Whatever lies beyond the bound must not change the answer, or the answer would depend on how the bytes came.
    let view = &buf[start..buf.len().min(start + limits.head_bytes_max)];
    match view {
        [] => return Ok(None),
        [b'\r'] if start == 0 => return Ok(None),
        [b'\r' | b'\n', ..] => return Err(Malformed::EmptyLine.into()),
        _ => {}
    }
    let Some(line) = request_line::parse(view, limits)? else {
        return Ok(None);
    };
    let (target, authority) = line.split_target()?;
    let mut head = Head::new(line.method, target, line.version);
    let Some(fields_len) = fields(&view[line.len..], limits, &mut head)? else {
        return Ok(None);
    };
    // RFC 9112 section 3.2.2: with an absolute target `Host` says the same, or it says what another server would obey.
    if let (Some(authority), Some(host)) = (authority, head.host)
        && !authority.eq_ignore_ascii_case(host)
    {
        return Err(Malformed::HostMismatch.into());
    }
    Ok(Some((head, start + line.len + fields_len)))
}

#[inline]
fn fields<'b>(block: &'b [u8], limits: &HeadLimits, head: &mut Head<'b>) -> Result<Option<usize>, HeadError> {
    let slots_max = limits.fields_max.min(FIELD_SLOTS);
    let mut slots = [EMPTY_HEADER; FIELD_SLOTS_COMMON];
    let slots_common = slots_max.min(FIELD_SLOTS_COMMON);
    match block::parse(block, &mut slots[..slots_common]) {
        Ok(None) => Ok(None),
        Ok(Some((len, fields))) => head.take_fields(&block[..len], fields).map(|()| Some(len)),
        Err(BlockError::TooMany) if slots_max > slots_common => many_fields(block, slots_max, head),
        Err(error) => Err(error.into()),
    }
}

#[cold]
#[inline(never)]
fn many_fields<'b>(block: &'b [u8], slots_max: usize, head: &mut Head<'b>) -> Result<Option<usize>, HeadError> {
    let mut slots = [EMPTY_HEADER; FIELD_SLOTS];
    match block::parse(block, &mut slots[..slots_max])? {
        None => Ok(None),
        Some((len, fields)) => head.take_fields(&block[..len], fields).map(|()| Some(len)),
    }
}

impl<'b> Head<'b> {
    #[inline]
    const fn new(method: Method, target: Target<'b>, version: Version) -> Self {
        Self {
            method,
            target,
            version,
            keep_alive: matches!(version, Version::Http11),
            framing: BodyFraming::None,
            expect_continue: false,
            content_coded: false,
            host: None,
            content_type: None,
            authorization: None,
            idempotency_key: None,
            user_agent: None,
            origin: None,
            access_control_request_method: None,
            access_control_request_headers: None,
            traceparent: None,
            lines: FieldLines::NONE,
        }
    }

    /// One pass over the fields; a name is told by its length first.
    #[inline]
    fn take_fields(&mut self, block: &'b [u8], fields: &[Header<'b>]) -> Result<(), HeadError> {
        self.lines = FieldLines::of_valid(block);
        let mut framing = FramingFields::default();
        let mut persistence = Persistence::default();
        for &Header { name, value } in fields {
            let name = name.as_bytes();
            match name.len() {
                4 if is_name(name, b"host") => once(&mut self.host, value, "Host")?,
                6 if is_name(name, b"expect") => self.expect(value)?,
                6 if is_name(name, b"origin") => once(&mut self.origin, value, "Origin")?,
                10 if is_name(name, b"connection") => persistence.note(value),
                10 if is_name(name, b"user-agent") => once(&mut self.user_agent, value, "User-Agent")?,
                11 if is_name(name, b"traceparent") => {
                    let repeated = self.traceparent.is_some();
                    self.traceparent = Some(if repeated { b"" } else { value });
                }
                12 if is_name(name, b"content-type") => once(&mut self.content_type, value, "Content-Type")?,
                13 if is_name(name, b"authorization") => {
                    once(&mut self.authorization, value, "Authorization")?;
                }
                14 if is_name(name, b"content-length") => framing.content_length(value)?,
                15 if is_name(name, b"idempotency-key") => {
                    once(&mut self.idempotency_key, value, "Idempotency-Key")?;
                }
                16 if is_name(name, b"content-encoding") => {
                    self.content_coded |= !value.eq_ignore_ascii_case(b"identity");
                }
                17 if is_name(name, b"transfer-encoding") => framing.transfer_encoding(value)?,
                29 if is_name(name, b"access-control-request-method") => {
                    let slot = &mut self.access_control_request_method;
                    once(slot, value, "Access-Control-Request-Method")?;
                }
                30 if is_name(name, b"access-control-request-headers") => {
                    let slot = &mut self.access_control_request_headers;
                    once(slot, value, "Access-Control-Request-Headers")?;
                }
                _ => {}
            }
        }
        self.keep_alive = persistence.decide(self.version);
        self.framing = framing.decide(self.version)?;
        // RFC 9110 section 10.1.1: ignored in HTTP/1.0 and where there is nothing to wait for.
        self.expect_continue &=
            self.version == Version::Http11 && !matches!(self.framing, BodyFraming::None | BodyFraming::Length(0));
        match self.host {
            Some(host) if host::is_valid(host) => Ok(()),
            Some(_) => Err(Malformed::HostInvalid.into()),
            None if self.version == Version::Http10 => Ok(()),
            None => Err(Malformed::HostMissing.into()),
        }
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), HeadError> {
        if !list(value).all(|expectation| expectation.eq_ignore_ascii_case(b"100-continue")) {
            return Err(HeadError::UnknownExpectation);
        }
        self.expect_continue = true;
        Ok(())
    }
}

#[inline]
fn once<'b>(slot: &mut Option<&'b [u8]>, value: &'b [u8], name: &'static str) -> Result<(), HeadError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Malformed::Repeated(name).into()),
    }
}

/// What the `Connection` fields ask for. Options other than these two concern proxies.
#[derive(Default)]
struct Persistence {
    close: bool,
    keep_alive: bool,
}

impl Persistence {
    fn note(&mut self, value: &[u8]) {
        for option in list(value) {
            self.close |= is_name(option, b"close");
            self.keep_alive |= is_name(option, b"keep-alive");
        }
    }

    const fn decide(&self, version: Version) -> bool {
        !self.close && (matches!(version, Version::Http11) || self.keep_alive)
    }
}

#[cfg(test)]
mod tests;
