//! A block of field lines, read by `httparse` and then held to what `httparse` lets pass: every line must end in CRLF.
//! Shared by request heads and chunked trailers; never looks at what a field means.

use httparse::{Header, Status};
use std::fmt;

use super::grammar::trim_ows;

/// All field lines of a head as they were sent, for the few names that may stand on several of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FieldLines<'b>(&'b [u8]);

impl<'b> FieldLines<'b> {
    pub(super) const NONE: Self = Self(b"");

    /// A block that [`parse`] has accepted, up to and including its empty line.
    pub(super) fn of_valid(block: &'b [u8]) -> Self {
        Self(block)
    }

    /// The values of the lines with this name, in any case, without the white space around them; from the last line to
    /// the first with `rev`. Looks at all lines: for fields that few requests are asked about.
    pub fn values(self, name: &'static str) -> impl DoubleEndedIterator<Item = &'b [u8]> {
        self.0.split(|&byte| byte == b'\n').filter_map(move |line| {
            let (found, value) = line.split_at_checked(name.len())?;
            let value = value.strip_prefix(b":")?;
            let value = value.strip_suffix(b"\r").unwrap_or(value);
            found.eq_ignore_ascii_case(name.as_bytes()).then(|| trim_ows(value))
        })
    }
}

/// Without content: there are credentials in it.
impl fmt::Debug for FieldLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldLines({} bytes)", self.0.len())
    }
}

/// Why a block of field lines was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockError {
    /// A name that is not a token, white space before the colon or at the start of a line (RFC 9112 section 5).
    Name,
    /// A control byte in a value (RFC 9110 section 5.5).
    Value,
    /// A bare CR or LF (RFC 9112 section 2.2).
    LineEnding,
    /// More lines than slots.
    TooMany,
}

/// Reads field lines up to and including the empty line. `None`: the empty line has not come yet.
#[inline]
pub(super) fn parse<'b, 'h>(
    block: &'b [u8],
    slots: &'h mut [Header<'b>],
) -> Result<Option<(usize, &'h [Header<'b>])>, BlockError> {
    match httparse::parse_headers(block, slots) {
        Ok(Status::Complete((len, fields))) if ends_in_crlf_throughout(&block[..len], fields) => {
            Ok(Some((len, fields)))
        }
        Ok(Status::Complete(_)) => Err(BlockError::LineEnding),
        Ok(Status::Partial) => Ok(None),
        Err(httparse::Error::TooManyHeaders) => Err(BlockError::TooMany),
        Err(httparse::Error::HeaderName) => Err(BlockError::Name),
        Err(httparse::Error::HeaderValue) => Err(BlockError::Value),
        Err(_) => Err(BlockError::LineEnding),
    }
}

/// `httparse` takes a bare LF for a line end. It has looked at every byte already, so it is enough to look at the two
/// bytes in front of each name and at the end of the block.
#[inline]
fn ends_in_crlf_throughout(block: &[u8], fields: &[Header<'_>]) -> bool {
    let base = block.as_ptr().addr();
    let between = fields.iter().skip(1).all(|field| {
        let at = field.name.as_ptr().addr().wrapping_sub(base);
        block.get(at.wrapping_sub(2)) == Some(&b'\r')
    });
    let end: &[u8] = if fields.is_empty() { b"\r\n" } else { b"\r\n\r\n" };
    between && block.ends_with(end)
}

/// Whether every CR and LF at or after `from` belongs to a CRLF; a CR that ends `buf` may still become one.
pub(super) fn has_only_crlf(buf: &[u8], from: usize) -> bool {
    let from = from.saturating_sub(1).min(buf.len());
    memchr::memchr2_iter(b'\r', b'\n', &buf[from..]).all(|at| {
        let at = from + at;
        if buf[at] == b'\r' {
            buf.get(at + 1).is_none_or(|&next| next == b'\n')
        } else {
            at > 0 && buf[at - 1] == b'\r'
        }
    })
}
