//! Writes replies into a buffer of the caller (RFC 9112 sections 4 and 6): as a whole, or from a template made once.
//! Allocates nothing but room in that buffer; never lets a body and its length disagree.

use super::date::DATE_BYTES;
use super::field::{Field, FieldValue, write_line};
use super::head::{Head, Method, Version};
use super::status::Status;

/// The interim reply to a client that waits before it sends its body (RFC 9110 section 15.2.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Replies are not for caches unless they say so: most carry tokens or users.
const NO_STORE: FieldValue<'static> = FieldValue::from_static("no-store");

/// Bytes of `Date`, the longest `Content-Length` and the longest `Connection`, with the empty line.
const VARIABLE_BYTES_MAX: usize = 6 + DATE_BYTES + 18 + 20 + 28;

/// What a reply depends on beside its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyContext<'a> {
    /// The client's version.
    pub version: Version,
    /// Whether the connection serves another request; if not, the caller closes it behind this reply.
    pub keep_alive: bool,
    /// Whether the request was HEAD: all of the reply but its body.
    pub head_only: bool,
    /// The value of `Date`, from a [`DateCache`](super::date::DateCache).
    pub date: &'a [u8; DATE_BYTES],
    /// Fields that come from who asks, whatever is answered.
    pub fields: &'a [Field<'a>],
}

impl<'a> ReplyContext<'a> {
    /// The context of the reply to `head`, on a connection that is open for as long as the client wants it.
    pub const fn of(head: &Head<'_>, date: &'a [u8; DATE_BYTES]) -> Self {
        Self {
            version: head.version,
            keep_alive: head.keep_alive,
            head_only: matches!(head.method, Method::Head),
            date,
            fields: &[],
        }
    }

    /// The context of a reply without a request: the connection is closed behind it.
    pub const fn closing(date: &'a [u8; DATE_BYTES]) -> Self {
        Self { version: Version::Http11, keep_alive: false, head_only: false, date, fields: &[] }
    }

    /// The context of a reply to what could not be read as a request, `sent` so far: the connection is closed behind
    /// it. Whoever asks for a head gets no body, whatever else is wrong (RFC 9110 section 9.3.2).
    pub fn refusing(sent: &[u8], date: &'a [u8; DATE_BYTES]) -> Self {
        let head_only = sent.strip_prefix(b"\r\n").unwrap_or(sent).starts_with(b"HEAD ");
        Self { head_only, ..Self::closing(date) }
    }
}

/// A reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'a> {
    /// The status; one without a body drops `content_type` and `body`.
    pub status: Status,
    /// The media type of the body.
    pub content_type: Option<FieldValue<'a>>,
    /// `no-store` unless changed.
    pub cache_control: FieldValue<'a>,
    /// Further fields.
    pub fields: &'a [Field<'a>],
    /// The content.
    pub body: &'a [u8],
}

impl<'a> Response<'a> {
    /// A reply without content and without further fields.
    pub const fn new(status: Status) -> Self {
        Self { status, content_type: None, cache_control: NO_STORE, fields: &[], body: &[] }
    }

    /// The reply with content.
    #[must_use]
    pub const fn with_body(mut self, content_type: FieldValue<'a>, body: &'a [u8]) -> Self {
        self.content_type = Some(content_type);
        self.body = body;
        self
    }

    /// The reply with these fields instead of those it had.
    #[must_use]
    pub const fn with_fields(mut self, fields: &'a [Field<'a>]) -> Self {
        self.fields = fields;
        self
    }

    /// Appends the reply to `out`.
    pub fn write(&self, context: &ReplyContext<'_>, out: &mut Vec<u8>) {
        self.write_constant_part(out);
        write_variable_part(self.status, context, self.body, out);
    }

    /// The status line and the fields that do not change from reply to reply.
    fn write_constant_part(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.status.line().as_bytes());
        if let Some(content_type) = self.content_type
            && self.status.has_body()
        {
            write_line("Content-Type", content_type, out);
        }
        write_line("Cache-Control", self.cache_control, out);
        out.extend_from_slice(b"X-Content-Type-Options: nosniff\r\n");
        for field in self.fields {
            field.write(out);
        }
    }
}

/// A reply of which only the body changes, made at start and written by a few copies.
#[derive(Debug, Clone)]
pub struct Template {
    status: Status,
    constant_part: Box<[u8]>,
}

impl Template {
    /// The reply without its body.
    pub fn new(response: &Response<'_>) -> Self {
        let mut constant_part = Vec::new();
        response.write_constant_part(&mut constant_part);
        Self { status: response.status, constant_part: constant_part.into() }
    }

    /// The status of every reply made from it.
    pub const fn status(&self) -> Status {
        self.status
    }

    /// Appends the reply with this body to `out`.
    #[inline]
    pub fn write(&self, context: &ReplyContext<'_>, body: &[u8], out: &mut Vec<u8>) {
        out.reserve(self.constant_part.len() + VARIABLE_BYTES_MAX + body.len());
        out.extend_from_slice(&self.constant_part);
        write_variable_part(self.status, context, body, out);
    }
}

/// Everything from the fields of the context to the body. Lengths are not declared where RFC 9110 section 8.6 forbids
/// or spares them.
#[inline]
fn write_variable_part(status: Status, context: &ReplyContext<'_>, body: &[u8], out: &mut Vec<u8>) {
    for field in context.fields {
        field.write(out);
    }
    out.extend_from_slice(b"Date: ");
    out.extend_from_slice(context.date);
    if status.has_body() {
        out.extend_from_slice(b"\r\nContent-Length: ");
        out.extend_from_slice(itoa::Buffer::new().format(body.len()).as_bytes());
    }
    out.extend_from_slice(match (context.version, context.keep_alive) {
        (Version::Http11, true) => b"\r\n\r\n",
        (Version::Http10, true) => b"\r\nConnection: keep-alive\r\n\r\n",
        (_, false) => b"\r\nConnection: close\r\n\r\n",
    });
    if status.has_body() && !context.head_only {
        out.extend_from_slice(body);
    }
}

#[cfg(test)]
mod tests;
