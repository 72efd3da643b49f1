//! Certificates for servers that speak TLS, and clients that trust them.
#![allow(dead_code, clippy::unwrap_used)]

use super::server::write_private;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    client::Resumption,
    pki_types::{CertificateDer, pem::PemObject},
    version::{TLS12, TLS13},
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;

/// The versions that are spoken.
pub(crate) static BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
pub(crate) static ONLY_12: &[&SupportedProtocolVersion] = &[&TLS12];
pub(crate) static ONLY_13: &[&SupportedProtocolVersion] = &[&TLS13];

/// An authority, and files with a certificate of its.
pub(crate) struct Authority {
    files: TempDir,
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

impl Authority {
    /// A new authority, whose files have a certificate for `localhost` and 127.0.0.1.
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let files = TempDir::new().unwrap();
        fs::write(files.path().join("root.crt"), root.pem()).unwrap();
        let authority = Authority { files, root: root.der().clone(), issuer: Issuer::new(params, key) };
        authority.renew();
        authority
    }

    /// Puts another certificate and its key into the files, and returns it.
    pub(crate) fn renew(&self) -> CertificateDer<'static> {
        let (certificate, key) = self.issue(|_| {});
        fs::write(self.certificate(), &certificate).unwrap();
        write_private(&self.key(), &key);
        CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()
    }

    /// A certificate and its key, as PEM, in no file.
    pub(crate) fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// The file of the certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.files.path().join("server.crt")
    }

    /// The file of its key.
    pub(crate) fn key(&self) -> PathBuf {
        self.files.path().join("server.key")
    }

    /// The file of the authority's own certificate.
    pub(crate) fn root(&self) -> PathBuf {
        self.files.path().join("root.crt")
    }

    /// A folder for other files.
    pub(crate) fn folder(&self) -> &Path {
        self.files.path()
    }

    /// Settings of a server that shows this certificate.
    pub(crate) fn settings(&self) -> [String; 2] {
        let (certificate, key) = (self.certificate(), self.key());
        [format!("server.tls_certificate={}", certificate.display()), format!("server.tls_key={}", key.display())]
    }

    /// A client that trusts the authority and begins each session anew.
    pub(crate) fn trusted(&self) -> Arc<ClientConfig> {
        Arc::new(self.client(BOTH, &[]))
    }

    /// The same of these versions, which offers these protocols.
    pub(crate) fn client(&self, versions: &[&'static SupportedProtocolVersion], protocols: &[&str]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        config.resumption = Resumption::disabled();
        config
    }
}
