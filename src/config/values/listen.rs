//! Addresses to listen on: `127.0.0.1:8080`, `[::]:8080`, `localhost:8080`, `:8080`, `8080`. Looks a name up only when
//! asked to.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

/// Where a listener is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// `:8080`: every address of the machine, IPv6 and IPv4, as in Go.
    Any {
        /// TCP port; 0 lets the kernel choose.
        port: u16,
    },
    /// A numeric address; a lone port means the loopback address.
    Socket(SocketAddr),
    /// A host name, looked up when the listener is made.
    Name {
        /// ASCII host name.
        host: String,
        /// TCP port; 0 lets the kernel choose.
        port: u16,
    },
}

/// Why a text is no address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenAddressError {
    /// Nothing was given.
    #[error("it is empty")]
    Empty,
    /// A URL instead of an address.
    #[error("it is a URL, and only host and port are wanted")]
    Url,
    /// No `:port` at the end.
    #[error("the port is missing")]
    PortMissing,
    /// The port is no number up to 65535.
    #[error("the port must be a number from 0 to 65535")]
    PortInvalid,
    /// IPv6 needs brackets to tell its colons from the port's.
    #[error("an IPv6 address must stand in brackets, as in [::1]:8080")]
    BracketsMissing,
    /// Neither a numeric address nor a host name.
    #[error("the host is neither an IP address nor a host name")]
    HostInvalid,
}

impl ListenAddress {
    /// Parses one of the five forms in the module's first line.
    ///
    /// # Errors
    /// [`ListenAddressError`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, ListenAddressError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ListenAddressError::Empty);
        }
        if text.contains("://") {
            return Err(ListenAddressError::Url);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            // Loopback and not every address: a shorthand must not expose the server by accident.
            return Ok(Self::Socket((Ipv4Addr::LOCALHOST, port(text)?).into()));
        }
        if text.parse::<IpAddr>().is_ok() {
            return Err(if text.contains(':') {
                ListenAddressError::BracketsMissing
            } else {
                ListenAddressError::PortMissing
            });
        }
        let (host, port_text) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or(ListenAddressError::HostInvalid)?;
                let port_text = after.strip_prefix(':').ok_or(ListenAddressError::PortMissing)?;
                if host.parse::<Ipv6Addr>().is_err() && !host.contains('%') {
                    return Err(ListenAddressError::HostInvalid);
                }
                (host, port_text)
            }
            None => text.rsplit_once(':').ok_or(ListenAddressError::PortMissing)?,
        };
        let port = port(port_text)?;
        if text.starts_with('[') {
            // The standard parser also knows numeric scopes, `[fe80::1%2]:8080`.
            return text.parse().map(Self::Socket).map_err(|_| ListenAddressError::HostInvalid);
        }
        if host.is_empty() {
            return Ok(Self::Any { port });
        }
        if host.contains(':') {
            return Err(ListenAddressError::BracketsMissing);
        }
        if let Ok(ip) = host.parse::<Ipv4Addr>() {
            return Ok(Self::Socket((ip, port).into()));
        }
        if !is_host_name(host) {
            return Err(ListenAddressError::HostInvalid);
        }
        Ok(Self::Name { host: host.to_ascii_lowercase(), port })
    }

    /// The TCP port; 0 means that the kernel chooses.
    pub fn port(&self) -> u16 {
        match self {
            Self::Any { port } | Self::Name { port, .. } => *port,
            Self::Socket(address) => address.port(),
        }
    }

    /// The addresses to try in this order; for [`ListenAddress::Any`] IPv6 (which takes IPv4 along) before IPv4 alone.
    /// Blocks while a name is looked up.
    ///
    /// # Errors
    /// The look-up failed or found nothing.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::Any { port } => {
                Ok(vec![(Ipv6Addr::UNSPECIFIED, *port).into(), (Ipv4Addr::UNSPECIFIED, *port).into()])
            }
            Self::Socket(address) => Ok(vec![*address]),
            Self::Name { host, port } => {
                let found: Vec<_> = (host.as_str(), *port).to_socket_addrs()?.collect();
                if found.is_empty() {
                    return Err(io::Error::new(io::ErrorKind::NotFound, format!("no address is known for {host}")));
                }
                Ok(found)
            }
        }
    }

    /// Whether both could not be bound at once, as far as the text tells (a name is not looked up).
    pub fn clashes_with(&self, other: &Self) -> bool {
        let every = |address: &Self| match address {
            Self::Any { .. } => true,
            Self::Socket(socket) => socket.ip().is_unspecified(),
            Self::Name { .. } => false,
        };
        self.port() == other.port() && self.port() != 0 && (self == other || every(self) || every(other))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any { port } => write!(f, ":{port}"),
            Self::Socket(address) => write!(f, "{address}"),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

fn port(text: &str) -> Result<u16, ListenAddressError> {
    if text.is_empty() {
        return Err(ListenAddressError::PortMissing);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ListenAddressError::PortInvalid);
    }
    text.parse().map_err(|_| ListenAddressError::PortInvalid)
}

