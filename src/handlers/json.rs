//! JSON bodies: read strictly (RFC 8259), written by hand where a reply has a fixed shape.

use crate::{
    handlers::{Rejection, Request},
    http::media_type::require_json,
};
use serde::Deserialize;

/// Reads the body as JSON of this shape. Unknown members are ignored, a member that comes twice is refused.
pub(super) fn read<'r, T: Deserialize<'r>>(request: Request<'r>) -> Result<T, Rejection> {
    require_json(request.head.content_type).map_err(Rejection::MediaType)?;
    if request.head.content_coded {
        return Err(Rejection::ContentCoding);
    }
    serde_json::from_slice(request.body).map_err(|error| Rejection::json(&error))
}

/// Appends `text` as a JSON string.
pub(super) fn write_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("strings can be written to memory");
}
