//! pg_terminate_backend in the middle of batches: outcomes are looked up again, no success and no conflict is false.

use crate::{load::Load, random, seed, support::server::Deployment, turn};
use std::{thread, time::Duration};

#[test]
fn terminated_backends_cost_no_registration() {
    let _turn = turn();
    let seed = seed();
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["database.write_connections=2"]);
    let load = Load::start(server.address(), "load", 16);
    let terminate = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'jeday' AND datname = '{}'",
        deployment.database()
    );
    let mut terminated = 0;
    for step in 0..60 {
        if step % 10 == 0 {
            load.await_created(10);
        }
        terminated += deployment.sql(&terminate).parse::<u32>().unwrap();
        thread::sleep(Duration::from_millis(random(seed, step, 60)));
    }
    load.await_created(100);
    let journal = load.stop();
    journal.check(&deployment);
    eprintln!("{terminated} backends terminated, lost 0 of {}", journal.created().count());
    assert!(terminated >= 30, "only {terminated} were terminated");
    // A batch whose connection ends is sent again over another at once: nobody notices.
    assert_eq!(journal.problems("database_unavailable"), 0);
    server.stop();
}
