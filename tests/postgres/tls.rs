//! Each sslmode against good, foreign and misnamed certificates, as libpq would have it.

use super::*;
use jeday::postgres::connect::TlsFault;
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, sync::OnceLock};
use support::Spec;
use tempfile::TempDir;

struct World {
    cluster: TestCluster,
    files: TempDir,
}

impl World {
    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn url(&self, user: &str, more: &str) -> String {
        let port = self.cluster.port();
        format!("host=localhost hostaddr=127.0.0.1 port={port} dbname=postgres user={user} {more}")
    }

    fn roots(&self, mode: &str, file: &str) -> String {
        self.url("postgres", &format!("sslmode={mode} sslrootcert={}", self.file(file).display()))
    }
}

fn authority(name: &str) -> (Certificate, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate, Issuer::new(params, key))
}

/// The certificate and its key.
fn issued(issuer: &Issuer<'static, KeyPair>, common_name: &str, names: &[&str]) -> (String, String) {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let (root, issuer) = authority("good");
        let (foreign, foreign_issuer) = authority("foreign");
        let (server, server_key) = issued(&issuer, "server", &["localhost"]);
        let (client, client_key) = issued(&issuer, "by_certificate", &[]);
        let (stranger, stranger_key) = issued(&foreign_issuer, "by_certificate", &[]);
        let files = TempDir::new().unwrap();
        for (name, text) in [
            ("root.crt", root.pem()),
            ("foreign.crt", foreign.pem()),
            ("client.crt", client),
            ("client.key", client_key.clone()),
            ("loose.key", client_key),
            ("stranger.crt", stranger),
            ("stranger.key", stranger_key),
            ("empty.crt", String::new()),
        ] {
            fs::write(files.path().join(name), text).unwrap();
            let mode = if name == "loose.key" { 0o644 } else { 0o600 };
            fs::set_permissions(files.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let cluster = TestCluster::start(&Spec {
            settings: "ssl = on\nssl_ca_file = 'root.crt'",
            hba: "local all all trust\nhostnossl all plain_only 127.0.0.1/32 trust\n\
                  hostssl all tls_only 127.0.0.1/32 trust\nhostssl all by_certificate 127.0.0.1/32 cert\n\
                  hostssl all by_scram 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n",
            files: &[("server.crt", &server), ("server.key", &server_key), ("root.crt", &root.pem())],
        });
        for role in ["plain_only", "tls_only", "by_certificate"] {
            cluster.sql("postgres", &format!("CREATE ROLE {role} LOGIN"));
        }
        cluster.sql("postgres", "CREATE ROLE by_scram LOGIN PASSWORD 'right'");
        World { cluster, files }
    })
}

async fn encrypted(url: &str) -> bool {
    static SSL: Sql = Sql { name: "ssl", text: "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", types: &[] };
    let link = link(url).await;
    let told: bool = link.query(&SSL, &[], soon()).await.unwrap()[0].get(0);
    assert_eq!(told, link.server().encrypted);
    told
}

async fn fault(url: &str) -> TlsFault {
    match refusal(url).await {
        ConnectError::Tls { fault, .. } | ConnectError::Files { fault } => fault,
        other => panic!("{url}: {other:?}"),
    }
}

#[test]
fn modes_without_verification_take_any_certificate() {
    on_shard(async {
        for (mode, expected) in [("disable", false), ("allow", true), ("prefer", true), ("require", true)] {
            assert_eq!(encrypted(&world().url("postgres", &format!("sslmode={mode}"))).await, expected, "{mode}");
        }
        assert!(encrypted(&world().url("postgres", "")).await, "prefer is the default");
    });
}

#[test]
fn verification_accepts_the_right_authority_and_name() {
    on_shard(async {
        for mode in ["require", "verify-ca", "verify-full"] {
            assert!(encrypted(&world().roots(mode, "root.crt")).await, "{mode}");
        }
    });
}

#[test]
fn foreign_authority_is_refused_wherever_roots_are_given() {
    on_shard(async {
        for mode in ["require", "verify-ca", "verify-full"] {
            let fault = fault(&world().roots(mode, "foreign.crt")).await;
            assert!(matches!(fault, TlsFault::Untrusted { .. }), "{mode}: {fault}");
        }
        assert!(!encrypted(&world().roots("prefer", "foreign.crt")).await, "prefer goes on without");
    });
}

#[test]
fn wrong_name_matters_to_verify_full_alone() {
    on_shard(async {
        let misnamed = |mode| world().roots(mode, "root.crt").replace("host=localhost ", "host=db.example.com ");
        assert!(encrypted(&misnamed("verify-ca")).await);
        let fault = fault(&misnamed("verify-full")).await;
        assert_eq!(fault, TlsFault::WrongName { host: "db.example.com".into() });
    });
}

#[test]
fn default_root_file_makes_require_verify() {
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join(".postgresql")).unwrap();
    let root = home.path().join(".postgresql/root.crt");
    let connect_at_home = async |mode: &str| {
        let text = world().url("postgres", &format!("sslmode={mode}"));
        let at_home = |name: &str| (name == "HOME").then(|| home.path().to_str().unwrap().to_owned());
        connect(&Target::parse(&text, at_home).unwrap(), &ConnectOptions::default()).await.map(|_| ())
    };
    on_shard(async {
        connect_at_home("require").await.unwrap();
        assert!(matches!(connect_at_home("verify-ca").await, Err(ConnectError::Files { fault: TlsFault::NoRoots })));
        fs::copy(world().file("foreign.crt"), &root).unwrap();
        assert!(matches!(connect_at_home("require").await, Err(ConnectError::Tls { .. })));
        fs::copy(world().file("root.crt"), &root).unwrap();
        connect_at_home("require").await.unwrap();
        connect_at_home("verify-full").await.unwrap();
    });
}

