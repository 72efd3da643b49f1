//! SIGTERM under full load: what was accepted is answered, what was confirmed is there, and nothing is stored that
//! nobody was told of.

use crate::{load::Load, random, seed, support::server::Deployment, turn};
use rustix::process::Signal;
use std::{thread, time::Duration};

#[test]
fn stopping_under_load_loses_nothing_and_leaves_nobody_unanswered() {
    let _turn = turn();
    let seed = seed();
    for round in 0..5 {
        let deployment = Deployment::new();
        let mut server = deployment.serve();
        let load = Load::start(server.address(), &format!("round-{round}"), 60);
        load.await_created(100 + random(seed, round, 300) as usize);
        thread::sleep(Duration::from_micros(random(seed, 100 + round, 20_000)));
        server.signal(Signal::TERM);
        let status = server.wait();
        assert!(status.success(), "{status}: {}", server.log());
        let journal = load.stop();
        journal.check(&deployment);
        journal.check_that_nothing_was_kept_back(&deployment);
    }
}
