//! The certificate that new sessions get, and its exchange for another while the server runs. Shards look at it through
//! views of their own and never wait for one another; whoever loads files is none of them.

use super::{
    certificate::{CertificateFileError, Identity, provider},
    session::Session,
};
use rustls::{
    Error, ServerConfig,
    crypto::ring::Ticketer,
    server::{NoServerSessionStorage, ProducesTickets},
    sign::SingleCertAndKey,
    version::{TLS12, TLS13},
};
use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// What may be agreed on by ALPN (RFC 7301), the better first. HTTP/1.0 has a name of its own, and is served too.
const PROTOCOLS: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// Files, and what sessions are made of by them.
pub struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    tickets: Arc<dyn ProducesTickets>,
    current: Mutex<Arc<ServerConfig>>,
    /// Moves on with each exchange, after it.
    generation: AtomicU64,
    not_after: AtomicU64,
    exchanged: AtomicU64,
    refused: AtomicU64,
}

impl Certificates {
    /// Reads the files. Blocks on the disk.
    ///
    /// # Errors
    /// As [`Identity::load`].
    ///
    /// # Panics
    /// When the system has no random numbers.
    pub fn load(certificate: &Path, key: &Path) -> Result<Certificates, CertificateFileError> {
        let identity = Identity::load(certificate, key)?;
        let tickets = Ticketer::new().expect("the system has random numbers");
        Ok(Certificates {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            not_after: AtomicU64::new(identity.not_after),
            current: Mutex::new(config(identity, &tickets)),
            tickets,
            generation: AtomicU64::new(0),
            exchanged: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    /// Reads the files again; sessions that begin from here on get what is in them, those that go on keep what they
    /// have. Blocks on the disk.
    ///
    /// # Errors
    /// As [`Identity::load`]; everything stays as it was.
    pub fn reload(&self) -> Result<(), CertificateFileError> {
        let identity = Identity::load(&self.certificate, &self.key).inspect_err(|_| {
            self.refused.fetch_add(1, Ordering::Relaxed);
        })?;
        self.not_after.store(identity.not_after, Ordering::Relaxed);
        let config = config(identity, &self.tickets);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = config;
        self.generation.fetch_add(1, Ordering::Release);
        self.exchanged.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// When the certificate is no longer valid, in seconds since 1970.
    pub fn not_after(&self) -> u64 {
        self.not_after.load(Ordering::Relaxed)
    }

    /// How often the files were read again: with success, and without.
    pub fn reloads(&self) -> (u64, u64) {
        (self.exchanged.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    /// A shard's way to look at it.
    pub fn view(self: &Arc<Certificates>) -> View {
        // Before the look, so that an exchange in between is seen later once more, and never missed.
        let generation = self.generation.load(Ordering::Acquire);
        let config = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        View { certificates: self.clone(), known: RefCell::new((generation, config)) }
    }
}

/// What one shard knows of the certificate.
pub struct View {
    certificates: Arc<Certificates>,
    known: RefCell<(u64, Arc<ServerConfig>)>,
}

impl View {
    /// A session with the newest certificate, whose handshake has not begun.
    ///
    /// # Errors
    /// rustls'; none is known for what a [`Certificates`] is made of.
    pub fn session(&self) -> Result<Session, Error> {
        Session::new(self.config())
    }

    fn config(&self) -> Arc<ServerConfig> {
        let mut known = self.known.borrow_mut();
        let generation = self.certificates.generation.load(Ordering::Acquire);
        // While it is being exchanged, or another shard looks, the old one is as good: the next session will see.
        if known.0 != generation
            && let Ok(current) = self.certificates.current.try_lock()
        {
            *known = (generation, current.clone());
        }
        known.1.clone()
    }
}

fn config(identity: Identity, tickets: &Arc<dyn ProducesTickets>) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .expect("the provider has cipher suites for both versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.key)));
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    // What resumes a session lies with the client, encrypted, and is good for every shard and past an exchange. A
    // store here would have a lock that all shards wait for.
    config.ticketer = tickets.clone();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Arc::new(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use std::{fs, os::unix::fs::PermissionsExt};
    use tempfile::TempDir;

    fn renew(files: &TempDir) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        fs::write(files.path().join("crt"), certificate.pem()).unwrap();
        fs::write(files.path().join("key"), key.serialize_pem()).unwrap();
        fs::set_permissions(files.path().join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    }

    #[test]
    fn a_view_follows_each_exchange_and_never_waits_for_one() {
        let files = TempDir::new().unwrap();
        renew(&files);
        let loaded = Certificates::load(&files.path().join("crt"), &files.path().join("key")).unwrap();
        let certificates = Arc::new(loaded);
        let view = certificates.view();
        let first = view.config();
        assert!(Arc::ptr_eq(&first, &view.config()));

        renew(&files);
        certificates.reload().unwrap();
        let held = certificates.current.lock().unwrap();
        assert!(Arc::ptr_eq(&first, &view.config()), "whoever holds the lock is not waited for");
        drop(held);
        let second = view.config();
        assert!(!Arc::ptr_eq(&first, &second) && Arc::ptr_eq(&second, &certificates.view().config()));

        fs::write(files.path().join("crt"), "").unwrap();
        assert!(certificates.reload().is_err());
        assert!(Arc::ptr_eq(&second, &view.config()));
        assert_eq!(certificates.reloads(), (1, 1));
    }
}
