//! `Idempotency-Key`: the same request again gets the same answer again, whatever happened in between.

use crate::support::{
    client::{Client, Reply, registration, user},
    metrics::Metrics,
    postgres::TestCluster,
    server::{Deployment, STAYS_WEAK},
    session::Session,
};

fn keyed(client: &mut Client, key: &str, body: &str) -> Reply {
    client.post_with(&[("Idempotency-Key", key)], body)
}

#[test]
fn same_key_and_request_give_the_first_answer_again() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[STAYS_WEAK]);
    let mut client = server.connect();
    let body = user("ada@example.com");
    let first = keyed(&mut client, "one", &body);
    assert_eq!(first.status, 201, "{first:?}");
    for _ in 0..3 {
        let again = keyed(&mut client, "one", &body);
        assert_eq!((again.status, again.body), (201, first.body.clone()));
    }
    // What counts is what the request means, not how it was written.
    let other_spelling = r#"{ "password": "correct horse", "email": "ADA@EXAMPLE.com", "username": "\u0041da" }"#;
    assert_eq!(keyed(&mut client, "one", other_spelling).body, first.body);
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "1");
    assert_eq!(deployment.sql("SELECT count(*) FROM password_upgrade_queue"), "1");

    // Another node, and this one after a restart, say the same.
    let other = deployment.serve();
    assert_eq!(keyed(&mut other.connect(), "one", &body).body, first.body);
    drop(client);
    server.stop();
    let server = deployment.serve();
    assert_eq!(keyed(&mut server.connect(), "one", &body).body, first.body);
}

#[test]
fn answer_stays_the_same_when_the_user_has_changed() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let body = user("ada@example.com");
    let first = keyed(&mut client, "one", &body);
    deployment.sql("UPDATE users SET status = 1, password_hash = '$argon2id$v=19$other'");
    assert_eq!(keyed(&mut client, "one", &body).body, first.body);
}

#[test]
fn key_of_another_request_is_refused() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let body = user("ada@example.com");
    assert_eq!(keyed(&mut client, "one", &body).status, 201);
    for other in
        [user("eve@example.com"), body.replace("correct horse", "correct mouse"), body.replace("\"Ada\"", "\"Eve\"")]
    {
        let reply = keyed(&mut client, "one", &other);
        assert_eq!(reply.problem(), (422, "idempotency_key_reused".to_owned()), "{other}");
        assert!(reply.keeps_alive());
    }
    assert_eq!(deployment.sql("SELECT email FROM users"), "ada@example.com");
    assert_eq!(keyed(&mut client, "two", &user("eve@example.com")).status, 201, "another key is free");
}

#[test]
fn fields_are_judged_before_the_key_is_used_up() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let bad = user("ada.example.com");
    assert_eq!(keyed(&mut client, "one", &bad).problem(), (422, "invalid_fields".to_owned()));
    assert_eq!(keyed(&mut client, "one", "{").problem(), (400, "json_invalid".to_owned()));
    assert_eq!(deployment.sql("SELECT count(*) FROM idempotency_keys"), "0");
    assert_eq!(keyed(&mut client, "one", &user("ada@example.com")).status, 201);
}

#[test]
fn taken_email_is_answered_again_as_taken() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let body = user("ada@example.com");
    assert_eq!(client.post(&body).status, 201);
    let taken = (409, "email_taken".to_owned());
    assert_eq!(keyed(&mut client, "late", &body).problem(), taken);
    // Free by now; the answer was given and stays.
    deployment.sql("DELETE FROM password_upgrade_queue; DELETE FROM users");
    assert_eq!(keyed(&mut client, "late", &body).problem(), taken);
    assert_eq!(keyed(&mut client, "later", &body).status, 201);
    assert_eq!(client.post(&body).problem(), taken, "without a key there is nothing to repeat");
    assert_eq!(keyed(&mut client, "last", &body).problem(), taken);
}

#[test]
fn parallel_requests_with_one_key_make_one_user_and_one_answer() {
    let deployment = Deployment::new();
    let (one, other) = (deployment.serve(), deployment.serve());
    for round in 0..20 {
        let body = user(&format!("user{round}@example.com"));
        let sent = registration(&[("Idempotency-Key", &format!("key {round}"))], &body);
        let mut clients: Vec<Client> =
            (0..10).map(|n| if n % 2 == 0 { one.connect() } else { other.connect() }).collect();
        clients.iter_mut().for_each(|client| client.send(&sent));
        let replies: Vec<Reply> = clients.iter_mut().map(Client::reply).collect();
        assert!(replies.iter().all(|reply| reply.status == 201 && reply.body == replies[0].body), "{replies:?}");
    }
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "20");
}

