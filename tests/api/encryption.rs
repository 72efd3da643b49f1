//! Over TLS to the database, its certificate and name checked.

use crate::support::{
    postgres::{Spec, TestCluster},
    server::{Deployment, Server},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::fs;
use tempfile::TempDir;

/// An authority's certificate, and a certificate of its for `localhost` with the key.
fn certificates() -> (String, String, String) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (root, params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
}

#[test]
fn registration_works_over_verified_tls() {
    let (root, certificate, key) = certificates();
    let cluster = TestCluster::start(&Spec {
        settings: "ssl = on",
        hba: "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n",
        files: &[("server.crt", &certificate), ("server.key", &key)],
    });
    let deployment = Deployment::on(&cluster);
    cluster.sql("postgres", "CREATE ROLE jeday LOGIN SUPERUSER PASSWORD 'a % b'");
    let files = TempDir::new().unwrap();
    fs::write(files.path().join("root.crt"), root).unwrap();
    fs::write(files.path().join("other.crt"), certificates().0).unwrap();
    let url = |host: &str, file: &str| {
        let (port, database, root) = (cluster.port(), deployment.database(), files.path().join(file));
        format!(
            "postgres://jeday:a%20%25%20b@{host}:{port}/{database}?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={}",
            root.display()
        )
    };
    let server = Server::start(deployment.jeday(["serve"]).env("DB_URL", url("localhost", "root.crt")));
    assert_eq!(server.connect().register("ada@example.com").status, 201);
    let unencrypted = deployment.sql(
        "SELECT count(*) FILTER (WHERE NOT ssl), count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
         WHERE usename = 'jeday'",
    );
    assert_eq!(unencrypted, "0|t");

    for (url, reason) in [
        (url("localhost", "other.crt"), "no TLS to"),
        (url("db.example.com", "root.crt"), "db.example.com"),
        (url("localhost", "missing.crt"), "missing.crt"),
    ] {
        let (status, text) = Server::spawn(deployment.jeday(["serve"]).env("DB_URL", url)).wait();
        assert!(status.code() == Some(1) && text.contains("jeday: error: ") && text.contains(reason), "{text}");
    }
}
