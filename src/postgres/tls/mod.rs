//! TLS to PostgreSQL with the meaning libpq gives each sslmode (its documentation, 34.19), on rustls.
//! Never used on Unix sockets. Reads files: call it off the shard.
//!
//! Stricter than libpq in one thing: an `sslrootcert` that is named and missing is an error in every mode, where libpq
//! overlooks it unless the mode verifies.

mod fault;
mod verifier;

pub use fault::TlsFault;

use super::target::{Roots, SslMode, TlsSettings, TlsVersion};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    client::{Resumption, WebPkiServerVerifier},
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};
use std::{
    fs, io,
    net::IpAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use verifier::{Chain, Verifier};

/// RFC 7301 name of the protocol; PostgreSQL 17 insists on it when TLS is not asked for first.
const ALPN_POSTGRESQL: &[u8] = b"postgresql";

/// Everything needed for handshakes with one target.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    mode: SslMode,
    direct: bool,
    /// Where the authorities came from, for errors.
    roots: Option<String>,
}

impl Tls {
    /// Reads roots, certificate and key; `None` when the mode is `disable`.
    pub(super) fn load(settings: &TlsSettings) -> Result<Option<Tls>, TlsFault> {
        if settings.mode == SslMode::Disable {
            return Ok(None);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (chain, roots) = match chain(settings, &provider)? {
            Some((chain, roots)) => (Some(chain), Some(roots)),
            None => (None, None),
        };
        let verifier = Verifier {
            chain,
            check_name: settings.mode == SslMode::VerifyFull,
            algorithms: provider.signature_verification_algorithms,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions(settings))
            .map_err(|error| TlsFault::Handshake(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match identity(settings)? {
            None => builder.with_no_client_auth(),
            Some((file, certificates, key)) => {
                builder.with_client_auth_cert(certificates, key).map_err(|error| TlsFault::File {
                    file,
                    reason: match error {
                        rustls::Error::InconsistentKeys(_) => "sslkey belongs to another certificate".to_owned(),
                        other => other.to_string(),
                    },
                })?
            }
        };
        config.enable_sni = settings.server_name_indication;
        // Connections live long and the server keeps no tickets.
        config.resumption = Resumption::disabled();
        if settings.direct {
            config.alpn_protocols = vec![ALPN_POSTGRESQL.to_vec()];
        }
        Ok(Some(Tls { config: Arc::new(config), mode: settings.mode, direct: settings.direct, roots }))
    }

    /// Whether a server without TLS is good enough.
    pub(super) fn is_optional(&self) -> bool {
        self.mode == SslMode::Prefer
    }

    /// Whether TLS begins with the first byte.
    pub(super) fn is_direct(&self) -> bool {
        self.direct
    }

    /// Shakes hands over `stream`; `host` is the name to check, `address` stands in for one that is no DNS name.
    pub(super) async fn handshake<S>(
        &self,
        stream: S,
        host: &str,
        address: IpAddr,
    ) -> Result<tokio_rustls::client::TlsStream<S>, TlsFault>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    {
        let name = match ServerName::try_from(host.to_owned()) {
            Ok(name) => name,
            // Only a checked name must be well-formed.
            Err(_) if self.mode < SslMode::VerifyFull => ServerName::from(address),
            Err(_) => return Err(TlsFault::NotAName { host: host.to_owned() }),
        };
        tokio_rustls::TlsConnector::from(self.config.clone())
            .connect(name, stream)
            .await
            .map_err(|error| TlsFault::explain(&error, host, self.roots.as_deref()))
    }
}

/// RFC 5929, section 4: the hash for `tls-server-end-point` over the server's certificate.
pub(super) fn end_point_binding<S>(stream: &tokio_rustls::client::TlsStream<S>) -> Option<Vec<u8>> {
    verifier::end_point_hash(stream.get_ref().1.peer_certificates()?.first()?)
}

fn versions(settings: &TlsSettings) -> &'static [&'static SupportedProtocolVersion] {
    static NEW: &[&SupportedProtocolVersion] = &[&TLS13];
    static OLD: &[&SupportedProtocolVersion] = &[&TLS12];
    static BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
    match (settings.version_min, settings.version_max) {
        (Some(TlsVersion::V13), _) => NEW,
        (_, Some(TlsVersion::V12)) => OLD,
        _ => BOTH,
    }
}

/// The authorities to check against, if any: those named, or libpq's default file when it exists.
fn chain(settings: &TlsSettings, provider: &Arc<CryptoProvider>) -> Result<Option<(Chain, String)>, TlsFault> {
    let default = settings.directory.as_ref().map(|directory| directory.join("root.crt"));
    let (trusted, source) = match &settings.roots {
        Some(Roots::System) => (rustls_native_certs::load_native_certs().certs, "the operating system".to_owned()),
        Some(Roots::File(file)) => (certificates(file)?, file.display().to_string()),
        None => match default.filter(|file| file.exists()) {
            Some(file) => (certificates(&file)?, file.display().to_string()),
            None if settings.mode >= SslMode::VerifyCa => return Err(TlsFault::NoRoots),
            None => return Ok(None),
        },
    };
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(trusted.iter().cloned());
    let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone())
        .build()
        .map_err(|_| TlsFault::EmptyRoots { roots: source.clone() })?;
    // A public authority's own certificate is no server's.
    let pinned = if settings.roots == Some(Roots::System) { Vec::new() } else { trusted };
    Ok(Some((Chain { webpki, pinned }, source)))
}

type Identity = (PathBuf, Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The client's certificate and key: those named, or libpq's default files when they exist.
fn identity(settings: &TlsSettings) -> Result<Option<Identity>, TlsFault> {
    if !settings.show_certificate {
        return Ok(None);
    }
    let default = |name: &str| settings.directory.as_ref().map(|directory| directory.join(name));
    let certificate = match &settings.certificate {
        Some(file) => file.clone(),
        None => match default("postgresql.crt").filter(|file| file.exists()) {
            Some(file) => file,
            None => return Ok(None),
        },
    };
    let Some(key) = settings.key.clone().or_else(|| default("postgresql.key")) else {
        return Err(TlsFault::NoKey { certificate });
    };
    Ok(Some((certificate.clone(), certificates(&certificate)?, private_key(&key)?)))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let fault = |reason: String| TlsFault::File { file: file.to_owned(), reason };
    let pem = fs::read(file).map_err(|error| fault(error.to_string()))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| fault(format!("not a PEM certificate: {error}")))?;
    if certificates.is_empty() { Err(fault("holds no PEM certificate".to_owned())) } else { Ok(certificates) }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsFault> {
    let fault = |reason: String| TlsFault::File { file: file.to_owned(), reason };
    let io_fault = |error: io::Error| fault(error.to_string());
    let metadata = fs::metadata(file).map_err(io_fault)?;
    // libpq's rule: nobody else may read it, except that root may let a group.
    let forbidden = if metadata.uid() == 0 { 0o027 } else { 0o077 };
    if metadata.mode() & forbidden != 0 {
        return Err(fault("others may read this private key; chmod 0600 it".to_owned()));
    }
    let pem = zeroize::Zeroizing::new(fs::read(file).map_err(io_fault)?);
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        let encrypted = memchr::memmem::find(&pem, b"ENCRYPTED").is_some();
        fault(
            if encrypted {
                "the private key is encrypted; store it unencrypted with mode 0600"
            } else {
                "no PEM private key"
            }
            .to_owned(),
        )
    })
}
