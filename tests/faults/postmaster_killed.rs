//! PostgreSQL killed and restarted in every way under load: what was confirmed survives, what was not gets 503 or no
//! answer, nobody meets a false conflict, and service is back by itself.

use crate::{
    await_service, eventually,
    load::Load,
    random, rounds, seed,
    support::{
        postgres::{Spec, TestCluster},
        server::{Deployment, PATIENCE},
    },
    turn,
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

pub(crate) fn postmaster(cluster: &TestCluster) -> Pid {
    let file = cluster.socket_directory().join("data/postmaster.pid");
    let text = std::fs::read_to_string(file).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
}

/// Starts it again. The first attempts may find children of the last postmaster.
pub(crate) fn launch(cluster: &TestCluster) {
    eventually("PostgreSQL starts again", || {
        let mut start = cluster.as_owner("pg_ctl");
        start.args(["start", "-s", "-w", "-t", "60", "-l"]).arg(cluster.socket_directory().join("log"));
        start.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    });
}

/// Waits until the database is there and users are stored in it; prints and returns how long that took from the moment
/// on when it let anybody in. Not judged here: how fast that is depends on the machine.
pub(crate) fn await_end_of_outage(cluster: &TestCluster, load: &Load, what: &str) -> Duration {
    let until = Instant::now() + PATIENCE;
    while !cluster.takes_connections() {
        assert!(Instant::now() < until, "PostgreSQL does not come back");
        thread::sleep(Duration::from_millis(2));
    }
    let back = Instant::now();
    load.await_created(1);
    let outage = back.elapsed();
    eprintln!("{what}: users are stored {} ms after the database is back", outage.as_millis());
    outage
}

/// Stops PostgreSQL in one of the ways that there are.
fn stop(cluster: &TestCluster, load: &Load, way: &str) {
    match way {
        "kill" => kill_process(postmaster(cluster), Signal::KILL).unwrap(),
        // It waits for everybody to leave, and lets nobody in: who is in is served, until the operator loses patience.
        "smart" => {
            kill_process(postmaster(cluster), Signal::TERM).unwrap();
            eventually("nobody is let in", || !cluster.takes_connections());
            load.await_created(50);
            cluster.stop("fast");
        }
        mode => cluster.stop(mode),
    }
}

#[test]
fn confirmed_users_outlive_the_database_and_service_comes_back() {
    let _turn = turn();
    let seed = seed();
    // Real commits: a crash of the processes alone loses nothing that has been written, so that this costs little.
    let cluster = TestCluster::start(&Spec::default());
    let deployment = Deployment::on(&cluster);
    let server = deployment.serve();
    let load = Load::start(server.address(), "load", 16);
    let ways = ["kill", "immediate", "fast", "smart"];
    let mut longest = Duration::ZERO;
    for (step, way) in ways.iter().cycle().take(ways.len() * rounds(2, 20)).enumerate() {
        load.await_created(50 + random(seed, step as u64, 200) as usize);
        stop(&cluster, &load, way);
        thread::sleep(Duration::from_millis(random(seed, 100 + step as u64, 300)));
        longest = thread::scope(|scope| {
            scope.spawn(|| launch(&cluster));
            longest.max(await_end_of_outage(&cluster, &load, way))
        });
    }
    load.await_created(50);
    await_service(&server, "after");
    let journal = load.stop();
    journal.check(&deployment);
    let refused = journal.problems("database_unavailable") + journal.problems("outcome_unknown");
    eprintln!(
        "lost 0 of {}, {refused} told to try again, longest outage {} ms",
        journal.created().count(),
        longest.as_millis()
    );
    server.stop();
}
