//! Which websites' pages may read replies (CORS, the Fetch standard section 3.3): origins as they are configured, and
//! the fields that a request's origin brings into its reply. Knows no route; never allows credentials, because tokens
//! travel in `Authorization`, which a page has to set itself.

use std::fmt;
use std::net::Ipv6Addr;

use super::field::{Field, FieldName, FieldValue};
use super::head::{Head, Method};
use super::host;

/// More origins than one deployment has websites: the list is walked for every request that comes from one.
pub const ORIGINS_MAX: usize = 64;

/// Reply fields that pages may read beside the few that they always may.
const EXPOSED: FieldValue<'static> = FieldValue::from_static("Retry-After, WWW-Authenticate");

/// The request field that replies differ by.
const ORIGIN: FieldValue<'static> = FieldValue::from_static("Origin");

/// Origins whose pages may read replies, each as browsers write it (RFC 6454 section 6.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

/// Why a text is no list of origins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Every origin.
    #[error("* would let every website in the world try passwords from its visitors' browsers: list the origins")]
    Wildcard,
    /// What browsers send for whom they do not name.
    #[error("null is what any file and any sandboxed page sends: list the origins")]
    Null,
    /// No scheme, or none that a URL has.
    #[error("an origin has a scheme, a host and no more than a port, as https://app.example.com")]
    Malformed,
    /// More than an origin, as a path or a slash at the end.
    #[error("an origin ends with its host or port: leave the path and the last slash away")]
    Path,
    /// A host that is none, as one outside ASCII.
    #[error("its host is neither a name in ASCII nor an address")]
    Host,
    /// A spelling that no browser sends.
    #[error(
        "browsers write scheme and host in lower case, IPv6 in its shortest form, and ports without zeros in front"
    )]
    Spelling,
    /// A port that browsers leave away.
    #[error("browsers leave the port of the scheme away: 443 in https, 80 in http")]
    DefaultPort,
    /// More than [`ORIGINS_MAX`].
    #[error("it has more than {ORIGINS_MAX} origins")]
    TooMany,
}

impl Origins {
    /// Parses origins separated by commas; nothing between or after them.
    ///
    /// # Errors
    /// [`OriginError`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let origins: Result<Vec<_>, _> =
            text.split(',').take(ORIGINS_MAX + 1).map(|item| parse_origin(item.trim())).collect();
        match origins? {
            origins if origins.len() > ORIGINS_MAX => Err(OriginError::TooMany),
            origins => Ok(Self(origins)),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The origin that is this one, byte by byte.
    fn find(&self, origin: &[u8]) -> Option<&str> {
        self.0.iter().map(String::as_str).find(|listed| listed.as_bytes() == origin)
    }
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

/// An origin is compared as text, so one that no browser would ever send is a mistake.
fn parse_origin(text: &str) -> Result<String, OriginError> {
    match text {
        "*" => return Err(OriginError::Wildcard),
        "null" => return Err(OriginError::Null),
        _ => {}
    }
    let (scheme, authority) = text.split_once("://").ok_or(OriginError::Malformed)?;
    if !is_scheme(scheme) {
        return Err(OriginError::Malformed);
    }
    if authority.contains(['/', '?', '#', '\\']) {
        return Err(OriginError::Path);
    }
    if !host::is_valid(authority.as_bytes()) {
        return Err(OriginError::Host);
    }
    // The colons of an IPv6 address stand within its brackets.
    let port = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map(|(_, port)| port);
    let is_plain = !text.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'%')
        && port.is_none_or(|port| !port.is_empty() && !port.starts_with('0'))
        && shortest_ipv6(authority);
    match (scheme, port) {
        _ if !is_plain => Err(OriginError::Spelling),
        ("https", Some("443")) | ("http", Some("80")) => Err(OriginError::DefaultPort),
        _ => Ok(text.to_owned()),
    }
}

/// Any scheme (RFC 3986 section 3.1): those of apps and of browsers' extensions have origins too.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Whether an IPv6 address, if that is what the host is, is written as RFC 5952 has it.
fn shortest_ipv6(authority: &str) -> bool {
    let bracketed = authority.strip_prefix('[').and_then(|rest| rest.split(']').next());
    bracketed.is_none_or(|text| text.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == text))
}

/// With whom a reply is shared. Outlives the head that it was found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing<'o> {
    /// No origin is configured: replies are as if there were no such thing.
    Off,
    /// Replies differ by origin, and this request is of none that is listed.
    Withheld,
    /// The pages of this origin may read the reply.
    With(&'o str),
}

