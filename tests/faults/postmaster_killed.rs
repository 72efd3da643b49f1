//! PostgreSQL killed and restarted in every way under load: what was confirmed survives, what was not gets 503 or no
//! answer, nobody meets a false conflict, and service is back by itself.

use crate::{
    await_service, eventually,
    load::Load,
    random, seed,
    support::{
        postgres::{Spec, TestCluster},
        server::Deployment,
    },
    turn,
};
use rustix::process::{Pid, Signal, kill_process};
use std::{process::Stdio, thread, time::Duration};

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

#[test]
fn confirmed_users_outlive_the_database_and_service_comes_back() {
    let _turn = turn();
    let seed = seed();
    // Real commits: a crash of the processes alone loses nothing that has been written, so that this costs little.
    let cluster = TestCluster::start(&Spec::default());
    let deployment = Deployment::on(&cluster);
    let server = deployment.serve();
    let load = Load::start(server.address(), "load", 16);
    for (step, way) in ["kill", "immediate", "fast", "kill", "immediate", "fast"].into_iter().enumerate() {
        load.await_created(50 + random(seed, step as u64, 200) as usize);
        match way {
            "kill" => kill_process(postmaster(&cluster), Signal::KILL).unwrap(),
            mode => cluster.stop(mode),
        }
        thread::sleep(Duration::from_millis(random(seed, 100 + step as u64, 300)));
        launch(&cluster);
        await_service(&server, &format!("{way}-{step}"));
    }
    load.await_created(50);
    let journal = load.stop();
    journal.check(&deployment);
    server.stop();
}
