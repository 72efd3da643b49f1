//! What a handler answers with, before it is known over which connection it goes.

use crate::http::{
    field::{Field, FieldValue},
    response::{ReplyContext, Response},
    status::Status,
};
use std::borrow::Cow;

/// The media type of ordinary replies (RFC 8259).
pub(super) const JSON: FieldValue<'static> = FieldValue::from_static("application/json");

/// A status, fields and a body.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: Status,
    /// The media type of the body, if there is one.
    pub content_type: Option<FieldValue<'static>>,
    /// Fields of this reply alone.
    pub fields: Vec<Field<'static>>,
    /// The content.
    pub body: Cow<'static, [u8]>,
    /// The client was told to come back later. It need not be listened to at once: who asks again all the same, as fast
    /// as it can, would take the time of those who may be served.
    pub is_refusal: bool,
    /// The code of the problem that it tells of.
    pub problem: Option<&'static str>,
}

impl Reply {
    /// A reply with a JSON body.
    pub fn json(status: Status, body: impl Into<Cow<'static, [u8]>>) -> Reply {
        Reply {
            status,
            content_type: Some(JSON),
            fields: Vec::new(),
            body: body.into(),
            is_refusal: false,
            problem: None,
        }
    }

    /// It was done, and there is nothing to say about it.
    pub fn no_content() -> Reply {
        Reply {
            status: Status::NoContent,
            content_type: None,
            fields: Vec::new(),
            body: Cow::Borrowed(b""),
            is_refusal: false,
            problem: None,
        }
    }

    /// Appends the reply as it goes over the wire.
    pub fn write(&self, context: &ReplyContext<'_>, out: &mut Vec<u8>) {
        let mut response = Response::new(self.status).with_fields(&self.fields);
        if let Some(content_type) = self.content_type {
            response = response.with_body(content_type, &self.body);
        }
        response.write(context, out);
    }
}
