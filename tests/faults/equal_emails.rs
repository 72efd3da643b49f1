//! Two servers on one database, asked for the same address at the same time: one 201, one 409, each time.

use crate::{
    support::client::{registration, user},
    support::server::Deployment,
    turn,
};

#[test]
fn one_of_two_servers_stores_an_address() {
    let _turn = turn();
    let deployment = Deployment::new();
    let servers = [deployment.serve(), deployment.serve()];
    let mut clients = servers.each_ref().map(|server| server.connect());
    let rounds = 300;
    for round in 0..rounds {
        let request = registration(&[], &user(&format!("{round}@example.com")));
        let first = round % 2;
        clients[first].send(&request);
        clients[1 - first].send(&request);
        let mut statuses = clients.each_mut().map(|client| client.reply().status);
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "round {round}");
    }
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), rounds.to_string());
    for server in servers {
        server.stop();
    }
}
