//! A lock on the table of users that is held for long: every request is answered by its deadline, nothing piles up,
//! and service goes on when the lock goes.

use crate::{
    await_service,
    journal::Told,
    rounds,
    support::{
        metrics::Metrics,
        postgres::TestCluster,
        server::{Deployment, STAYS_WEAK},
        session::Session,
    },
    turn,
};
use std::{
    thread,
    time::{Duration, Instant},
};

#[test]
fn requests_are_answered_while_a_lock_is_held_and_nothing_piles_up() {
    let _turn = turn();
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[
        "database.deadline=1s",
        "database.connect_timeout=500ms",
        "database.write_connections=1",
        "cores.request_shards=1",
        STAYS_WEAK,
    ]);
    let mut session = Session::open(TestCluster::shared(), deployment.database());
    session.hold_registrations();
    let address = server.address();
    let mut journal = crate::journal::Journal::default();
    for wave in 0..3 {
        let clients: Vec<_> = (0..30)
            .map(|number| {
                thread::spawn(move || {
                    let email = format!("{wave}-{number}@example.com");
                    let reply = crate::support::client::Client::connect(address).register(&email);
                    let code = reply.code();
                    (email, Told::Problem(reply.status, code, reply.field("Retry-After").is_some()))
                })
            })
            .collect();
        // The lock is held until all are answered: they would wait for ever otherwise.
        journal.entries.extend(clients.into_iter().map(|client| client.join().unwrap()));
    }
    assert!(journal.entries.iter().all(|(_, told)| matches!(told, Told::Problem(503, ..))), "{journal:?}");
    Metrics::once(&server, "nothing waits", |metrics| {
        metrics.sum("jeday_batch_waiters", &[]) == 0.0 && metrics.sum("jeday_batch_queue_items", &[]) == 0.0
    });
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND application_name = 'jeday' AND state = 'active'",
        deployment.database()
    );
    // One attempt is under way at a time, and perhaps the last one is being cancelled: preparing waits for locks too.
    for _ in 0..rounds(40, 100) {
        thread::sleep(Duration::from_millis(100));
        let waiting: u32 = deployment.sql(&waiting).parse().unwrap();
        assert!(waiting <= 2, "{waiting} statements wait for one connection");
    }
    session.release();
    let released = Instant::now();
    await_service(&server, "after");
    eprintln!("back {} ms after the lock is gone", released.elapsed().as_millis());
    journal.check(&deployment);
    server.stop();
}
