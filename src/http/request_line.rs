//! The request line (RFC 9112 section 3): method, target in its four forms, version.
//! Validates and splits; never decodes an escape and never resolves a dot segment.

use super::grammar::{hex_digit, is_path_byte, is_token_byte};
use super::head::{HeadError, HeadLimits, Malformed, Method, Target, Version};
use super::host;

/// `HTTP/1.1` and CRLF.
const VERSION_BYTES: usize = 10;

/// A request line, split but for the form of its target.
#[derive(Debug)]
pub(super) struct RequestLine<'b> {
    pub(super) method: Method,
    pub(super) version: Version,
    /// Bytes of the line, its CRLF included.
    pub(super) len: usize,
    target: RawTarget<'b>,
}

/// A target as sent, and where its first question mark is.
#[derive(Debug, Clone, Copy)]
struct RawTarget<'b> {
    text: &'b [u8],
    query_at: Option<usize>,
}

/// Reads the request line at the start of `buf`. `None`: it has not come to its end, and nothing is wrong so far.
#[inline]
pub(super) fn parse<'b>(buf: &'b [u8], limits: &HeadLimits) -> Result<Option<RequestLine<'b>>, HeadError> {
    let Some((method, at)) = method(buf, limits.method_bytes_max)? else {
        return Ok(None);
    };
    let Some(target) = target(&buf[at..], limits.target_bytes_max)? else {
        return Ok(None);
    };
    let at = at + target.text.len() + 1;
    let Some(version) = version(&buf[at..])? else {
        return Ok(None);
    };
    Ok(Some(RequestLine { method, version, len: at + VERSION_BYTES, target }))
}

/// The method and the offset of what follows its space.
#[inline]
fn method(buf: &[u8], bytes_max: usize) -> Result<Option<(Method, usize)>, HeadError> {
    if buf.starts_with(b"POST ") {
        return Ok(Some((Method::Post, 5)));
    }
    if buf.starts_with(b"GET ") {
        return Ok(Some((Method::Get, 4)));
    }
    let len = buf.iter().take_while(|&&b| is_token_byte(b)).count();
    if len > bytes_max {
        return Err(HeadError::MethodTooLong);
    }
    match buf.get(len) {
        None => Ok(None),
        Some(b' ') if len > 0 => Ok(Some((Method::from_token(&buf[..len]), len + 1))),
        Some(_) => Err(Malformed::Method.into()),
    }
}

/// The target up to the space behind it. Only what RFC 3986 allows in a path or a query passes, and brackets for the
/// address in an absolute form: that leaves out fragments, backslashes, quotes, control bytes and what is not ASCII.
#[inline]
fn target(buf: &[u8], bytes_max: usize) -> Result<Option<RawTarget<'_>>, HeadError> {
    let mut at = 0;
    let mut query_at = None;
    let absolute = buf.first() != Some(&b'/');
    loop {
        match buf.get(at) {
            Some(&byte) if is_path_byte(byte) => at += 1,
            Some(b' ') if at > bytes_max => return Err(HeadError::UriTooLong),
            Some(b' ') if at > 0 => {
                let text = &buf[..at];
                return Ok(Some(RawTarget { text, query_at }));
            }
            Some(b'?') => {
                query_at.get_or_insert(at);
                at += 1;
            }
            Some(b'[' | b']') if absolute => at += 1,
            Some(b'%') => {
                let digits = &buf[at + 1..buf.len().min(at + 3)];
                if !digits.iter().all(|&b| hex_digit(b).is_some()) {
                    return Err(Malformed::Target.into());
                }
                at += 1 + digits.len();
            }
            None if at > bytes_max => return Err(HeadError::UriTooLong),
            None => return Ok(None),
            Some(_) => return Err(Malformed::Target.into()),
        }
    }
}

/// The version and its CRLF.
#[inline]
fn version(buf: &[u8]) -> Result<Option<Version>, HeadError> {
    match buf.first_chunk::<VERSION_BYTES>() {
        Some(b"HTTP/1.1\r\n") => Ok(Some(Version::Http11)),
        Some(b"HTTP/1.0\r\n") => Ok(Some(Version::Http10)),
        _ => unusual_version(buf),
    }
}

/// A higher minor version is served as 1.1 (RFC 9110 section 2.5), another major one is not.
#[cold]
fn unusual_version(buf: &[u8]) -> Result<Option<Version>, HeadError> {
    const PATTERN: &[u8; VERSION_BYTES] = b"HTTP/0.0\r\n";
    for (at, (&byte, &wanted)) in buf.iter().zip(PATTERN).enumerate() {
        let fits = if wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted };
        if !fits && at < VERSION_BYTES - 2 {
            return Err(Malformed::Version.into());
        } else if !fits {
            return Err(Malformed::LineEnding.into());
        }
    }
    match buf.first_chunk::<VERSION_BYTES>() {
        None => Ok(None),
        Some([_, _, _, _, _, b'1', _, minor, ..]) if *minor != b'0' => Ok(Some(Version::Http11)),
        Some([_, _, _, _, _, b'1', ..]) => Ok(Some(Version::Http10)),
        Some(_) => Err(HeadError::VersionNotSupported),
    }
}

impl<'b> RequestLine<'b> {
    /// The target by its form (RFC 9112 section 3.2), and the authority that `Host` must equal if the target has one.
    #[inline]
    pub(super) fn split_target(&self) -> Result<(Target<'b>, Option<&'b [u8]>), HeadError> {
        if self.method == Method::Connect {
            return self.authority_form();
        }
        if self.target.text.starts_with(b"/") {
            return Ok((split_query(self.target)?, None));
        }
        if self.target.text == b"*" && self.method == Method::Options {
            return Ok((Target::plain("*"), None));
        }
        self.absolute_form()
    }

    #[cold]
    fn authority_form(&self) -> Result<(Target<'b>, Option<&'b [u8]>), HeadError> {
        if !host::is_valid_with_port(self.target.text) {
            return Err(Malformed::Target.into());
        }
        Ok((Target::plain(""), Some(self.target.text)))
    }

    #[cold]
    fn absolute_form(&self) -> Result<(Target<'b>, Option<&'b [u8]>), HeadError> {
        let after_scheme = [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| {
            let (start, rest) = self.target.text.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(rest)
        });
        let Some(rest) = after_scheme else {
            return Err(Malformed::Target.into());
        };
        let end = rest.iter().position(|&b| b == b'/' || b == b'?').unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if !host::is_valid(authority) || rest.contains(&b'[') || rest.contains(&b']') {
            return Err(Malformed::Target.into());
        }
        let mut target = split_query(RawTarget { text: rest, query_at: rest.iter().position(|&b| b == b'?') })?;
        if target.path.is_empty() {
            // RFC 9112 section 3.2.4: this is how OPTIONS * is asked of a proxy.
            let whole_server = self.method == Method::Options && target.query.is_none();
            target.path = if whole_server { "*" } else { "/" };
        }
        Ok((target, Some(authority)))
    }
}

#[inline]
fn split_query(target: RawTarget<'_>) -> Result<Target<'_>, HeadError> {
    // Every byte was found to be ASCII before, so this cannot fail; it stands here for want of an unsafe conversion.
    let text = std::str::from_utf8(target.text).map_err(|_| Malformed::Target)?;
    Ok(match target.query_at {
        None => Target::plain(text),
        Some(at) => Target { path: &text[..at], query: Some(&text[at + 1..]) },
    })
}