#[test]
fn prefer_follows_what_the_server_allows() {
    on_shard(async {
        assert!(encrypted(&world().url("tls_only", "sslmode=prefer")).await);
        assert!(!encrypted(&world().url("plain_only", "sslmode=prefer")).await);
        assert!(matches!(refusal(&world().url("tls_only", "sslmode=disable")).await, ConnectError::NotAllowed { .. }));
        assert!(matches!(
            refusal(&world().url("plain_only", "sslmode=require")).await,
            ConnectError::NotAllowed { .. }
        ));
    });
}

#[test]
fn server_without_tls_is_enough_for_prefer_only() {
    let cluster = TestCluster::shared();
    on_shard(async {
        let url = |mode| format!("{}?sslmode={mode}", cluster.tcp_url("postgres", "postgres"));
        assert!(!link(&url("prefer")).await.server().encrypted);
        assert_eq!(fault(&url("require")).await, TlsFault::NotOffered);
    });
}

#[test]
fn unix_socket_is_never_encrypted() {
    on_shard(async {
        let url = format!("{}&sslmode=require", world().cluster.url("postgres"));
        assert!(!encrypted(&url).await);
    });
}

#[test]
fn client_certificate_logs_in() {
    on_shard(async {
        let url = |certificate: &str, key: &str| {
            let (certificate, key) = (world().file(certificate), world().file(key));
            let more = format!("sslmode=require sslcert={} sslkey={}", certificate.display(), key.display());
            world().url("by_certificate", &more)
        };
        assert!(encrypted(&url("client.crt", "client.key")).await);
        assert!(matches!(
            refusal(&world().url("by_certificate", "sslmode=require")).await,
            ConnectError::NotAllowed { .. }
        ));
        let error = refusal(&url("stranger.crt", "stranger.key")).await.to_string();
        assert!(error.contains("client certificate"), "{error}");
        let error = refusal(&url("client.crt", "loose.key")).await.to_string();
        assert!(error.contains("chmod 0600"), "{error}");
        let error = refusal(&url("client.crt", "stranger.key")).await.to_string();
        assert!(error.contains("another certificate"), "{error}");
    });
}

#[test]
fn files_that_cannot_be_used_are_named() {
    on_shard(async {
        for file in ["missing.crt", "empty.crt", "client.key"] {
            let error = refusal(&world().roots("verify-ca", file)).await.to_string();
            assert!(error.contains(file), "{error}");
        }
    });
}

#[test]
fn scram_binds_to_the_channel() {
    on_shard(async {
        let url = |more| world().url("by_scram", &format!("password=right sslmode=require {more}"));
        for binding in ["channel_binding=require", "channel_binding=prefer", "channel_binding=disable"] {
            assert!(encrypted(&url(binding)).await, "{binding}");
        }
    });
}

#[test]
fn protocol_versions_are_bounded() {
    static VERSION: Sql =
        Sql { name: "version", text: "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()", types: &[] };
    on_shard(async {
        for (bound, expected) in
            [("ssl_max_protocol_version=TLSv1.2", "TLSv1.2"), ("ssl_min_protocol_version=TLSv1.3", "TLSv1.3")]
        {
            let link = link(&world().url("postgres", &format!("sslmode=require {bound}"))).await;
            let rows = link.query(&VERSION, &[], soon()).await.unwrap();
            assert_eq!(rows[0].get::<_, &str>(0), expected);
        }
    });
}

#[test]
fn direct_negotiation_with_an_older_server_fails_in_time() {
    on_shard(async {
        let fault = fault(&world().url("postgres", "sslmode=require sslnegotiation=direct")).await;
        assert!(matches!(fault, TlsFault::Handshake(_)), "{fault}");
    });
}

#[test]
fn passed_deadline_cancels_over_tls() {
    use jeday::postgres::link::LinkError;
    let cluster = &world().cluster;
    let database = cluster.create_database();
    on_shard(async {
        let url = world().url("tls_only", "sslmode=require").replace("dbname=postgres", &format!("dbname={database}"));
        let link = link(&url).await;
        let deadline = Instant::now() + Duration::from_millis(300);
        let error = link.query(&SLEEP, &[&60.0], deadline).await.unwrap_err();
        assert!(matches!(error, LinkError::Unknown(_)), "{error}");
        eventually("the statement is cancelled", || running_sleeps(cluster, &database) == "0").await;
    });
}

#[test]
fn certificate_that_is_its_own_authority_can_be_trusted() {
    let mut params = CertificateParams::new(vec![]).unwrap();
    // As `openssl req -x509 -subj /CN=localhost` makes it: an authority, its name in the subject alone.
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().pem();
    let cluster = TestCluster::start(&Spec {
        settings: "ssl = on",
        files: &[("server.crt", &certificate), ("server.key", &key.serialize_pem())],
        ..Spec::default()
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &certificate).unwrap();
    on_shard(async {
        let url = |host| {
            format!(
                "host={host} hostaddr=127.0.0.1 port={} user=postgres dbname=postgres sslmode=verify-full sslrootcert={}",
                cluster.port(),
                file.path().display()
            )
        };
        assert!(encrypted(&url("localhost")).await);
        assert!(matches!(fault(&url("other")).await, TlsFault::WrongName { .. }));
    });
}
