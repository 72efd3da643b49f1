//! Finding a server, and telling why there is none.

use super::*;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    thread,
};

#[test]
fn unix_socket_and_tcp_both_lead_to_the_database() {
    let cluster = TestCluster::shared();
    let database = cluster.create_database();
    on_shard(async {
        for url in [
            cluster.url(&database),
            cluster.tcp_url("postgres", &database),
            format!("host=localhost port={} user=postgres dbname={database}", cluster.port()),
            format!("host=nowhere.invalid hostaddr=127.0.0.1 port={} user=postgres dbname={database}", cluster.port()),
        ] {
            let link = link(&url).await;
            let rows = link.query(&WHO, &[], soon()).await.unwrap();
            assert_eq!(rows[0].get::<_, &str>(1), database);
            assert!(!link.server().pooled && !link.server().encrypted && link.is_named());
            assert!(link.server().version.starts_with(char::is_numeric), "{}", link.server().version);
        }
    });
}

#[test]
fn default_application_name_is_shown_to_the_server() {
    static NAME: Sql = Sql { name: "name", text: "SELECT current_setting('application_name')", types: &[] };
    let cluster = TestCluster::shared();
    on_shard(async {
        for (more, expected) in
            [("", "jeday"), ("&application_name=mine", "mine"), ("&options=-c application_name=o", "jeday")]
        {
            let link = link(&format!("{}{more}", cluster.url("postgres"))).await;
            let rows = link.query(&NAME, &[], soon()).await.unwrap();
            assert_eq!(rows[0].get::<_, &str>(0), expected, "{more}");
        }
    });
}

#[test]
fn next_host_is_tried_until_one_answers() {
    let cluster = TestCluster::shared();
    on_shard(async {
        let port = cluster.port();
        let url = format!(
            "postgres://postgres@nowhere.invalid:1,127.0.0.1:1,127.0.0.1:{port}/postgres?load_balance_hosts=random"
        );
        assert!(link(&url).await.server().place.contains(&port.to_string()));
    });
}

#[test]
fn final_refusal_ends_the_search() {
    let cluster = TestCluster::shared();
    on_shard(async {
        let port = cluster.port();
        let url = format!("postgres://postgres@127.0.0.1:1,127.0.0.1:{port},127.0.0.1:2/no_such_database");
        let ConnectError::All(errors) = refusal(&url).await else { panic!("one error only") };
        assert!(matches!(errors[0], ConnectError::Refused { .. }));
        assert!(matches!(errors[1], ConnectError::DatabaseMissing { .. }));
        assert_eq!(errors.len(), 2);
    });
}

#[test]
fn each_reason_has_its_own_error_with_a_remedy() {
    let cluster = TestCluster::shared();
    cluster.sql("postgres", "CREATE ROLE full_house LOGIN CONNECTION LIMIT 0");
    cluster.sql("postgres", "CREATE ROLE no_login NOLOGIN");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let starting = answering(fatal("57P03", "the server starts up"));
    let full = answering(fatal("53300", "too many clients"));
    let nonsense = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    let closing = answering(Vec::new());
    on_shard(async {
        let of = |port: u16| format!("postgres://u@127.0.0.1:{port}/d?sslmode=disable");
        let table: [(String, &str); 11] = [
            ("postgres://u@nowhere.invalid/d".into(), "nowhere.invalid was not found"),
            ("postgres://u@127.0.0.1:1/d".into(), "no PostgreSQL listens at 127.0.0.1:1"),
            ("postgres://u@/d?host=/nonexistent".into(), "no PostgreSQL listens at /nonexistent/.s.PGSQL.5432"),
            (format!("{}&connect_timeout=1", of(silent_port)), "did not answer within 1000 ms"),
            (cluster.url("missing"), "there is no database missing"),
            (cluster.tcp_url("full_house", "postgres"), "no connection left"),
            (cluster.tcp_url("no_login", "postgres"), "LOGIN"),
            (cluster.tcp_url("nobody", "postgres"), "role exists"),
            (of(starting.port()), "the server starts up"),
            (of(full.port()), "no connection left"),
            (of(closing.port()), "is it PostgreSQL"),
        ];
        for (url, words) in table {
            let error = refusal(&url).await.to_string();
            assert!(error.contains(words), "{url}: {error}");
        }
        let error = refusal(&of(nonsense.port())).await.to_string();
        assert!(error.contains("PostgreSQL"), "{error}");
    });
}

#[test]
fn passing_troubles_are_told_from_lasting_ones() {
    let cluster = TestCluster::shared();
    on_shard(async {
        assert!(refusal("postgres://u@127.0.0.1:1/d").await.may_pass());
        assert!(!refusal(&cluster.url("missing")).await.may_pass());
    });
}

#[test]
fn closing_the_link_ends_the_servers_process() {
    let cluster = TestCluster::shared();
    let database = cluster.create_database();
    on_shard(async {
        let link = link(&cluster.url(&database)).await;
        let pid = backend(&link).await;
        drop(link);
        let count = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
        eventually("the process ends", || cluster.sql("postgres", &count) == "0").await;
    });
    let abandoned = format!("SELECT sessions_abandoned FROM pg_stat_database WHERE datname = '{database}'");
    assert_eq!(cluster.sql("postgres", &abandoned), "0", "links say good-bye");
}

/// PostgreSQL's ErrorResponse.
fn fatal(code: &str, message: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap();
    [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat()
}

/// A server that answers the first message of each client with `bytes` and hangs up.
fn answering(bytes: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(&bytes);
        }
    });
    address
}
