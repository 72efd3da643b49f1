//! The one spelling of a path that routes are compared with.
//! Resolves nothing: `//`, `.`, `..` and an encoded slash stay what they are, so that they equal no route.

use std::borrow::Cow;

use super::grammar::{hex_digit, is_unreserved};

/// `raw` with the escapes of unreserved characters decoded (RFC 3986 section 6.2.2.2) and all others left as they
/// are. Borrowed unless there is an escape.
#[inline]
pub fn canonical(raw: &str) -> Cow<'_, str> {
    match raw.find('%') {
        None => Cow::Borrowed(raw),
        Some(first) => Cow::Owned(decode_unreserved(raw, first)),
    }
}

#[cold]
fn decode_unreserved(raw: &str, first: usize) -> String {
    let mut decoded = String::with_capacity(raw.len());
    decoded.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some(at) = rest.find('%') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        match escaped(rest.as_bytes()) {
            Some(byte) if is_unreserved(byte) => {
                decoded.push(char::from(byte));
                rest = &rest[3..];
            }
            _ => {
                decoded.push('%');
                rest = &rest[1..];
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

fn escaped(text: &[u8]) -> Option<u8> {
    match text {
        [b'%', high, low, ..] => Some(hex_digit(*high)? << 4 | hex_digit(*low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_unreserved_characters_are_decoded() {
        for (raw, wanted) in [
            ("/auth/register", "/auth/register"),
            ("/%61uth/re%67ister", "/auth/register"),
            ("/%7Euser/%2d%5F%2e", "/~user/-_."),
            ("/auth%2Fregister", "/auth%2Fregister"),
            ("/auth%2fregister", "/auth%2fregister"),
            ("/%2e%2e/auth", "/../auth"),
            ("//auth/./x/..", "//auth/./x/.."),
            ("/a%20b%00%5C", "/a%20b%00%5C"),
            ("/%25%361", "/%2561"),
            ("/%2561", "/%2561"),
            ("/%", "/%"),
            ("/%4", "/%4"),
            ("/%zz%41", "/%zzA"),
        ] {
            assert_eq!(canonical(raw), wanted, "{raw}");
        }
    }

    #[test]
    fn a_path_without_escapes_is_borrowed() {
        assert!(matches!(canonical("/auth/me"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn decoding_never_makes_a_slash(raw in "(/|%2[fF]|%2[eE]|[a-z]|%[0-9a-f]{2}|\\.|%)*") {
            let slashes = |text: &str| text.bytes().filter(|&b| b == b'/').count();
            prop_assert_eq!(slashes(&canonical(&raw)), slashes(&raw));
        }
    }
}
