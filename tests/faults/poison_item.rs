//! An item that PostgreSQL refuses: only its own request fails, whatever shares its batch.

use crate::{
    support::{client::Client, metrics::Metrics, postgres::TestCluster, server::Deployment, session::Session},
    turn,
};

/// Sends registrations so that they share a batch, and returns the statuses in their order.
fn in_one_batch(usernames: &[&str], key: bool) -> (Deployment<'static>, Vec<(u16, String)>) {
    let deployment = Deployment::new();
    deployment.sql("ALTER TABLE users ADD CHECK (username <> 'poison')");
    let server = deployment.serve_with(&["cores.request_shards=1", "database.deadline=60s"]);
    let mut session = Session::open(TestCluster::shared(), deployment.database());
    session.hold_registrations();
    let send = |number: usize, username: &str| {
        let email = format!("{number}@example.com");
        let body = serde_json::json!({ "email": email, "username": username, "password": "correct horse" });
        let key_field = [("Idempotency-Key", email.as_str())];
        let mut client = server.connect();
        client.send(crate::support::client::registration(if key { &key_field } else { &[] }, &body.to_string()));
        client
    };
    // One that keeps the connection busy, so that the others wait for it together.
    let mut first = send(1000, "first");
    let statement = if key { "register_once" } else { "register" };
    Metrics::once(&server, "the first is under way", |metrics| {
        let labels = [("statement", statement)];
        metrics.sum("jeday_batch_waiters", &labels) == 1.0 && metrics.sum("jeday_batch_queue_items", &labels) == 0.0
    });
    let mut clients: Vec<Client> = usernames.iter().enumerate().map(|(number, name)| send(number, name)).collect();
    Metrics::once(&server, "all are queued", |metrics| {
        metrics.sum("jeday_batch_queue_items", &[("statement", statement)]) == usernames.len() as f64
    });
    session.release();
    assert_eq!(first.reply().status, 201);
    let told = clients.iter_mut().map(|client| {
        let reply = client.reply();
        let code = if reply.status == 201 { String::new() } else { reply.code() };
        (reply.status, code)
    });
    let told = told.collect();
    let again = server.connect().register("afterwards@example.com");
    assert_eq!(again.status, 201, "{again:?}");
    server.stop();
    (deployment, told)
}

#[test]
fn poison_fails_alone() {
    let _turn = turn();
    for key in [false, true] {
        let mut usernames = ["Ada"; 50];
        for poisoned in [0, 20, 21, 49] {
            usernames[poisoned] = "poison";
        }
        let (deployment, told) = in_one_batch(&usernames, key);
        for (username, told) in usernames.iter().zip(told) {
            match *username {
                "poison" => assert_eq!(told, (500, "not_storable".to_owned())),
                _ => assert_eq!(told, (201, String::new())),
            }
        }
        assert_eq!(deployment.sql("SELECT count(*) FROM users"), "48");
    }
}
