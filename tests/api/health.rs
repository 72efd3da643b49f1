//! Health: alive is whoever answers; ready is whoever can store registrations.

use crate::support::{
    client::Client,
    postgres::{Spec, TestCluster},
    server::{Deployment, PATIENCE},
};
use std::{
    thread,
    time::{Duration, Instant},
};

fn await_ready(client: &mut Client, status: u16) {
    let until = Instant::now() + PATIENCE;
    while client.get("/health/ready").status != status {
        assert!(Instant::now() < until, "readiness never answered {status}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn healthy_server_says_what_it_checked() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    for mut client in [server.connect(), server.connect_operator()] {
        assert_eq!(client.get("/health/live").text(), r#"{"status":"ok"}"#);
        for target in ["/health", "/health/ready"] {
            let reply = client.get(target);
            assert_eq!((reply.status, reply.field("Content-Type")), (200, Some("application/json")));
            let health = reply.json();
            assert_eq!(health["status"], "ok");
            assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
            assert_eq!(health["checks"]["database"], "ok");
            assert_eq!(health["checks"]["durability"], "enforced");
        }
    }
}

#[test]
fn readiness_follows_the_database_and_liveness_does_not() {
    let cluster = TestCluster::start(&Spec::default());
    let deployment = Deployment::on(&cluster);
    let server = deployment.serve_with(&["database.deadline=300ms"]);
    // A shard answers for its own connections to the database: several clients ask several shards.
    let mut clients: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    assert_eq!(clients[0].register("before@example.com").status, 201);
    cluster.stop("fast");
    for client in &mut clients {
        await_ready(client, 503);
        let reply = client.get("/health");
        assert_eq!((reply.status, reply.field("Retry-After")), (503, Some("1")), "{reply:?}");
        assert_eq!(reply.json()["status"], "unavailable");
        assert_eq!(reply.json()["checks"]["database"], "unreachable");
        assert!(!reply.text().contains("/tmp") && !reply.text().contains("PGSQL"), "names no place: {}", reply.text());
        assert_eq!(client.get("/health/live").status, 200);
        let reply = client.register("during@example.com");
        assert_eq!(reply.problem(), (503, "database_unavailable".to_owned()));
        assert_eq!(reply.field("Retry-After"), Some("1"));
        assert!(reply.keeps_alive());
    }
    cluster.launch();
    for client in &mut clients {
        await_ready(client, 200);
    }
    assert_eq!(clients[0].register("after@example.com").status, 201);
    assert_eq!(
        deployment.sql("SELECT string_agg(email, ' ' ORDER BY email) FROM users"),
        "after@example.com before@example.com"
    );
    server.await_log("cannot connect to the database");
}

#[test]
fn unsafe_durability_is_shown_when_it_was_allowed() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["database.allow_unsafe_durability=true"]);
    assert_eq!(server.connect().get("/health").json()["checks"]["durability"], "not enforced");
}
