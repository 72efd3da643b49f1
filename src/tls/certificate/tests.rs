//! Chains and keys as they come in files, and what is said of those that cannot be used.

use super::*;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, date_time_ymd};
use std::{fs, os::unix::fs::PermissionsExt};
use tempfile::TempDir;

fn pair(files: &TempDir) -> (PathBuf, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2031, 2, 3);
    let certificate = params.self_signed(&key).unwrap().pem();
    (write(files, "crt", &certificate), write(files, "key", &key.serialize_pem()))
}

fn write(files: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = files.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn refusal(certificate: &Path, key: &Path) -> String {
    Identity::load(certificate, key).unwrap_err().to_string()
}

#[test]
fn a_pair_is_read_with_its_end() {
    let files = TempDir::new().unwrap();
    let (certificate, key) = pair(&files);
    // 2031-02-03T00:00:00Z.
    assert_eq!(Identity::load(&certificate, &key).unwrap().not_after, 1_927_843_200);
}

#[test]
fn what_cannot_be_used_is_named_with_its_file() {
    let files = TempDir::new().unwrap();
    let (certificate, key) = pair(&files);
    let missing = files.path().join("missing");
    let text = write(&files, "text", "hello");
    let other = write(&files, "other", &KeyPair::generate().unwrap().serialize_pem());
    let no_der = write(&files, "no_der", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n");
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\naGVsbG8=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let locked = write(&files, "locked", locked);
    let large = write(&files, "large", &"x".repeat(TLS_FILE_BYTES_MAX + 1));
    for (certificate, key, file, reason) in [
        (&missing, &key, "missing", "cannot read"),
        (&files.path().to_owned(), &key, "", "not a regular file"),
        (&text, &key, "text", "holds no PEM certificate"),
        (&key, &key, "key", "holds no PEM certificate"),
        (&no_der, &key, "no_der", "not an X.509 certificate"),
        (&large, &key, "large", "more than"),
        (&certificate, &missing, "missing", "cannot read"),
        (&certificate, &certificate, "crt", "no PEM private key"),
        (&certificate, &text, "text", "no PEM private key"),
        (&certificate, &locked, "locked", "is encrypted"),
        (&certificate, &other, "other", "belongs to another certificate"),
    ] {
        let refusal = refusal(certificate, key);
        assert!(refusal.contains(file) && refusal.contains(reason), "{refusal}");
    }
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let files = TempDir::new().unwrap();
    let (certificate, key) = pair(&files);
    for mode in [0o640, 0o604, 0o620] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let refusal = refusal(&certificate, &key);
        assert!(refusal.contains("open to others") && refusal.contains("chmod 600"), "{refusal}");
    }
}

#[test]
fn keys_of_other_algorithms_are_taken() {
    let files = TempDir::new().unwrap();
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
    let (certificate, key) = (write(&files, "crt", &certificate), write(&files, "key", &key.serialize_pem()));
    Identity::load(&certificate, &key).unwrap();
}