/// RFC 1123 section 2.1: letters, digits and hyphens, at most 63 a label; the underscore is in use in container
/// networks.
fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    // A last label of digits only is a mistyped IPv4 address (RFC 1123 section 2.1).
    let last = host.rsplit('.').next().unwrap_or(host);
    host.len() <= 253 && host.split('.').all(label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_is_understood() {
        let shown = |text| ListenAddress::parse(text).unwrap().to_string();
        assert_eq!(shown(":8080"), ":8080");
        assert_eq!(shown("127.0.0.1:8080"), "127.0.0.1:8080");
        assert_eq!(shown("0.0.0.0:0"), "0.0.0.0:0");
        assert_eq!(shown("[::]:8080"), "[::]:8080");
        assert_eq!(shown("[fe80::1%2]:80"), "[fe80::1%2]:80");
        assert_eq!(shown("LocalHost:8080"), "localhost:8080");
        assert_eq!(shown("auth_1.internal:8080"), "auth_1.internal:8080");
        assert_eq!(shown("8080"), "127.0.0.1:8080");
    }

    #[test]
    fn mistakes_are_named() {
        use ListenAddressError as E;
        let refused = |text| ListenAddress::parse(text).unwrap_err();
        assert_eq!(refused(" "), E::Empty);
        assert_eq!(refused("http://localhost:8080"), E::Url);
        assert_eq!(refused("localhost"), E::PortMissing);
        assert_eq!(refused("127.0.0.1"), E::PortMissing);
        assert_eq!(refused("localhost:"), E::PortMissing);
        assert_eq!(refused("[::1]"), E::PortMissing);
        assert_eq!(refused(":99999"), E::PortInvalid);
        assert_eq!(refused("99999"), E::PortInvalid);
        assert_eq!(refused("localhost:http"), E::PortInvalid);
        assert_eq!(refused("::1"), E::BracketsMissing);
        assert_eq!(refused("fe80::zz:8080"), E::BracketsMissing);
        assert_eq!(refused("[localhost]:8080"), E::HostInvalid);
        assert_eq!(refused("[::1%eth0]:8080"), E::HostInvalid);
        assert_eq!(refused("256.0.0.1:8080"), E::HostInvalid);
        assert_eq!(refused("a b:8080"), E::HostInvalid);
    }

    #[test]
    fn a_taken_port_is_seen_before_it_is_bound() {
        let clash =
            |left, right| ListenAddress::parse(left).unwrap().clashes_with(&ListenAddress::parse(right).unwrap());
        assert!(clash(":8080", "127.0.0.1:8080"));
        assert!(clash("127.0.0.1:8080", "0.0.0.0:8080"));
        assert!(clash("localhost:8080", "localhost:8080"));
        assert!(!clash("127.0.0.1:8080", "127.0.0.2:8080"));
        assert!(!clash(":8080", ":8081"));
        assert!(!clash("127.0.0.1:0", "127.0.0.1:0"));
    }

    #[test]
    fn every_address_is_tried_by_ipv6_first() {
        let tried = ListenAddress::Any { port: 80 }.resolve().unwrap();
        assert_eq!(tried.len(), 2);
        assert!(tried[0].is_ipv6() && tried[1].is_ipv4());
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(text in "[a-z0-9.:%\\[\\]-]{0,24}") {
            if let Ok(address) = ListenAddress::parse(&text) {
                prop_assert_eq!(ListenAddress::parse(&address.to_string()), Ok(address));
            }
        }
    }
}
