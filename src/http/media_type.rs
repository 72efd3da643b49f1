//! Whether a request body says of itself that it is JSON (RFC 9110 section 8.3, RFC 8259 section 11).
//! Never looks at the body.

use thiserror::Error;

use super::grammar::{is_token, parameter_value, trim_ows};

/// Why a body is not taken for JSON (415).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MediaTypeError {
    /// No `Content-Type`.
    #[error("missing Content-Type")]
    Missing,
    /// Another media type, or none that can be read. Formats built on JSON (`+json`) are other formats.
    #[error("Content-Type is not application/json")]
    NotJson,
    /// JSON is UTF-8 (RFC 8259 section 8.1), whatever the parameter says.
    #[error("charset is not UTF-8")]
    Charset,
}

/// Accepts `application/json` with any well-formed parameters, but for a `charset` other than UTF-8.
///
/// # Errors
/// What else the field says.
#[inline]
pub fn require_json(content_type: Option<&[u8]>) -> Result<(), MediaTypeError> {
    const JSON: &[u8] = b"application/json";
    let value = content_type.ok_or(MediaTypeError::Missing)?;
    match value.split_at_checked(JSON.len()) {
        Some((essence, rest)) if essence.eq_ignore_ascii_case(JSON) => parameters(rest),
        _ => Err(MediaTypeError::NotJson),
    }
}

/// `*( OWS ";" OWS [ name "=" value ] )`.
fn parameters(mut rest: &[u8]) -> Result<(), MediaTypeError> {
    let mut seen_charset = false;
    loop {
        rest = trim_ows(rest);
        if rest.is_empty() {
            return Ok(());
        }
        rest = trim_ows(rest.strip_prefix(b";").ok_or(MediaTypeError::NotJson)?);
        if rest.is_empty() || rest.starts_with(b";") {
            continue;
        }
        let equals = rest.iter().position(|&b| b == b'=');
        let (name, behind) = rest.split_at(equals.ok_or(MediaTypeError::NotJson)?);
        if !is_token(name) {
            return Err(MediaTypeError::NotJson);
        }
        let (value, behind) = parameter_value(&behind[1..]).ok_or(MediaTypeError::NotJson)?;
        if name.eq_ignore_ascii_case(b"charset") {
            if seen_charset || !value.eq_ignore_ascii_case(b"utf-8") {
                return Err(MediaTypeError::Charset);
            }
            seen_charset = true;
        }
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_utf_8_is_accepted_however_it_is_spelled() {
        for value in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "application/json ; charset=\"utf-8\"",
            "application/json;",
            "application/json; ;charset=utf-8;",
            "application/json; profile=\"a;b=\\\"c\"; charset=utf-8",
        ] {
            assert_eq!(require_json(Some(value.as_bytes())), Ok(()), "{value}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        assert_eq!(require_json(None), Err(MediaTypeError::Missing));
        for value in [
            "",
            "text/plain",
            "application/jsonp",
            "application/json5",
            "application/json+x",
            "application/problem+json",
            "application/x-www-form-urlencoded",
            "application/ json",
            "application/json, text/plain",
            "application/json charset=utf-8",
            "application/json; charset",
            "application/json; =utf-8",
            "application/json; a b=c",
            "application/json; charset=",
            "application/json; charset=\"utf-8",
            "application/json; a=\"b\"c",
            "application/json; a=\"b\\",
        ] {
            let outcome = require_json(Some(value.as_bytes()));
            assert_eq!(outcome, Err(MediaTypeError::NotJson), "{value}");
        }
        for value in [
            "application/json; charset=latin1",
            "application/json; charset=utf-16",
            "application/json; charset=utf8",
            "application/json; charset=\"\"",
            "application/json; charset=utf-8; charset=utf-8",
            "application/json; charset=utf-8; CHARSET=latin1",
        ] {
            let outcome = require_json(Some(value.as_bytes()));
            assert_eq!(outcome, Err(MediaTypeError::Charset), "{value}");
        }
    }
}
