//! A database that takes no writes any more, as after a failover: 503 that say so, no storm of connections, service by
//! itself when it is over.

use crate::{
    await_service, eventually,
    load::Load,
    support::{metrics::Metrics, postgres::TestCluster, server::Deployment},
    turn,
};
use std::{thread, time::Duration};

#[test]
fn read_only_database_is_no_database_until_it_takes_writes() {
    let _turn = turn();
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["cores.request_shards=1", "database.deadline=500ms"]);
    let load = Load::start(server.address(), "load", 4);
    load.await_created(20);
    let database = deployment.database();
    deployment.sql(&format!("ALTER DATABASE {database} SET default_transaction_read_only = on"));
    deployment.sql(&format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE application_name = 'jeday' AND datname = '{database}'"
    ));
    eventually("it says that it is not ready", || server.connect().get("/health/ready").status == 503);
    eventually("health says what is wrong", || {
        server.connect().get("/health").json()["checks"]["database"] == "read-only"
    });
    let attempts = |metrics: &Metrics| {
        metrics.sum("jeday_database_connect_failures_total", &[]) + metrics.sum("jeday_database_reconnects_total", &[])
    };
    let before = attempts(&Metrics::of(&server));
    thread::sleep(Duration::from_secs(2));
    let after = attempts(&Metrics::of(&server));
    assert!(after - before < 50.0, "{} connections in 2 s are a storm", after - before);
    assert!(server.log().contains("is not a read-write server"), "{}", server.log());
    // From another database: in this one nothing can be written.
    TestCluster::shared().sql("postgres", &format!("ALTER DATABASE {database} RESET ALL"));
    await_service(&server, "after");
    let journal = load.stop();
    assert!(journal.problems("database_unavailable") > 0, "{journal:?}");
    journal.check(&deployment);
    server.stop();
}
