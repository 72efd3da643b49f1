//! The database blackholed: sockets stay open and nothing comes through. Requests are answered by their deadline, the
//! queue stays bounded, service is back by itself, and stopping does not wait for what cannot be reached.

use crate::{
    await_service, eventually,
    load::Load,
    proxy::Proxy,
    rounds,
    support::{
        metrics::Metrics,
        postgres::TestCluster,
        server::{Deployment, STAYS_WEAK, Server},
    },
    turn,
};
use std::{
    thread,
    time::{Duration, Instant},
};

const BACKENDS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'jeday' AND datname = current_database()";

#[test]
fn blackholed_database_costs_answers_by_their_deadline_and_no_more() {
    let _turn = turn();
    let deployment = Deployment::new();
    let proxy = Proxy::start(TestCluster::shared().port());
    let url = format!("postgres://postgres@{}/{}?sslmode=disable", proxy.address, deployment.database());
    let settings = [
        "database.deadline=1s",
        "database.connect_timeout=1s",
        "registration.batch_size=10",
        "registration.queue_max=10",
        STAYS_WEAK,
    ];
    let settings = settings.iter().flat_map(|text| ["--set", text]);
    let mut command = deployment.jeday(["serve"].into_iter().chain(settings));
    let mut server = Server::start(command.env("DB_URL", url));
    for round in 0..rounds(2, 20) {
        let load = Load::start(server.address(), &format!("round-{round}"), 60);
        load.await_created(50);
        proxy.close(true);
        thread::sleep(Duration::from_secs(2));
        // Clients wait for each answer: with the way closed, all of them are answered.
        let journal = load.stop();
        assert!(journal.problems("outcome_unknown") + journal.problems("database_unavailable") > 0);
        assert!(journal.problems("overloaded") > 0, "the queue is bounded");
        Metrics::once(&server, "nothing is left", |metrics| metrics.sum("jeday_batch_waiters", &[]) == 0.0);
        proxy.close(false);
        let open = Instant::now();
        await_service(&server, &format!("after-{round}"));
        journal.check(&deployment);
        eprintln!(
            "lost 0 of {}, longest answer {} ms, back {} ms after the way is open",
            journal.created().count(),
            journal.longest.as_millis(),
            open.elapsed().as_millis()
        );
        let up = || Metrics::of(&server).sum("jeday_database_connections", &[]).to_string();
        eventually("the database has no connections but those that are up", || deployment.sql(BACKENDS) == up());
    }
    // Stopped while nothing comes through: there is nothing to wait for.
    proxy.close(true);
    let mut client = server.connect();
    let reply = client.register("lost@example.com");
    assert_eq!(reply.status, 503, "{reply:?}");
    server.signal(rustix::process::Signal::TERM);
    let status = server.wait();
    assert!(status.success(), "{status}: {}", server.log());
}
