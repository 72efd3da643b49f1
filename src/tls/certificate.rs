//! A certificate, its chain and its key, read from PEM files and compared. Blocks on the disk: never on a shard.

use crate::{
    keys::{KeyFileError, open_private},
    limits::TLS_FILE_BYTES_MAX,
};
use rustls::{
    Error,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};
use x509_cert::{Certificate, der::Decode};
use zeroize::Zeroizing;

/// What a server shows its clients.
#[derive(Debug)]
pub struct Identity {
    pub(super) key: Arc<CertifiedKey>,
    /// When the certificate is no longer valid, in seconds since 1970.
    pub not_after: u64,
}

/// Why certificate and key cannot be used. Each text names the file, and none holds any of a key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFileError {
    /// The system would not open or read it.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Longer than any chain of certificates.
    #[error("{} has more than {TLS_FILE_BYTES_MAX} bytes: neither a chain of certificates nor a key", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Others could read or change the key.
    #[error("the private key of TLS cannot be trusted: {0}")]
    KeyFile(KeyFileError),
    /// There are no certificates in it.
    #[error("{}: {reason}; it must hold the certificate, then those that lead to its authority, as PEM", path.display())]
    Chain {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no key in it that can be used.
    #[error("{}: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Both are right, but do not belong together.
    #[error("the key in {} belongs to another certificate than the first in {}", key.display(), certificate.display())]
    Mismatch {
        /// The file of the chain.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
}

impl Identity {
    /// Reads a chain and the key of its first certificate.
    ///
    /// # Errors
    /// When one of them is unreadable or malformed, when others have access to the key, and when they do not belong
    /// together. An expired certificate is no error.
    pub fn load(certificate: &Path, key: &Path) -> Result<Identity, CertificateFileError> {
        let (chain, not_after) = chain(certificate)?;
        let provider = provider();
        let certified = CertifiedKey::from_der(chain, private_key(key)?, &provider).map_err(|error| match error {
            Error::InconsistentKeys(_) => {
                CertificateFileError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() }
            }
            other => CertificateFileError::Key { path: key.to_owned(), reason: other.to_string() },
        })?;
        Ok(Identity { key: Arc::new(certified), not_after })
    }
}

/// The cryptography that sessions use.
pub(super) fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// The certificates in it, and when the first is no longer valid.
fn chain(path: &Path) -> Result<(Vec<CertificateDer<'static>>, u64), CertificateFileError> {
    let malformed = |reason: String| CertificateFileError::Chain { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|cause| unreadable(path, cause))?;
    let pem = read(path, file)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| malformed(format!("not a PEM certificate: {error}")))?;
    let parsed: Vec<_> = chain
        .iter()
        .map(|der| Certificate::from_der(der))
        .collect::<Result<_, _>>()
        .map_err(|error| malformed(format!("not an X.509 certificate: {error}")))?;
    let leaf = &parsed.first().ok_or_else(|| malformed("holds no PEM certificate".to_owned()))?.tbs_certificate;
    let not_after = leaf.validity.not_after.to_unix_duration().as_secs();
    Ok((chain, not_after))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateFileError> {
    let file = open_private(path).map_err(|error| match error {
        // Their words are those for keys that `jeday keygen` makes.
        KeyFileError::Missing { path } => unreadable(&path, io::ErrorKind::NotFound.into()),
        KeyFileError::Read { path, cause } => unreadable(&path, cause),
        other => CertificateFileError::KeyFile(other),
    })?;
    let pem = read(path, file)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        let encrypted = pem.windows(9).any(|window| window == b"ENCRYPTED");
        let reason = if encrypted {
            "the private key is encrypted: store it unencrypted, with mode 0600"
        } else {
            "no PEM private key"
        };
        CertificateFileError::Key { path: path.to_owned(), reason: reason.to_owned() }
    })
}

fn read(path: &Path, file: File) -> Result<Zeroizing<Vec<u8>>, CertificateFileError> {
    if !file.metadata().map_err(|cause| unreadable(path, cause))?.is_file() {
        return Err(unreadable(path, io::Error::other("not a regular file")));
    }
    // Room for all of it at once leaves no old memory behind.
    let mut content = Zeroizing::new(Vec::with_capacity(TLS_FILE_BYTES_MAX + 1));
    file.take(TLS_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut content).map_err(|cause| unreadable(path, cause))?;
    if content.len() > TLS_FILE_BYTES_MAX {
        return Err(CertificateFileError::TooLarge { path: path.to_owned() });
    }
    Ok(content)
}

fn unreadable(path: &Path, cause: io::Error) -> CertificateFileError {
    CertificateFileError::Read { path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests;
