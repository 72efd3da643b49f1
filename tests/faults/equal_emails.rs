//! Equal addresses at the same time, in one batch or over two servers: one 201 each, and 409 for all others. Two shards
//! are looked at where the kernel's choice between them is, in tests/api/duplicate_emails.rs.

use crate::{
    rounds,
    support::{
        client::{Client, registration, user},
        metrics::Metrics,
        postgres::TestCluster,
        server::{Deployment, STAYS_WEAK},
        session::Session,
    },
    turn,
};

#[test]
fn one_of_two_servers_stores_an_address() {
    let _turn = turn();
    let deployment = Deployment::new();
    let servers = [deployment.serve(), deployment.serve()];
    let mut clients = servers.each_ref().map(|server| server.connect());
    let rounds = rounds(300, 1000);
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

#[test]
fn one_of_a_pair_in_one_batch_is_stored() {
    const PAIRS: usize = 100;
    let _turn = turn();
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[
        "cores.request_shards=1",
        "database.write_connections=1",
        "database.deadline=60s",
        "registration.batch_size=1000",
        STAYS_WEAK,
    ]);
    let mut clients: Vec<Client> = (0..2 * PAIRS).map(|_| server.connect()).collect();
    let rounds = rounds(2, 1000 / PAIRS);
    for round in 0..rounds {
        let mut session = Session::open(TestCluster::shared(), deployment.database());
        session.hold_registrations();
        // The first keeps the only connection busy, so that all others become one batch.
        let mut first = server.connect();
        first.send(registration(&[], &user(&format!("first-{round}@example.com"))));
        Metrics::await_sent(&server, 1);
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(registration(&[], &user(&format!("{round}-{}@example.com", number % PAIRS))));
        }
        Metrics::await_queue(&server, 2 * PAIRS as u64);
        session.release();
        assert_eq!(first.reply().status, 201);
        let statuses: Vec<u16> = clients.iter_mut().map(|client| client.reply().status).collect();
        for number in 0..PAIRS {
            let mut pair = [statuses[number], statuses[number + PAIRS]];
            pair.sort_unstable();
            assert_eq!(pair, [201, 409], "round {round}, {number}");
        }
    }
    let batches = Metrics::of(&server).sum("jeday_batch_size_items_count", &[("statement", "register")]);
    assert_eq!(batches, 2.0 * rounds as f64, "all pairs of a round were one batch");
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), (rounds * (PAIRS + 1)).to_string());
    server.stop();
}
