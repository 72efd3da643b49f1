//! Where something is reached by HTTP: `http://127.0.0.1:4318`, `https://collector.example.org/otlp`. Never holds a
//! password, so that it can be shown.

use std::fmt;

/// An absolute URL of HTTP (RFC 9110 section 4.2), without user, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl(String);

/// Why a text is no such URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HttpUrlError {
    /// Another scheme, or none.
    #[error("it begins neither with http:// nor with https://")]
    Scheme,
    /// No host behind the scheme.
    #[error("the host is missing")]
    HostMissing,
    /// The port is no number up to 65535.
    #[error("the port must be a number from 1 to 65535")]
    PortInvalid,
    /// `user:password@`, which would be shown wherever the URL is.
    #[error("it has a user name or a password in it")]
    UserInfo,
    /// `?` or `#`.
    #[error("it has a query or a fragment")]
    Query,
    /// A byte that no URL has.
    #[error("it has a character that no URL has")]
    Character,
}

impl HttpUrl {
    /// Checks the text.
    ///
    /// # Errors
    /// [`HttpUrlError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, HttpUrlError> {
        let text = text.trim();
        let is_scheme = |scheme: &&str| text.get(..scheme.len()).is_some_and(|it| it.eq_ignore_ascii_case(scheme));
        let scheme = ["http://", "https://"].into_iter().find(is_scheme).ok_or(HttpUrlError::Scheme)?;
        let rest = &text[scheme.len()..];
        if !rest.bytes().all(|byte| byte.is_ascii_graphic() && !br#"<>"{}|\^`"#.contains(&byte)) {
            return Err(HttpUrlError::Character);
        }
        if rest.contains(['?', '#']) {
            return Err(HttpUrlError::Query);
        }
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.contains('@') {
            return Err(HttpUrlError::UserInfo);
        }
        // The colons of an IPv6 address stand in brackets.
        let behind = authority.rfind(']').map_or(0, |at| at + 1);
        let host = match authority[behind..].split_once(':') {
            None => authority,
            Some((host, port)) => {
                port.parse::<u16>().ok().filter(|port| *port > 0).ok_or(HttpUrlError::PortInvalid)?;
                &authority[..behind + host.len()]
            }
        };
        if host.is_empty() { Err(HttpUrlError::HostMissing) } else { Ok(Self(format!("{scheme}{rest}"))) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of a path below this one.
    pub fn join(&self, path: &str) -> String {
        format!("{}/{path}", self.0.trim_end_matches('/'))
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_a_host_is_a_url() {
        for text in [
            "http://127.0.0.1:4318",
            "https://collector.example.org",
            "http://[::1]:4318/v1/traces",
            "http://[::1]/",
            "https://collector/otlp%20x/",
        ] {
            assert_eq!(HttpUrl::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(HttpUrl::parse(" HTTP://host ").unwrap().as_str(), "http://host");
    }

    #[test]
    fn what_does_not_is_refused_for_its_reason() {
        for (text, error) in [
            ("", HttpUrlError::Scheme),
            ("127.0.0.1:4318", HttpUrlError::Scheme),
            ("grpc://host:4317", HttpUrlError::Scheme),
            ("http://", HttpUrlError::HostMissing),
            ("http:///path", HttpUrlError::HostMissing),
            ("http://:4318", HttpUrlError::HostMissing),
            ("http://host:", HttpUrlError::PortInvalid),
            ("http://host:0", HttpUrlError::PortInvalid),
            ("http://host:65536", HttpUrlError::PortInvalid),
            ("http://[::1]:x", HttpUrlError::PortInvalid),
            ("https://me:hunter2@host", HttpUrlError::UserInfo),
            ("http://host/?a=b", HttpUrlError::Query),
            ("http://host/#a", HttpUrlError::Query),
            ("http://ho st", HttpUrlError::Character),
            ("http://h\u{f6}st", HttpUrlError::Character),
            ("http://host/\r\nX: y", HttpUrlError::Character),
        ] {
            assert_eq!(HttpUrl::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_path_is_joined_by_one_slash() {
        for text in ["http://host:4318", "http://host:4318/"] {
            assert_eq!(HttpUrl::parse(text).unwrap().join("v1/traces"), "http://host:4318/v1/traces");
        }
    }
}
