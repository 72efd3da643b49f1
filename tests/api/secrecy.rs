//! No secret is logged, at any level, whatever goes wrong; and none is answered.

use crate::support::{
    client::{registration, user},
    postgres::{Spec, TestCluster},
    server::{Deployment, Server},
};
use serde_json::json;

#[test]
fn neither_passwords_nor_keys_nor_records_are_logged() {
    let cluster = TestCluster::start(&Spec {
        hba: "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
        ..Spec::default()
    });
    let deployment = Deployment::on(&cluster);
    cluster.sql("postgres", "CREATE ROLE jeday LOGIN SUPERUSER PASSWORD 'database-secret'");
    let url = cluster.tcp_url("jeday:database-secret", deployment.database());
    let mut command = deployment.jeday(["serve", "--set", "log.level=trace", "--set", "database.deadline=300ms"]);
    let server = Server::start(command.env("DB_URL", url));
    let mut client = server.connect();
    let mut replies = Vec::new();
    let with_password =
        |email: &str| json!({ "email": email, "username": "Ada", "password": "tell-tale horse" }).to_string();
    for body in [
        with_password("ada@example.com"),
        with_password("ada@example.com"),
        with_password("not an email"),
        with_password("ada@example.com").replace('}', ""),
        with_password("ada@example.com").replace("\"Ada\"", "1"),
        with_password("eve@example.com").replace("horse", &"horse".repeat(60)),
    ] {
        replies.push(client.post_with(&[("Authorization", "Bearer tell-tale token")], &body));
        replies.push(client.post_with(&[("Idempotency-Key", "tell-tale key")], &body));
    }
    let mut malformed = server.connect();
    malformed.send("POST /auth/register?password=tell-tale HTTP/1.1\r\ntell-tale\r\n\r\n");
    replies.push(malformed.reply());
    // A constraint that fails makes PostgreSQL repeat the whole row in its message.
    deployment.sql("ALTER TABLE users ADD CHECK (email <> 'refused@example.com')");
    replies.push(client.post(&with_password("refused@example.com")));
    assert_eq!(replies.last().unwrap().status, 500);
    // Lost in the middle, and unreachable.
    cluster.stop("immediate");
    replies.push(client.post(&with_password("late@example.com")));
    assert_eq!(replies.last().unwrap().status, 503);
    cluster.launch();

    let records = deployment.sql("SELECT password_hash FROM users");
    let log = server.stop();
    assert!(log.contains("cannot connect to the database"), "{log}");
    let keys = std::fs::read_to_string(deployment.key_file()).unwrap();
    let keys = keys.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_whitespace().nth(3));
    let parts = records.lines().flat_map(|record| record.split('$').skip(3));
    for secret in keys.chain(parts).chain(["tell-tale", "database-secret"]) {
        assert!(!log.contains(secret), "{secret:?} is in the log: {log}");
        for reply in &replies {
            assert!(!reply.text().contains(secret), "{secret:?} is in {reply:?}");
        }
    }
    // An email is no secret, but is nobody's business in a log either.
    for email in ["ada@example.com", "refused@example.com"] {
        assert!(!log.contains(email), "{email} is in the log: {log}");
    }
}

#[test]
fn database_errors_stay_inside() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    deployment.sql("ALTER TABLE users RENAME TO people");
    let reply = server.connect().register("ada@example.com");
    assert!(reply.status >= 500, "{reply:?}");
    for word in ["relation", "users", "SQL", "42P01", "postgres", "Postgres", "INSERT"] {
        assert!(!reply.text().contains(word), "{reply:?}");
    }
    assert_eq!(reply.problem().0, 503);
    server.await_log("a batch failed");
    deployment.sql("ALTER TABLE people RENAME TO users");
    let mut client = server.connect();
    client.send(registration(&[], &user("ada@example.com")));
    assert_eq!(client.reply().status, 201, "mended without a restart");
}
