//! No descriptor left: connections that are open go on, others wait to be accepted without the server spinning, and are
//! served when there is room. Within the limits that it checks at its start, the server does not get there at all.

use crate::{
    process::{cpu_ticks, exhaust_descriptors, free_descriptors},
    support::{
        client::{Client, registration, user},
        metrics::Metrics,
        pace::{eventually, turn},
        server::{Deployment, STAYS_WEAK, Server},
    },
};
use rustix::process::Signal;
use std::{io::ErrorKind, net::Shutdown, process::Command};

const REFUSED: &str = "cannot accept a connection";

fn complaints(server: &Server) -> Vec<serde_json::Value> {
    let lines = server.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>();
    lines.into_iter().filter(|line: &serde_json::Value| line["message"] == REFUSED).collect()
}

#[test]
fn open_connections_go_on_and_others_are_served_when_there_is_room() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["cores.request_shards=1", STAYS_WEAK]);
    let mut first: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    for client in &mut first {
        assert_eq!(client.get("/health/live").status, 200);
    }
    exhaust_descriptors(&server);
    let mut waiting: Vec<Client> = (0..60).map(|_| server.connect()).collect();
    for (number, client) in waiting.iter_mut().enumerate() {
        client.send(registration(&[], &user(&format!("waiting-{number}@example.com"))));
    }
    server.await_log(REFUSED);
    let began = cpu_ticks(&server);
    for (number, client) in first.iter_mut().enumerate() {
        let reply = client.register(&format!("first-{number}@example.com"));
        assert_eq!(reply.status, 201, "{reply:?}");
    }
    // It complains every five seconds, of all that it has tried in between: once in a tenth of a second.
    eventually("it complains again", || complaints(&server).len() >= 2);
    let (tried, ticks) = (complaints(&server)[1]["suppressed"].as_u64().unwrap(), cpu_ticks(&server) - began);
    eprintln!("{tried} attempts to accept and {ticks}0 ms of CPU while there was no descriptor");
    assert!((1..=100).contains(&tried) && ticks <= 200, "{tried} attempts, {ticks} ticks");
    // Each that leaves makes room for one more.
    drop(first);
    for client in &mut waiting {
        let reply = client.reply();
        assert_eq!(reply.status, 201, "{reply:?}");
        let _ = client.stream().shutdown(Shutdown::Both);
    }
    drop(waiting);
    free_descriptors(&server);
    Metrics::once(&server, "everybody has gone", |metrics| metrics.sum("jeday_connections_open", &[]) <= 1.0);
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "70");
    server.stop();
}

/// A command whose process may have so many open files and cannot raise that.
fn with_open_files(limit: u64, command: &Command) -> Command {
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--nofile={limit}:{limit}")).arg("--").arg(command.get_program()).args(command.get_args());
    limited.env_clear().current_dir("/");
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited
}

fn hears_nothing(client: &Client) -> bool {
    client.stream().set_nonblocking(true).unwrap();
    let nothing = client.stream().peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    client.stream().set_nonblocking(false).unwrap();
    nothing
}

#[test]
fn server_at_its_smallest_limit_reaches_the_database_again_while_full() {
    const CLIENTS: usize = 40;
    let _turn = turn();
    let deployment = Deployment::new();
    let bound = format!("server.connections_max={CLIENTS}");
    let command = deployment.jeday(["serve", "--set", "cores.request_shards=2", "--set", &bound]);
    let (status, log) = Server::spawn(&mut with_open_files(CLIENTS as u64, &command)).wait();
    assert!(!status.success(), "{log}");
    let needed = log.split("LimitNOFILE=").nth(1).expect("it says how many it needs");
    let needed: u64 = needed.split(|letter: char| !letter.is_ascii_digit()).next().unwrap().parse().unwrap();
    let server = Server::start(&mut with_open_files(needed, &command));
    // So many more than there are places that every shard is full, however the kernel shares them out.
    let mut inside: Vec<Client> = (0..10 * CLIENTS).map(|_| server.connect()).collect();
    eventually("all places are taken, and the others were turned away", || {
        inside.retain(hears_nothing);
        inside.len() == CLIENTS
    });
    for round in 0..5 {
        // All come at the same moment, to be told that there is no room, while the database has to be reached again.
        server.signal(Signal::STOP);
        let crowd: Vec<Client> = (0..needed * 3).map(|_| server.connect()).collect();
        deployment.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        server.signal(Signal::CONT);
        for mut refused in crowd {
            assert_eq!(refused.reply().problem(), (503, "too_many_connections".to_owned()));
            refused.expect_end();
        }
        let mut attempt = 0;
        eventually("it stores users again", || {
            attempt += 1;
            let client = &mut inside[attempt % CLIENTS];
            let reply = client.register(&format!("{round}-{attempt}@example.com"));
            assert!([201, 503].contains(&reply.status), "{reply:?}");
            reply.status == 201
        });
    }
    drop(inside);
    let log = server.stop();
    assert!(!log.contains(REFUSED) && !log.contains("oo many open files"), "{log}");
}
