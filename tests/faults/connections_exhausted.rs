//! The database has no connection left: back-off instead of a storm, health and log say what is wrong, service by
//! itself when there is room. A server that has fewer connections than it wants serves by those.

use crate::{
    await_service, eventually,
    support::{
        metrics::Metrics,
        postgres::TestCluster,
        server::{Deployment, STAYS_WEAK, Server},
    },
    turn,
};
use std::{thread, time::Duration};

/// A deployment served as a role of its own, whose connections the test can limit: superusers are let in always.
struct Limited {
    deployment: Deployment<'static>,
    role: String,
}

impl Limited {
    fn new() -> Limited {
        let deployment = Deployment::new();
        let role = format!("role_{}", deployment.database());
        deployment.sql(&format!(
            "CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
             GRANT USAGE ON SCHEMA public TO {role}"
        ));
        Limited { deployment, role }
    }

    fn serve(&self, settings: &[&str]) -> Server {
        let url = TestCluster::shared().tcp_url(&self.role, self.deployment.database());
        let settings = settings.iter().flat_map(|text| ["--set", text]);
        Server::start(self.deployment.jeday(["serve"].into_iter().chain(settings)).env("DB_URL", url))
    }

    fn limit(&self, connections: i32) {
        self.deployment.sql(&format!("ALTER ROLE {} CONNECTION LIMIT {connections}", self.role));
    }

    fn terminate(&self, offset: usize, count: usize) {
        self.deployment.sql(&format!(
            "SELECT pg_terminate_backend(pid) FROM
             (SELECT pid FROM pg_stat_activity WHERE usename = '{}' ORDER BY backend_start OFFSET {offset} LIMIT {count}) AS own",
            self.role
        ));
    }

    fn backends(&self) -> usize {
        let text = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{}'", self.role);
        self.deployment.sql(&text).parse().unwrap()
    }
}

#[test]
fn exhausted_database_is_waited_for_without_a_storm() {
    let _turn = turn();
    let limited = Limited::new();
    let server = limited.serve(&[
        "cores.request_shards=1",
        "database.write_connections=2",
        "database.read_connections=1",
        "database.deadline=500ms",
        STAYS_WEAK,
    ]);
    assert_eq!(server.connect().register("before@example.com").status, 201);
    limited.limit(0);
    limited.terminate(0, 10);
    eventually("it says that it is not ready", || server.connect().get("/health/ready").status == 503);
    eventually("health says what is wrong", || {
        server.connect().get("/health").json()["checks"]["database"] == "no connection left"
    });
    let reply = server.connect().register("meanwhile@example.com");
    assert_eq!(reply.problem(), (503, "database_unavailable".to_owned()));
    eventually("the log says why", || server.log().contains("no connection left"));
    let failures = |metrics: Metrics| metrics.sum("jeday_database_connect_failures_total", &[]);
    let before = failures(Metrics::of(&server));
    thread::sleep(Duration::from_secs(2));
    let after = failures(Metrics::of(&server));
    assert!(after - before < 50.0, "{} attempts in 2 s are a storm", after - before);
    eprintln!("{} attempts of 3 connections in 2 s", after - before);
    limited.limit(-1);
    await_service(&server, "after");
    Metrics::once(&server, "all connections are back", |metrics| metrics.sum("jeday_database_connections", &[]) == 3.0);
    server.stop();
}

#[test]
fn one_connection_serves_while_the_other_cannot_come_back() {
    let _turn = turn();
    let limited = Limited::new();
    let server = limited.serve(&[
        "cores.request_shards=1",
        "database.write_connections=2",
        "database.read_connections=1",
        STAYS_WEAK,
    ]);
    let up = |count: f64| move |metrics: &Metrics| metrics.sum("jeday_database_connections", &[]) == count;
    // Two write and one reads; from outside they look alike. The oldest three times, then the youngest and the middle
    // one: each was the older and the younger of those that write. Whichever was free first must not take wake-ups
    // with it.
    for (round, offset) in [0, 0, 0, 2, 1].into_iter().enumerate() {
        Metrics::once(&server, "all are up", up(3.0));
        eventually("all are there", || limited.backends() == 3);
        limited.limit(2);
        limited.terminate(offset, 1);
        Metrics::once(&server, "one is gone", up(2.0));
        let mut client = server.connect();
        for number in 0..20 {
            let reply = client.register(&format!("{round}-{number}@example.com"));
            assert_eq!(reply.status, 201, "{reply:?}");
        }
        limited.limit(-1);
    }
    server.stop();
}