#[test]
fn one_key_twice_in_a_batch_makes_one_user() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[
        "cores.request_shards=1",
        "database.write_connections=1",
        "database.deadline=60s",
        STAYS_WEAK,
    ]);
    let mut session = Session::open(TestCluster::shared(), deployment.database());
    session.hold_registrations();
    let mut first = server.connect();
    first.send(registration(&[], &user("first@example.com")));
    Metrics::await_sent(&server, 1);
    // Behind the first: one key with one body, the same key with another, and the same email under other keys.
    let mut clients: Vec<Client> = [("k", "a"), ("k", "a"), ("k", "b"), ("l", "a"), ("m", "c")]
        .into_iter()
        .map(|(key, name)| {
            let mut client = server.connect();
            client.send(registration(&[("Idempotency-Key", key)], &user(&format!("{name}@example.com"))));
            client
        })
        .collect();
    let once = [("statement", "register_once")];
    let queued = |metrics: &Metrics| metrics.sum("jeday_batch_queue_items", &once);
    Metrics::once(&server, "all are queued", |metrics| queued(metrics) == 5.0);
    session.release();
    assert_eq!(first.reply().status, 201);
    let replies: Vec<Reply> = clients.iter_mut().map(Client::reply).collect();
    let batches = Metrics::of(&server).sum("jeday_batch_size_items_count", &once);
    assert_eq!(batches, 1.0, "they were one batch");
    let users: usize = deployment.sql("SELECT count(*) FROM users").parse().unwrap();
    let created: std::collections::BTreeSet<_> =
        replies.iter().filter(|reply| reply.status == 201).map(|reply| reply.body.clone()).collect();
    assert_eq!(users, 1 + created.len(), "each answer has its user: {replies:?}");
    assert_eq!(replies[4].status, 201, "who shares nothing is unharmed");
    // The two equal requests have one outcome, and everybody gets the same answer when asking again.
    assert_eq!((replies[0].status, &replies[0].body), (replies[1].status, &replies[1].body));
    for (reply, (key, name)) in replies.iter().zip([("k", "a"), ("k", "a"), ("k", "b"), ("l", "a"), ("m", "c")]) {
        let again = keyed(&mut server.connect(), key, &user(&format!("{name}@example.com")));
        assert_eq!((again.status, &again.body), (reply.status, &reply.body), "{key} {name}");
    }
}

#[test]
fn keyed_and_unkeyed_requests_for_one_email_make_one_user() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let (mut with, mut without) = (server.connect(), server.connect());
    for round in 0..100 {
        let body = user(&format!("user{round}@example.com"));
        with.send(registration(&[("Idempotency-Key", &format!("key-{round}"))], &body));
        without.send(registration(&[], &body));
        let statuses = [with.reply().status, without.reply().status];
        assert!(matches!(statuses, [201, 409] | [409, 201]), "{statuses:?}");
    }
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "100");
}

#[test]
fn malformed_key_is_refused() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let body = user("ada@example.com");
    let (longest, longer) = ("x".repeat(255), "x".repeat(256));
    for key in ["", "kéy", "\u{1f511}", "tab\there", &longer] {
        let reply = keyed(&mut client, key, &body);
        assert_eq!(reply.problem(), (400, "idempotency_key_malformed".to_owned()), "{key:?}");
        assert!(reply.keeps_alive());
    }
    let reply = client.post_with(&[("Idempotency-Key", "one"), ("idempotency-key", "two")], &body);
    assert_eq!(reply.problem(), (400, "request_malformed".to_owned()), "which of two?");
    let mut client = server.connect();
    assert_eq!(keyed(&mut client, &longest, &body).status, 201);
    assert_eq!(keyed(&mut client, "\"quoted, with ;=?\"", &user("eve@example.com")).status, 201);
}

#[test]
fn neither_key_nor_password_is_stored_as_it_was_sent() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    assert_eq!(keyed(&mut server.connect(), "a-telling-key", &user("ada@example.com")).status, 201);
    let rows =
        deployment.sql("SELECT encode(key_hash, 'escape') || encode(fingerprint, 'escape') FROM idempotency_keys");
    assert!(!rows.contains("telling") && !rows.contains("horse"), "{rows}");
    // An unkeyed hash could be tried for common passwords by whoever has the table alone.
    let plain = deployment.sql(
        "SELECT count(*) FROM idempotency_keys WHERE fingerprint IN (sha256('correct horse'), \
         sha256('ada@example.comAdacorrect horse'))",
    );
    assert_eq!(plain, "0");
}
