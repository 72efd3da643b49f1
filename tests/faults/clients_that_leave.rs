//! A client that leaves while its registration is in a batch: the user is stored all the same, and no waiter is kept.

use crate::{
    eventually,
    support::{
        client::{registration, user},
        metrics::Metrics,
        postgres::TestCluster,
        server::Deployment,
        session::Session,
    },
    turn,
};

#[test]
fn registration_outlives_its_client_and_leaves_no_waiter() {
    let _turn = turn();
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["database.deadline=60s"]);
    let mut session = Session::open(TestCluster::shared(), deployment.database());
    session.hold_registrations();
    let clients: Vec<_> = (0..40)
        .map(|number| {
            let mut client = server.connect();
            client.send(registration(&[], &user(&format!("{number}@example.com"))));
            client
        })
        .collect();
    let waiters = |metrics: &Metrics| metrics.sum("jeday_batch_waiters", &[]);
    Metrics::once(&server, "all are in", |metrics| waiters(metrics) == 40.0);
    drop(clients);
    session.release();
    eventually("all are stored", || deployment.sql("SELECT count(*) FROM users") == "40");
    Metrics::once(&server, "nobody waits, nobody is connected", |metrics| {
        // The scrape itself is a connection.
        waiters(metrics) == 0.0 && metrics.sum("jeday_connections_open", &[]) <= 1.0
    });
    server.stop();
}
