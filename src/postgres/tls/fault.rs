//! Why TLS to the server did not come about, with a remedy for each.

use rustls::{AlertDescription, CertificateError, Error};
use std::{io, path::PathBuf};

/// What went wrong with TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// The server answered "no" to the request for TLS.
    #[error("the server does not offer TLS; set ssl = on there, or use sslmode=prefer or disable")]
    NotOffered,
    /// A file of certificates or keys cannot be used.
    #[error("{}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Verification was asked for with nothing to verify against.
    #[error("sslmode=verify-ca and verify-full need sslrootcert=FILE, sslrootcert=system or ~/.postgresql/root.crt")]
    NoRoots,
    /// No usable authority.
    #[error("{roots} holds no usable authority's certificate")]
    EmptyRoots {
        /// Where they were looked for.
        roots: String,
    },
    /// A client certificate without its key.
    #[error("{} needs its key: give sslkey=FILE", certificate.display())]
    NoKey {
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// The name to check is not one that a certificate can hold.
    #[error("{host} is not a DNS name or address that a certificate can be checked for")]
    NotAName {
        /// As configured.
        host: String,
    },
    /// Signed by somebody else.
    #[error("the server's certificate is not signed by an authority from {roots}; give the right sslrootcert")]
    Untrusted {
        /// Where the authorities came from.
        roots: String,
    },
    /// Issued for another name.
    #[error(
        "the server's certificate is not for {host}; use the name it was issued for, or sslmode=verify-ca if the name \
         does not matter"
    )]
    WrongName {
        /// The name that was looked for.
        host: String,
    },
    /// Past or before its time.
    #[error("the server's certificate is not valid at this time; renew it, and check both clocks")]
    Expired,
    /// X.509 version 1.
    #[error(
        "the server's certificate is of X.509 version 1, which cannot be checked; issue one of version 3 with a \
         subjectAltName"
    )]
    Version1,
    /// The server wants to see a certificate.
    #[error("the server asks for a client certificate, or refuses the one it was shown; give sslcert and sslkey")]
    ClientCertificate,
    /// Anything else.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
}

impl TlsFault {
    /// Turns what rustls says through tokio-rustls into something to act on.
    pub(in crate::postgres) fn explain(error: &io::Error, host: &str, roots: Option<&str>) -> TlsFault {
        let Some(cause) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                    TlsFault::Handshake("the server ended the connection".to_owned())
                }
                _ => TlsFault::Handshake(error.to_string()),
            };
        };
        match cause {
            Error::InvalidCertificate(problem) => match problem {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    TlsFault::Untrusted { roots: roots.unwrap_or("sslrootcert").to_owned() }
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    TlsFault::WrongName { host: host.to_owned() }
                }
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => TlsFault::Expired,
                // webpki's own error is only to be had as text.
                CertificateError::Other(other) if format!("{other:?}").contains("UnsupportedCertVersion") => {
                    TlsFault::Version1
                }
                other => TlsFault::Handshake(other.to_string()),
            },
            Error::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown,
            ) => TlsFault::ClientCertificate,
            other => TlsFault::Handshake(other.to_string()),
        }
    }
}
