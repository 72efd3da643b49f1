//! The primary is lost and its synchronous standby promoted: the server finds it by itself, every confirmed user is
//! there, and the old primary is written to no more when it comes back.

use crate::{
    eventually,
    load::Load,
    postmaster_killed::{await_end_of_outage, launch, postmaster},
    random, rounds, seed,
    support::{
        client::{Reply, registration, user},
        postgres::{Spec, TestCluster},
        server::{CHEAP, Deployment, STAYS_WEAK, Server},
    },
    turn,
};
use rustix::process::{Signal, kill_process};
use std::fs;

/// A primary that confirms no commit before its standby has it.
struct Pair {
    primary: TestCluster,
    standby: TestCluster,
}

impl Pair {
    fn start() -> Pair {
        let primary = TestCluster::start(&Spec::default());
        let standby = primary.standby();
        primary.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'");
        primary.sql("postgres", "SELECT pg_reload_conf()");
        let pair = Pair { primary, standby };
        pair.await_synchronous();
        pair
    }

    fn await_synchronous(&self) {
        let standbys = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        eventually("the standby is synchronous", || self.primary.sql("postgres", standbys) == "1");
    }

    /// A server that is told of both, and in which order.
    fn serve(&self, deployment: &Deployment<'_>, settings: &[&str]) -> Server {
        let [primary, standby] = [&self.primary, &self.standby].map(TestCluster::port);
        let database = deployment.database();
        let url = format!(
            "postgres://postgres@127.0.0.1:{primary},127.0.0.1:{standby}/{database}?target_session_attrs=read-write"
        );
        let settings = settings.iter().flat_map(|text| ["--set", text]);
        Server::start(deployment.jeday(["serve"].into_iter().chain(settings)).env("DB_URL", url))
    }

    /// Starts the old primary as a standby of nobody: that is how a cluster manager brings it back, before it follows.
    fn bring_the_old_primary_back(&self) {
        fs::write(self.primary.socket_directory().join("data/standby.signal"), "").unwrap();
        launch(&self.primary);
        assert_eq!(self.primary.sql("postgres", "SELECT pg_is_in_recovery()"), "t");
    }
}

#[test]
fn confirmed_users_are_on_the_standby_that_takes_over() {
    let _turn = turn();
    let seed = seed();
    for (round, way) in ["kill", "fast"].iter().cycle().take(rounds(1, 10)).enumerate() {
        let pair = Pair::start();
        let deployment = Deployment::on(&pair.primary);
        let server = pair.serve(&deployment, &[STAYS_WEAK]);
        let load = Load::start(server.address(), &format!("round-{round}"), 16);
        load.await_created(100 + random(seed, round as u64, 300) as usize);
        match *way {
            "kill" => kill_process(postmaster(&pair.primary), Signal::KILL).unwrap(),
            mode => pair.primary.stop(mode),
        }
        pair.standby.promote();
        await_end_of_outage(&pair.standby, &load, "failover");
        load.await_created(50);
        pair.bring_the_old_primary_back();
        let deployment = deployment.moved_to(&pair.standby);
        // Each connection is made again, and the old primary is the first that is asked.
        for _ in 0..3 {
            deployment.sql(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                 WHERE application_name = 'jeday' AND datname = current_database()",
            );
            load.await_created(20);
        }
        let journal = load.stop();
        journal.check(&deployment);
        eprintln!("failover by {way}: lost 0 of {}", journal.created().count());
        server.stop();
    }
}

/// Backends of the server whose commit waits for the standby.
fn waiting(pair: &Pair) -> String {
    let waiting = "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity
                   WHERE application_name = 'jeday' AND wait_event = 'SyncRep'";
    pair.primary.sql("postgres", waiting)
}

/// Loses the primary for good; the user is where the server goes on.
fn check_after_failover(pair: &Pair, deployment: Deployment<'_>, email: &str, reply: &Reply) {
    assert_eq!(reply.status, 201, "{reply:?}");
    kill_process(postmaster(&pair.primary), Signal::KILL).unwrap();
    pair.standby.promote();
    let id = deployment.moved_to(&pair.standby).sql(&format!("SELECT id FROM users WHERE email = '{email}'"));
    assert_eq!(reply.json()["id"], *id);
}

/// A commit that nobody waits for any longer is seen by everybody, and is on no standby: looking it up proves nothing.
#[test]
fn what_only_the_primary_has_is_not_confirmed() {
    let _turn = turn();
    let pair = Pair::start();
    let deployment = Deployment::on(&pair.primary);
    let settings = ["database.deadline=1s", "cores.request_shards=1", STAYS_WEAK];
    let server = pair.serve(&deployment, &[CHEAP, &settings].concat());
    let [leaves, goes_on] =
        ["leaves@example.com", "goes-on@example.com"].map(|email| server.connect().new_session(email));
    let retry = |email: &str| server.connect().post_with(&[("Idempotency-Key", email)], &user(email));
    pair.standby.stop("immediate");
    // Whatever is asked first gets as far as the primary; what comes after it may not even be sent in its time.
    let refused = |reply: Reply| {
        let (status, code) = reply.problem();
        assert!(status == 503 && ["outcome_unknown", "database_unavailable"].contains(&&*code), "{reply:?}");
    };
    refused(server.connect().refresh(&goes_on.refresh));
    refused(server.connect().login("leaves@example.com"));
    refused(server.connect().authorized("POST", "/auth/logout", &leaves.access));
    refused(server.connect().register("ada@example.com"));
    eventually("the primary has him, and nobody is told so", || {
        refused(retry("bob@example.com"));
        deployment.sql("SELECT count(*) FROM users WHERE email LIKE 'bob%'") == "1"
    });
    // Found by his key now, and known to nobody else all the same.
    refused(retry("bob@example.com"));
    pair.standby.launch();
    pair.await_synchronous();
    let mut last = None;
    eventually("the retry is answered", || last.insert(retry("bob@example.com")).status != 503);
    check_after_failover(&pair, deployment, "bob@example.com", &last.unwrap());
    server.stop();
}

#[test]
fn commit_whose_wait_for_the_standby_is_cancelled_is_not_confirmed_before_the_standby_has_it() {
    let _turn = turn();
    let pair = Pair::start();
    let deployment = Deployment::on(&pair.primary);
    let server = pair.serve(&deployment, &["database.deadline=60s", "cores.request_shards=1", STAYS_WEAK]);
    pair.standby.stop("immediate");
    let mut client = server.connect();
    client.send(registration(&[], &user("ada@example.com")));
    eventually("its commit waits", || !waiting(&pair).is_empty());
    let first = waiting(&pair);
    pair.primary.sql("postgres", &format!("SELECT pg_cancel_backend({first})"));
    eventually("what has become of it is asked, and that waits too", || {
        let now = waiting(&pair);
        !now.is_empty() && now != first
    });
    pair.standby.launch();
    check_after_failover(&pair, deployment, "ada@example.com", &client.reply());
    server.stop();
}
