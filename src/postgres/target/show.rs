//! A target as text: the canonical URI with the password masked. What it prints can be read again.

use super::{ChannelBinding, Place, Roots, SessionAttributes, SslMode, Target};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::{self, Debug, Display};

/// RFC 3986, section 2.3: all but the unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same for an IPv6 address (RFC 3986, section 3.2.2).
const ESCAPED_IN_BRACKETS: &AsciiSet = &ESCAPED.remove(b':');

impl Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escape = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
        f.write_str("postgres://")?;
        if let Some(user) = &self.user {
            f.write_str(&escape(user))?;
        }
        if self.password.is_some() {
            f.write_str(":***")?;
        }
        if self.user.is_some() || self.password.is_some() {
            f.write_str("@")?;
        }
        for (index, host) in self.hosts.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let name = match &host.place {
                Place::Socket(directory) => escape(&directory.to_string_lossy()),
                Place::DefaultSocket => String::new(),
                Place::Tcp { name, .. } if name.contains(':') => {
                    format!("[{}]", utf8_percent_encode(name, ESCAPED_IN_BRACKETS))
                }
                Place::Tcp { name, .. } => escape(name),
            };
            write!(f, "{comma}{name}:{}", host.port)?;
        }
        if let Some(database) = &self.database {
            write!(f, "/{}", escape(database))?;
        }
        for (index, (name, value)) in self.parameters().iter().enumerate() {
            write!(f, "{}{name}={}", if index == 0 { '?' } else { '&' }, escape(value))?;
        }
        Ok(())
    }
}

impl Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

impl Target {
    /// What differs from the defaults.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut shown: Vec<(&'static str, String)> = Vec::new();
        let mut addresses = Vec::new();
        for host in &self.hosts {
            addresses.push(match &host.place {
                Place::Tcp { name, address: Some(address) } if name.parse() != Ok(*address) => address.to_string(),
                _ => String::new(),
            });
        }
        if addresses.iter().any(|address| !address.is_empty()) {
            shown.push(("hostaddr", addresses.join(",")));
        }
        let tls = &self.tls;
        let mode = match tls.mode {
            SslMode::Disable => "disable",
            SslMode::Prefer => "",
            SslMode::Require => "require",
            SslMode::VerifyCa => "verify-ca",
            SslMode::VerifyFull => "verify-full",
        };
        let attributes = match self.attributes {
            SessionAttributes::Any => "",
            other => other.as_str(),
        };
        let binding = match self.channel_binding {
            ChannelBinding::Prefer => "",
            ChannelBinding::Disable => "disable",
            ChannelBinding::Require => "require",
        };
        let path = |path: &Option<std::path::PathBuf>| {
            path.as_ref().map_or(String::new(), |path| path.to_string_lossy().into_owned())
        };
        let roots = match &tls.roots {
            None => String::new(),
            Some(Roots::System) => "system".to_owned(),
            Some(Roots::File(file)) => file.to_string_lossy().into_owned(),
        };
        shown.extend([
            ("sslmode", mode.to_owned()),
            ("sslnegotiation", if tls.direct { "direct".to_owned() } else { String::new() }),
            ("sslrootcert", roots),
            ("sslcert", path(&tls.certificate)),
            ("sslkey", path(&tls.key)),
            ("channel_binding", binding.to_owned()),
            ("target_session_attrs", attributes.to_owned()),
            ("load_balance_hosts", if self.random_order { "random".to_owned() } else { String::new() }),
            ("application_name", self.application_name.clone().unwrap_or_default()),
            ("options", self.options.clone().unwrap_or_default()),
            ("connect_timeout", self.connect_timeout.map_or(String::new(), |limit| limit.as_secs().to_string())),
        ]);
        shown.retain(|(_, value)| !value.is_empty());
        shown
    }
}

impl SessionAttributes {
    /// libpq's word for it.
    pub(in crate::postgres) fn as_str(self) -> &'static str {
        match self {
            SessionAttributes::Any => "any",
            SessionAttributes::ReadWrite => "read-write",
            SessionAttributes::ReadOnly => "read-only",
            SessionAttributes::Primary => "primary",
            SessionAttributes::Standby => "standby",
            SessionAttributes::PreferStandby => "prefer-standby",
        }
    }
}
