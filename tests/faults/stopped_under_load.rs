//! SIGTERM under full load: what was accepted is answered, what was confirmed is there, and nothing is stored that
//! nobody was told of.

use crate::{
    load::Load,
    random, rounds, seed,
    support::{
        client::{registration, user},
        server::Deployment,
    },
    turn,
};
use rustix::process::Signal;
use std::{thread, time::Duration};

#[test]
fn stopping_under_load_loses_nothing_and_leaves_nobody_unanswered() {
    let _turn = turn();
    let seed = seed();
    for round in 0..rounds(2, 20) as u64 {
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

#[test]
fn requests_that_came_before_the_signal_are_answered() {
    let _turn = turn();
    let deployment = Deployment::new();
    for round in 0..3 {
        let mut server = deployment.serve_with(&["cores.request_shards=1"]);
        // More than it looks at before it sees the signal.
        let mut clients: Vec<_> = (0..600).map(|_| server.connect()).collect();
        for client in &mut clients {
            assert_eq!(client.get("/health/live").status, 200);
        }
        // It sees nothing of what comes now, and then all of it at once.
        server.signal(Signal::STOP);
        clients.extend((0..200).map(|_| server.connect()));
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(registration(&[], &user(&format!("{round}-{number}@example.com"))));
        }
        server.signal(Signal::TERM);
        server.signal(Signal::CONT);
        for (number, client) in clients.iter_mut().enumerate() {
            let reply = client.reply();
            assert_eq!(reply.status, 201, "{round}-{number}: {reply:?}");
            client.expect_end();
        }
        let status = server.wait();
        assert!(status.success(), "{status}: {}", server.log());
    }
}
