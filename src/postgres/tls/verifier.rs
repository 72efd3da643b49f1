//! Decides whether a server's certificate is good enough, as libpq would: with a name or without, a self-signed one
//! that is its own authority, names in the subject of old certificates. The chain itself is webpki's business.

use rustls::{
    CertificateError, DigitallySignedStruct, Error, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::{net::IpAddr, sync::Arc};
use x509_cert::{
    Certificate,
    der::{
        Decode,
        oid::db::{rfc4519::COMMON_NAME, rfc5912},
    },
    ext::pkix::{SubjectAltName, name::GeneralName},
};

/// What a chain must lead to.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) webpki: Arc<WebPkiServerVerifier>,
    /// Trusted as the server's own certificate too: `openssl req -x509` makes one that is its own authority, which
    /// webpki does not take for a server's.
    pub(super) pinned: Vec<CertificateDer<'static>>,
}

#[derive(Debug)]
pub(super) struct Verifier {
    /// `None`: any certificate will do.
    pub(super) chain: Option<Chain>,
    pub(super) check_name: bool,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        if chain.pinned.contains(certificate) {
            check_time(certificate, now)?;
        } else {
            match chain.webpki.verify_server_cert(certificate, intermediates, name, stapled, now) {
                // webpki looks at the name last: the chain was good.
                Ok(_) => {}
                Err(error) if is_name_error(&error) => {}
                Err(error) => return Err(error),
            }
        }
        if self.check_name {
            check_name(certificate, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // Where any certificate will do, proof of owning it proves nothing; old certificates cannot even be parsed.
        if self.chain.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.chain.is_none() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn is_name_error(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })
    )
}

fn check_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let validity = parse(certificate)?.tbs_certificate.validity;
    let seconds = now.as_secs();
    if seconds < validity.not_before.to_unix_duration().as_secs() {
        return Err(CertificateError::NotValidYet.into());
    }
    if seconds > validity.not_after.to_unix_duration().as_secs() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

fn check_name(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> Result<(), Error> {
    match verify_server_name(&ParsedCertificate::try_from(certificate)?, name) {
        Err(error) if is_name_error(&error) && common_name_matches(&parse(certificate)?, name) => Ok(()),
        outcome => outcome,
    }
}

/// RFC 6125, section 6.4.4, and libpq: the subject's common name counts only when no alternative name is there.
fn common_name_matches(certificate: &Certificate, name: &ServerName<'_>) -> bool {
    let alternatives = certificate.tbs_certificate.get::<SubjectAltName>();
    let counts = match &alternatives {
        Ok(None) => true,
        Ok(Some((_, names))) => {
            !names.0.iter().any(|name| matches!(name, GeneralName::DnsName(_) | GeneralName::IpAddress(_)))
        }
        Err(_) => false,
    };
    let wanted = match name {
        ServerName::DnsName(name) => name.as_ref().to_ascii_lowercase(),
        ServerName::IpAddress(address) => IpAddr::from(*address).to_string(),
        _ => return false,
    };
    let is_dns = matches!(name, ServerName::DnsName(_));
    let subject = &certificate.tbs_certificate.subject;
    let common_name = subject.0.iter().flat_map(|part| part.0.iter()).rfind(|part| part.oid == COMMON_NAME);
    // The printable encodings of X.520 are subsets of UTF-8.
    let common_name = common_name.and_then(|part| std::str::from_utf8(part.value.value()).ok());
    counts && common_name.is_some_and(|pattern| pattern_matches(&pattern.to_ascii_lowercase(), &wanted, is_dns))
}

/// A leading `*.` stands for exactly one label.
fn pattern_matches(pattern: &str, wanted: &str, is_dns: bool) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) if is_dns => {
            wanted.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent)
        }
        _ => pattern == wanted,
    }
}

fn parse(certificate: &CertificateDer<'_>) -> Result<Certificate, Error> {
    Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding.into())
}

/// RFC 5929, section 4.1: the hash of the certificate's signature, MD5 and SHA-1 replaced by SHA-256. `None` for
/// signatures with a hash of their own or none.
pub(super) fn end_point_hash(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let algorithm = Certificate::from_der(certificate).ok()?.signature_algorithm.oid;
    match algorithm {
        rfc5912::MD_5_WITH_RSA_ENCRYPTION
        | rfc5912::SHA_1_WITH_RSA_ENCRYPTION
        | rfc5912::SHA_256_WITH_RSA_ENCRYPTION
        | rfc5912::ECDSA_WITH_SHA_256 => Some(Sha256::digest(certificate).to_vec()),
        rfc5912::SHA_384_WITH_RSA_ENCRYPTION | rfc5912::ECDSA_WITH_SHA_384 => {
            Some(Sha384::digest(certificate).to_vec())
        }
        rfc5912::SHA_512_WITH_RSA_ENCRYPTION | rfc5912::ECDSA_WITH_SHA_512 => {
            Some(Sha512::digest(certificate).to_vec())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519};

    fn certificate(common_name: &str, alternatives: &[&str]) -> CertificateDer<'static> {
        let names = alternatives.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    fn accepts(certificate: &CertificateDer<'_>, name: &str) -> bool {
        check_name(certificate, &ServerName::try_from(name.to_owned()).unwrap()).is_ok()
    }

    #[test]
    fn common_name_counts_only_without_alternative_names() {
        let old = certificate("Db.Example.com", &[]);
        assert!(accepts(&old, "db.example.com"));
        assert!(!accepts(&old, "other.example.com"));
        assert!(accepts(&certificate("10.0.0.1", &[]), "10.0.0.1"));
        let new = certificate("db.example.com", &["new.example.com"]);
        assert!(accepts(&new, "new.example.com"));
        assert!(!accepts(&new, "db.example.com"));
    }

    #[test]
    fn wildcard_stands_for_one_label() {
        let wild = certificate("*.example.com", &[]);
        assert!(accepts(&wild, "db.example.com"));
        assert!(!accepts(&wild, "a.b.example.com"));
        assert!(!accepts(&wild, "example.com"));
        assert!(!pattern_matches("*.0.0.1", "10.0.0.1", false));
    }

    #[test]
    fn signature_without_a_separate_hash_has_no_binding() {
        assert_eq!(end_point_hash(&certificate("x", &[])).map(|hash| hash.len()), Some(32));
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let modern = CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap();
        assert_eq!(end_point_hash(modern.der()), None);
    }
}
