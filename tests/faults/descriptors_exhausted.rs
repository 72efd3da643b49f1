//! No descriptor left: connections that are open go on, others wait to be accepted and are served when there is room.

use crate::{
    support::{
        client::{Client, registration, user},
        metrics::Metrics,
        server::Deployment,
    },
    turn,
};
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use std::{fs, net::Shutdown, path::PathBuf};

#[test]
fn open_connections_go_on_and_others_are_served_when_there_is_room() {
    let _turn = turn();
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["cores.request_shards=1"]);
    let mut first: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    for client in &mut first {
        assert_eq!(client.get("/health/live").status, 200);
    }
    let directory = PathBuf::from(format!("/proc/{}/fd", server.pid().as_raw_nonzero()));
    // The limit is on numbers, and new descriptors take the lowest.
    let free = (0..).find(|number| fs::symlink_metadata(directory.join(number.to_string())).is_err()).unwrap();
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = |current| {
        let limits = Rlimit { current, maximum };
        prlimit(Some(server.pid()), Resource::Nofile, limits).unwrap();
    };
    limit(Some(free));
    let mut waiting: Vec<Client> = (0..60).map(|_| server.connect()).collect();
    for (number, client) in waiting.iter_mut().enumerate() {
        client.send(registration(&[], &user(&format!("waiting-{number}@example.com"))));
    }
    server.await_log("cannot accept a connection");
    for (number, client) in first.iter_mut().enumerate() {
        let reply = client.register(&format!("first-{number}@example.com"));
        assert_eq!(reply.status, 201, "{reply:?}");
    }
    // Each that leaves makes room for one more.
    drop(first);
    for client in &mut waiting {
        let reply = client.reply();
        assert_eq!(reply.status, 201, "{reply:?}");
        let _ = client.stream().shutdown(Shutdown::Both);
    }
    drop(waiting);
    limit(maximum);
    Metrics::once(&server, "everybody has gone", |metrics| metrics.sum("jeday_connections_open", &[]) <= 1.0);
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "70");
    server.stop();
}
