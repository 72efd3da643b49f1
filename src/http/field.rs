//! Fields of a reply. Their names and values cannot hold a line end, whoever made them, so that no reply can be split.
//! Leaves out what the writer alone may say: length, date and the fate of the connection.

use thiserror::Error;

use super::grammar::{is_plain_value_byte, is_token};

/// A field value held a byte other than visible ASCII, space and tab, or began or ended in white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("invalid header field value")]
pub struct InvalidFieldValue;

/// The name of a field that code may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldName(&'static str);

#[allow(missing_docs)]
impl FieldName {
    pub const ACCESS_CONTROL_ALLOW_CREDENTIALS: Self = Self("Access-Control-Allow-Credentials");
    pub const ACCESS_CONTROL_ALLOW_HEADERS: Self = Self("Access-Control-Allow-Headers");
    pub const ACCESS_CONTROL_ALLOW_METHODS: Self = Self("Access-Control-Allow-Methods");
    pub const ACCESS_CONTROL_ALLOW_ORIGIN: Self = Self("Access-Control-Allow-Origin");
    pub const ACCESS_CONTROL_EXPOSE_HEADERS: Self = Self("Access-Control-Expose-Headers");
    pub const ACCESS_CONTROL_MAX_AGE: Self = Self("Access-Control-Max-Age");
    pub const ALLOW: Self = Self("Allow");
    pub const CONTENT_SECURITY_POLICY: Self = Self("Content-Security-Policy");
    pub const ETAG: Self = Self("ETag");
    pub const LOCATION: Self = Self("Location");
    pub const RETRY_AFTER: Self = Self("Retry-After");
    pub const VARY: Self = Self("Vary");
    pub const WWW_AUTHENTICATE: Self = Self("WWW-Authenticate");

    /// The name as it is written.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// A field value without control bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldValue<'a>(Repr<'a>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repr<'a> {
    Text(&'a str),
    Number(u64),
}

impl<'a> FieldValue<'a> {
    /// A value known when the program is written; in a `const` an invalid one does not compile.
    ///
    /// # Panics
    /// On what [`FieldValue::parse`] refuses.
    pub const fn from_static(text: &'static str) -> FieldValue<'static> {
        assert!(is_valid(text), "a field value is visible ASCII");
        FieldValue(Repr::Text(text))
    }

    /// A value that is not known before.
    ///
    /// # Errors
    /// On every byte other than visible ASCII, space and tab, and on white space at either end.
    pub const fn parse(text: &'a str) -> Result<Self, InvalidFieldValue> {
        if is_valid(text) { Ok(Self(Repr::Text(text))) } else { Err(InvalidFieldValue) }
    }

    /// A decimal number.
    pub const fn number(number: u64) -> Self {
        Self(Repr::Number(number))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self.0 {
            Repr::Text(text) => out.extend_from_slice(text.as_bytes()),
            Repr::Number(number) => {
                out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            }
        }
    }
}

const fn is_valid(text: &str) -> bool {
    let bytes = text.as_bytes();
    if let [b' ' | b'\t', ..] | [.., b' ' | b'\t'] = bytes {
        return false;
    }
    let mut at = 0;
    while at < bytes.len() {
        if !is_plain_value_byte(bytes[at]) {
            return false;
        }
        at += 1;
    }
    true
}

/// One field line of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    name: FieldName,
    value: FieldValue<'a>,
}

impl<'a> Field<'a> {
    /// A field of any name that code may set.
    pub const fn new(name: FieldName, value: FieldValue<'a>) -> Self {
        Self { name, value }
    }

    /// `Retry-After` in seconds (RFC 9110 section 10.2.3).
    pub const fn retry_after(seconds: u64) -> Self {
        Self::new(FieldName::RETRY_AFTER, FieldValue::number(seconds))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write_line(self.name.0, self.value, out);
    }
}

/// One field line. `name` is written in this folder only, never by a caller.
pub(super) fn write_line(name: &'static str, value: FieldValue<'_>, out: &mut Vec<u8>) {
    debug_assert!(is_token(name.as_bytes()));
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    value.write(out);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_value_that_could_end_its_line_is_refused() {
        for text in ["a\r\nSet-Cookie: x", "a\nb", "a\rb", "a\0b", "\u{7f}", "caf\u{e9}", " a", "a ", "\ta", "\u{2028}"]
        {
            assert_eq!(FieldValue::parse(text), Err(InvalidFieldValue), "{text:?}");
        }
        for text in ["", "a", "a b\tc", "Bearer error=\"invalid_token\"", "/users/1?x=~"] {
            assert!(FieldValue::parse(text).is_ok(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_value_is_one_line(text in any::<String>(), number: u64) {
            let mut out = Vec::new();
            Field::retry_after(number).write(&mut out);
            if let Ok(value) = FieldValue::parse(&text) {
                Field::new(FieldName::LOCATION, value).write(&mut out);
            }
            let text = String::from_utf8(out).unwrap();
            for line in text.split_terminator("\r\n") {
                prop_assert!(!line.contains(['\r', '\n', '\0']));
            }
        }
    }
}
