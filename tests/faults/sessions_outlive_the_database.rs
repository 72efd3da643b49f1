//! PostgreSQL killed and restarted while people log in, refresh and ask who they are: nothing that was confirmed is
//! lost, nothing is answered but by success or by 503 with `Retry-After`, and nobody is logged out.

use crate::{
    eventually,
    postmaster_killed::{launch, postmaster},
    random, seed,
    support::{
        client::{Client, Reply, Tokens, nth},
        metrics::Metrics,
        postgres::{Spec, TestCluster},
        server::{CHEAP, Deployment, PATIENCE},
    },
    turn,
};
use rustix::process::{Signal, kill_process};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// What all clients of this test share.
struct Shared {
    address: SocketAddr,
    stop: AtomicBool,
    /// Confirmed logins, refreshes and answers of `me`.
    confirmed: AtomicUsize,
}

impl Shared {
    fn await_confirmed(&self, more: usize) {
        let wanted = self.confirmed.load(Ordering::Relaxed) + more;
        eventually("requests are served", || self.confirmed.load(Ordering::Relaxed) >= wanted);
    }

    /// Asks until the answer is no 503, as a client does that reads `Retry-After`, only sooner.
    fn insist(&self, client: &mut Client, mut ask: impl FnMut(&mut Client) -> Reply) -> Reply {
        let until = Instant::now() + PATIENCE;
        loop {
            let reply = ask(client);
            if !reply.keeps_alive() {
                *client = Client::connect(self.address);
            }
            if reply.status == 200 {
                self.confirmed.fetch_add(1, Ordering::Relaxed);
                return reply;
            }
            assert_eq!(reply.status, 503, "{reply:?}");
            assert!(reply.field("Retry-After").is_some(), "{reply:?}");
            assert!(Instant::now() < until, "service does not come back: {reply:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Logs in, refreshes some times and asks who it is, again and again. Returns the last tokens of each session.
fn live(shared: &Shared, email: &str) -> Vec<Tokens> {
    let mut client = Client::connect(shared.address);
    let mut sessions = Vec::new();
    while !shared.stop.load(Ordering::Relaxed) {
        let mut tokens = shared.insist(&mut client, |client| client.login(email)).tokens();
        for _ in 0..10 {
            tokens = shared.insist(&mut client, |client| client.refresh(&tokens.refresh)).tokens();
            shared.insist(&mut client, |client| client.authorized("GET", "/auth/me", &tokens.access));
        }
        sessions.push(tokens);
    }
    sessions
}

#[test]
fn nobody_is_logged_out_by_a_database_that_dies() {
    let _turn = turn();
    let seed = seed();
    let cluster = TestCluster::start(&Spec::default());
    let deployment = Deployment::on(&cluster);
    let clients = 8;
    let settings = ["tokens.refresh_grace=60s", "tokens.sessions_per_user=1000"];
    let server = deployment.serve_with(&[CHEAP, &settings].concat());
    server.connect().register_many(clients);
    let shared = Shared { address: server.address(), stop: AtomicBool::new(false), confirmed: AtomicUsize::new(0) };
    let sessions: Vec<Tokens> = thread::scope(|scope| {
        let living: Vec<_> = (0..clients)
            .map(|number| {
                let shared = &shared;
                scope.spawn(move || live(shared, &nth(number)))
            })
            .collect();
        for (step, way) in ["kill", "immediate", "fast", "kill"].into_iter().enumerate() {
            shared.await_confirmed(100 + random(seed, step as u64, 200) as usize);
            match way {
                "kill" => kill_process(postmaster(&cluster), Signal::KILL).unwrap(),
                mode => cluster.stop(mode),
            }
            thread::sleep(Duration::from_millis(random(seed, 100 + step as u64, 300)));
            launch(&cluster);
        }
        shared.await_confirmed(100);
        shared.stop.store(true, Ordering::Relaxed);
        living.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    // Clients need not have noticed: what comes back within the deadline is waited for.
    assert!(Metrics::of(&server).sum("jeday_database_reconnects_total", &[]) > 0.0, "the database never went away");
    // What was confirmed is in the table, at the generation that was confirmed last.
    let rows = deployment.sql("SELECT id || ' ' || generation FROM sessions");
    let stored: HashMap<&str, &str> = rows.lines().map(|row| row.split_once(' ').unwrap()).collect();
    for tokens in &sessions {
        let generation = tokens.refresh.split('.').nth(1).unwrap();
        assert_eq!(stored.get(tokens.session()), Some(&generation), "{}", tokens.session());
    }
    let mut client = server.connect();
    for tokens in sessions {
        let renewed = client.refresh(&tokens.refresh).tokens();
        assert_eq!(client.authorized("GET", "/auth/me", &renewed.access).status, 200);
    }
    assert!(!server.log().contains("refresh_reused"), "{}", server.log());
    server.stop();
}
