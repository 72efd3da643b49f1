//! JSON bodies: read strictly (RFC 8259), written by hand where a reply has a fixed shape.

mod members;

use crate::{
    handlers::{Rejection, Request},
    http::media_type::require_json,
};
use members::Members;
use serde::Deserializer;
use std::{borrow::Cow, io::Write};

/// Reads the body as a JSON object and gives its members of these names, which are strings; null counts as missing.
/// Others are ignored, but not before they are held to the same rules.
///
/// # Errors
/// When the body is not announced as JSON, is none, or is of another shape; says where, and nothing of what is there.
pub fn read<'r, const N: usize>(
    request: Request<'r>,
    names: [&'static str; N],
) -> Result<[Option<Cow<'r, str>>; N], Rejection> {
    require_json(request.head.content_type).map_err(Rejection::MediaType)?;
    if request.head.content_coded {
        return Err(Rejection::ContentCoding);
    }
    let mut json = serde_json::Deserializer::from_slice(request.body);
    let members = json.deserialize_map(Members { names }).and_then(|members| json.end().map(|()| members));
    members.map_err(|error| Rejection::json(&error))
}

/// Appends `text` as a JSON string.
pub(super) fn write_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("strings can be written to memory");
}

/// Appends a time as RFC 3339 in UTC, with milliseconds.
pub(super) fn write_time(unix_ms: u64, out: &mut Vec<u8>) {
    let time = i64::try_from(unix_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let time = time.expect("ids are made from today's clock");
    write!(out, "{time:.3}").expect("times can be written to memory");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_has_three_digits_of_a_second_and_ends_in_z() {
        for (unix_ms, text) in [(0, "1970-01-01T00:00:00.000Z"), (1_795_500_000_120, "2026-11-24T06:00:00.120Z")] {
            let mut out = Vec::new();
            write_time(unix_ms, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
