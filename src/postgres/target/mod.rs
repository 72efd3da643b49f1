//! Where the database is and how to reach it, read from what libpq users write: URIs, keyword/value strings and the
//! `PG*` environment. Pure: opens no file, asks no name server. A password is never shown, not even in errors.
//!
//! Where Jeday differs from libpq: an unknown or unsupported parameter is refused rather than passed on; an empty
//! environment variable counts as unset; `sslmode=allow` is treated as `prefer` (both promise nothing, both reach
//! servers that insist on TLS and servers that lack it); an `@` behind the user part of a URI must be escaped, because
//! it is nearly always the rest of a password; a host with a colon must be an address; a connect timeout of 0 means
//! Jeday's own bound, not forever; the home directory is what `HOME` says.

mod dsn;
mod error;
mod parameters;
mod passfile;
mod show;
mod uri;
mod values;

#[cfg(test)]
mod tests;

pub use error::TargetError;
pub(super) use passfile::look_up as look_up_password;

use std::{net::IpAddr, path::PathBuf, time::Duration};
use zeroize::Zeroize;

/// Where to connect, as whom, and under which conditions. `Display` and `Debug` mask the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Never empty; in the order they were written.
    pub(super) hosts: Vec<Host>,
    /// `None`: the operating system's user.
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    /// `None`: named as the user.
    pub(super) database: Option<String>,
    pub(super) application_name: Option<String>,
    pub(super) options: Option<String>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) attributes: SessionAttributes,
    pub(super) random_order: bool,
    pub(super) tls: TlsSettings,
    pub(super) channel_binding: ChannelBinding,
    pub(super) keepalive: Option<Keepalive>,
    pub(super) user_timeout: Option<Duration>,
    /// Where to look for a password that is not given.
    pub(super) passfile: Option<PathBuf>,
}

impl Target {
    /// Reads a `postgres://` URI or a `keyword=value` string; what it leaves open comes from `environment` (libpq's
    /// variables and `HOME`), then from libpq's defaults. An empty text is all defaults.
    ///
    /// # Errors
    /// [`TargetError`] names the part at fault and what is accepted there; it never repeats a secret.
    pub fn parse(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Target, TargetError> {
        let text = text.trim();
        let settings = match uri::strip_scheme(text) {
            Some(rest) => parameters::Settings::from_pairs(uri::pairs(rest)?)?,
            None => parameters::Settings::from_pairs(dsn::pairs(text)?)?,
        };
        values::build(settings.with_environment(&environment)?, &environment)
    }

    /// The same for somebody who writes: a server that takes no writes will not do, unless one was asked for.
    #[must_use]
    pub fn for_writing(mut self) -> Target {
        if self.attributes == SessionAttributes::Any {
            self.attributes = SessionAttributes::ReadWrite;
        }
        self
    }

    /// The database's name, if one was given; otherwise it is named as the user.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The user's name, if one was given; otherwise it is the operating system's user.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

/// One server to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) place: Place,
    pub(super) port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The directory of a Unix socket.
    Socket(PathBuf),
    /// Wherever this system's PostgreSQL puts its socket.
    DefaultSocket,
    /// A name to look up or a literal address; `address` replaces the look-up, the name still counts for TLS.
    Tcp { name: String, address: Option<IpAddr> },
}

/// A password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Which servers are acceptable (libpq's target_session_attrs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum SessionAttributes {
    #[default]
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ChannelBinding {
    Disable,
    #[default]
    Prefer,
    Require,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keepalive {
    pub(super) idle: Duration,
    pub(super) interval: Duration,
    pub(super) retries: u32,
}

impl Default for Keepalive {
    /// A silent peer is noticed within a minute; the kernel's own defaults take two hours.
    fn default() -> Keepalive {
        Keepalive { idle: Duration::from_secs(30), interval: Duration::from_secs(10), retries: 3 }
    }
}

/// How much TLS is asked for, in the order of strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum SslMode {
    Disable,
    /// TLS when the server has it, plain otherwise.
    #[default]
    Prefer,
    /// TLS or nothing; the chain is checked when a root file is there.
    Require,
    /// The chain is checked, the name is not.
    VerifyCa,
    VerifyFull,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// The operating system's.
    System,
    File(PathBuf),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TlsVersion {
    V12,
    V13,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TlsSettings {
    pub(super) mode: SslMode,
    /// TLS from the first byte (PostgreSQL 17 on), without asking first.
    pub(super) direct: bool,
    pub(super) roots: Option<Roots>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    /// Whether a client certificate may be shown at all.
    pub(super) show_certificate: bool,
    pub(super) server_name_indication: bool,
    pub(super) version_min: Option<TlsVersion>,
    pub(super) version_max: Option<TlsVersion>,
    /// Where libpq keeps its default files: `~/.postgresql`.
    pub(super) directory: Option<PathBuf>,
}
