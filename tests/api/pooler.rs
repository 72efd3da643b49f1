//! Through PgBouncer in transaction mode, where no statement stays prepared and connections are shared.

use crate::support::{
    client::{Client, registration, user},
    pooler::Pooler,
    postgres::TestCluster,
    server::{Deployment, Server},
};

#[test]
fn registration_works_through_a_transaction_pooler() {
    let deployment = Deployment::new();
    let pooler = Pooler::start(TestCluster::shared(), "transaction");
    let url = pooler.url(deployment.database());
    assert_eq!(deployment.jeday(["migrate", "status"]).env("DB_URL", &url).output().unwrap().status.code(), Some(0));
    let mut command = deployment.jeday(["serve", "--set", "database.write_connections=2"]);
    let server = Server::start(command.env("DB_URL", &url));
    let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for round in 0..20 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(registration(&[], &user(&format!("user{round}-{number}@example.com"))));
        }
        assert!(clients.iter_mut().all(|client| client.reply().status == 201));
    }
    assert_eq!(clients[0].register("user0-0@example.com").status, 409);
    for _ in 0..2 {
        let keyed = clients[0].post_with(&[("Idempotency-Key", "one")], &user("keyed@example.com"));
        assert_eq!(keyed.status, 201);
    }
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "401");
    server.stop();
}
