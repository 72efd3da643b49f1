//! kill -9 of the server at random moments under load: every 201 is in the table, is hardened or will be, and logs in.

use crate::{
    load::Load,
    random, rounds, seed,
    support::{
        client::Client,
        server::{CHEAP, Deployment, STAYS_WEAK},
    },
    turn,
};
use rustix::process::Signal;
use std::{thread, time::Duration};

#[test]
fn every_confirmed_user_outlives_the_server() {
    let _turn = turn();
    let seed = seed();
    let deployment = Deployment::new();
    let rounds = rounds(3, 50) as u64;
    let mut confirmed = Vec::new();
    for round in 0..rounds {
        let mut server = deployment.serve_with(CHEAP);
        let load = Load::start(server.address(), &format!("round-{round}"), 16);
        load.await_created(1 + random(seed, round, 200) as usize);
        thread::sleep(Duration::from_micros(random(seed, 100 + round, 20_000)));
        server.signal(Signal::KILL);
        assert!(!server.wait().success());
        let journal = load.stop();
        journal.check(&deployment);
        confirmed.extend(journal.created().map(|(email, _)| email.to_owned()));
    }
    let server = deployment.serve_with(&[CHEAP, &[STAYS_WEAK, "database.deadline=60s"]].concat());
    log_in(&mut server.connect(), &confirmed);
    eprintln!("{} users were confirmed before {rounds} kills, and all of them log in", confirmed.len());
    server.stop();
}

fn log_in(client: &mut Client, emails: &[String]) {
    for email in emails {
        let reply = client.login(email);
        assert_eq!(reply.status, 200, "{email}: {reply:?}");
    }
}

#[test]
fn retry_with_its_key_gets_the_first_answer_after_the_server_was_killed() {
    let _turn = turn();
    let deployment = Deployment::new();
    let key = [("Idempotency-Key", "one of a kind")];
    let body = crate::support::client::user("ada@example.com");
    let mut first = None;
    for _ in 0..3 {
        let mut server = deployment.serve();
        let reply = server.connect().post_with(&key, &body);
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(first.get_or_insert_with(|| reply.body.clone()), &reply.body);
        server.signal(Signal::KILL);
        server.wait();
    }
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "1");
}
