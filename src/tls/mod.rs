//! TLS between clients and the server (TLS 1.2 and 1.3, on rustls): the certificate and its exchange while the server
//! runs, and sessions without I/O. Knows no socket and no HTTP.

mod certificate;
mod certificates;
mod session;

pub use certificate::{CertificateFileError, Identity};
pub use certificates::{Certificates, View};
pub use rustls::Error as TlsError;
pub use session::{Session, failure_of};