impl<'o> Sharing<'o> {
    /// What a request with this `Origin` gets. `origins` is none where no origin is configured.
    #[inline]
    pub fn of(origins: Option<&'o Origins>, origin: Option<&[u8]>) -> Self {
        match origins {
            None => Self::Off,
            Some(origins) => origin.and_then(|origin| origins.find(origin)).map_or(Self::Withheld, Self::With),
        }
    }

    /// Whether the request asks, for a page that may, what it may ask for (the Fetch standard, CORS-preflight request).
    pub fn is_preflight(self, head: &Head<'_>) -> bool {
        matches!(self, Self::With(_)) && head.method == Method::Options && head.access_control_request_method.is_some()
    }

    /// What goes into the reply. `Vary` stands in every reply that would differ for another origin, also where that
    /// other one gets nothing.
    pub fn fields(self) -> Vec<Field<'o>> {
        let vary = Field::new(FieldName::VARY, ORIGIN);
        match self {
            Self::Off => Vec::new(),
            Self::Withheld => vec![vary],
            Self::With(origin) => {
                let origin = FieldValue::parse(origin).expect("what stands in a list of origins is visible ASCII");
                vec![
                    vary,
                    Field::new(FieldName::ACCESS_CONTROL_ALLOW_ORIGIN, origin),
                    Field::new(FieldName::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED),
                ]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_taken_as_browsers_write_them() {
        for text in [
            "https://app.example.com",
            "http://localhost:3000",
            "http://127.0.0.1",
            "https://[2001:db8::1]:8443",
            "https://xn--bcher-kva.example",
            "capacitor://localhost",
            "chrome-extension://abcdefghijklmnop",
            "https://a.example,https://b.example:444",
            "http://a.example:443",
        ] {
            assert_eq!(Origins::parse(text).map(|origins| origins.to_string()), Ok(text.to_owned()), "{text}");
        }
        assert_eq!(Origins::parse("https://a.example, https://b.example").unwrap().0.len(), 2);
    }

    #[test]
    fn what_no_browser_sends_is_told_by_its_mistake() {
        use OriginError::*;
        for (text, error) in [
            ("*", Wildcard),
            ("https://a.example,*", Wildcard),
            ("null", Null),
            ("", Malformed),
            ("app.example.com", Malformed),
            ("://app.example.com", Malformed),
            ("1http://app.example.com", Malformed),
            ("https://a.example,", Malformed),
            ("https://app.example.com/", Path),
            ("https://app.example.com/login", Path),
            ("https://app.example.com?x", Path),
            ("https://app.example.com#x", Path),
            ("https://", Host),
            ("https://*.example.com:x", Host),
            ("https://b\u{fc}cher.example", Host),
            ("https://user@app.example.com", Host),
            ("https://app.example.com:65536", Host),
            ("https://app example.com", Host),
            ("https://App.example.com", Spelling),
            ("HTTPS://app.example.com", Spelling),
            ("https://app.example.com:", Spelling),
            ("https://app.example.com:0443", Spelling),
            ("https://[2001:DB8::1]", Spelling),
            ("https://[2001:db8:0:0::1]", Spelling),
            ("https://app%2eexample.com", Spelling),
            ("https://app.example.com:443", DefaultPort),
            ("http://app.example.com:80", DefaultPort),
        ] {
            assert_eq!(Origins::parse(text), Err(error), "{text}");
        }
        assert_eq!(Origins::parse(&vec!["https://a.example"; ORIGINS_MAX + 1].join(",")), Err(TooMany));
    }

    #[test]
    fn only_an_origin_that_is_listed_is_shared_with() {
        let origins = Origins::parse("https://app.example.com").unwrap();
        let of = |origin: &'static [u8]| Sharing::of(Some(&origins), Some(origin));
        assert_eq!(of(b"https://app.example.com"), Sharing::With("https://app.example.com"));
        let others: [&'static [u8]; 7] = [
            b"",
            b"null",
            b"https://app.example.com.evil.example",
            b"https://app.example.co",
            b"http://app.example.com",
            b"https://APP.example.com",
            b"https://app.example.com:443",
        ];
        for other in others {
            assert_eq!(of(other), Sharing::Withheld, "{other:?}");
        }
        assert_eq!(Sharing::of(Some(&origins), None), Sharing::Withheld);
        assert_eq!(Sharing::of(None, Some(b"https://app.example.com")), Sharing::Off);
        assert_eq!(Sharing::Off.fields(), []);
    }
}
