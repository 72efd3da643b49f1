//! A client that leaves while its registration is in a batch: the user is stored all the same, and no waiter is kept.
//! One that leaves while its password is hashed: the hash keeps its place until it is done, so that leaving wins
//! nothing.

use crate::support::{
    client::{Client, login, registration, user},
    metrics::Metrics,
    pace::eventually,
    postgres::TestCluster,
    server::{Deployment, STAYS_WEAK},
    session::Session,
};

#[test]
fn registration_outlives_its_client_and_leaves_no_waiter() {
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

#[test]
fn hash_of_a_client_that_left_keeps_its_place_until_it_ends() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[
        "cores.request_shards=1",
        "cores.password_cores=1",
        // Long enough for all that happens here while one is computed.
        "hardening.memory=32MiB",
        "hardening.passes=64",
        "hardening.queue_max=1",
        "hardening.login_deadline=1m",
        STAYS_WEAK,
    ]);
    for name in ["first", "second", "third"] {
        assert_eq!(server.connect().register(&format!("{name}@example.com")).status, 201);
    }
    let log_in = |name: &str| {
        let mut client = server.connect();
        client.send(login(&format!("{name}@example.com")));
        client
    };
    let waiting = |metrics: &Metrics| metrics.sum("jeday_password_jobs_waiting", &[("queue", "foreground")]);
    let hashed = |metrics: &Metrics| metrics.sum("jeday_password_hashes_total", &[("result", "done")]);
    let looked_up = |metrics: &Metrics| metrics.sum("jeday_batch_size_items_sum", &[("statement", "find_credentials")]);
    let first: Client = log_in("first");
    Metrics::once(&server, "one is hashed", |metrics| looked_up(metrics) == 1.0 && waiting(metrics) == 0.0);
    let second = log_in("second");
    Metrics::once(&server, "one waits", |metrics| waiting(metrics) == 1.0);
    drop((first, second));
    // Both have left; their places are taken all the same.
    let mut third = log_in("third");
    assert_eq!(third.reply().problem(), (503, "overloaded".to_owned()));
    let metrics = Metrics::of(&server);
    assert_eq!((waiting(&metrics), hashed(&metrics)), (1.0, 0.0), "the first is still at it");
    Metrics::once(&server, "both hashes are done, and nobody is connected", |metrics| {
        hashed(metrics) == 2.0 && waiting(metrics) == 0.0
    });
    assert_eq!(third.login("third@example.com").status, 200, "the places are free again");
    server.stop();
}
