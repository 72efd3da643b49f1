//! Nothing is unbounded: more connections or more waiting requests than allowed are answered with 503 at once.

use crate::support::{
    client::{Client, registration, request, user},
    metrics::Metrics,
    postgres::TestCluster,
    server::Deployment,
    session::Session,
};
use rustix::process::Signal;
use serde_json::json;
use std::io::Read;

#[test]
fn connection_over_the_bound_is_told_to_try_again() {
    let deployment = Deployment::new();
    // The operator's connections count too, so that they are left out here until the end.
    let server = deployment.serve_with(&["cores.request_shards=1", "server.connections_max=3"]);
    let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/health/live").status, 200);
    }
    for _ in 0..5 {
        let mut refused = server.connect();
        let reply = refused.reply();
        assert_eq!(reply.problem(), (503, "too_many_connections".to_owned()));
        assert_eq!(reply.field("Retry-After"), Some("1"));
        assert!(!reply.keeps_alive());
        refused.expect_end();
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.register(&format!("user{number}@example.com")).status, 201, "those inside are served");
    }
    // A place that becomes free is given to the next. The server learns of the end in its own time.
    clients.truncate(1);
    let metrics = loop {
        let mut operator = server.connect_operator();
        operator.send("GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        if operator.reply().status == 200 {
            break Metrics::once(&server, "one is left", |metrics| metrics.sum("jeday_connections_open", &[]) == 2.0);
        }
    };
    assert!(metrics.sum("jeday_connections_refused_total", &[]) >= 5.0);
    assert_eq!(server.connect().register("late@example.com").status, 201);
}

#[test]
fn reply_to_one_too_many_is_not_lost_by_what_he_has_sent() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["cores.request_shards=1", "server.connections_max=1"]);
    let mut inside = server.connect();
    assert_eq!(inside.get("/health/live").status, 200);
    // Stopped, it finds both at once: the connection and the request.
    server.signal(Signal::STOP);
    let mut refused = server.connect();
    refused.send(registration(&[], &user("early@example.com")));
    server.signal(Signal::CONT);
    assert_eq!(refused.reply().problem(), (503, "too_many_connections".to_owned()));
    assert_eq!(refused.stream().read(&mut [0]).expect("closed, not reset"), 0);
}

#[test]
fn full_queue_is_answered_with_503() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[
        "cores.request_shards=1",
        "database.write_connections=1",
        "database.deadline=60s",
        "registration.batch_size=4",
        "registration.queue_max=4",
    ]);
    let mut session = Session::open(TestCluster::shared(), deployment.database());
    session.hold_registrations();
    let send = |number: usize| {
        let mut client = server.connect();
        client.send(registration(&[], &user(&format!("user{number}@example.com"))));
        client
    };
    let mut under_way = send(0);
    Metrics::await_sent(&server, 1);
    let mut waiting: Vec<Client> = (1..=4).map(send).collect();
    Metrics::await_queue(&server, 4);

    let mut refused = send(5);
    let reply = refused.reply();
    assert_eq!(reply.problem(), (503, "overloaded".to_owned()));
    assert_eq!(reply.field("Retry-After"), Some("1"));
    assert!(reply.keeps_alive());
    assert_eq!(refused.get("/health/ready").status, 200, "what needs no queue is served");

    session.release();
    assert_eq!(under_way.reply().status, 201);
    assert!(waiting.iter_mut().all(|client| client.reply().status == 201));
    assert_eq!(deployment.sql("SELECT count(*) FROM users WHERE email = 'user5@example.com'"), "0");
    assert_eq!(refused.register("user5@example.com").status, 201, "trying again works");
}

#[test]
fn full_password_queue_is_answered_before_the_database_is_asked() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[
        "cores.request_shards=1",
        "cores.password_cores=1",
        "hardening.passes=64",
        "hardening.queue_max=1",
        "hardening.login_deadline=60s",
    ]);
    let login = |number: usize| {
        let body = json!({ "email": format!("user{number}@example.com"), "password": "guess" }).to_string();
        let mut client = server.connect();
        client.send(request("POST", "/auth/login", &[("Content-Type", "application/json")], body.as_bytes()));
        client
    };
    let looked_up = |metrics: &Metrics| metrics.sum("jeday_batch_size_items_sum", &[("statement", "find_credentials")]);
    let waiting = |metrics: &Metrics| metrics.sum("jeday_password_jobs_waiting", &[("queue", "foreground")]);
    let mut under_way = login(0);
    Metrics::once(&server, "one is hashed", |metrics| looked_up(metrics) == 1.0 && waiting(metrics) == 0.0);
    // Until a core has taken the first, there is no room for the second.
    let mut refused = 0.0;
    let mut waits = loop {
        let client = login(1);
        let refusals = |metrics: &Metrics| metrics.requests("/auth/login", 503);
        let metrics = Metrics::once(&server, "one waits, or was refused", |metrics| {
            looked_up(metrics) == 2.0 && waiting(metrics) == 1.0 || refusals(metrics) > refused
        });
        if refusals(&metrics) == refused {
            break client;
        }
        refused = refusals(&metrics);
    };
    for number in 2..6 {
        let reply = login(number).reply();
        assert_eq!(reply.problem(), (503, "overloaded".to_owned()));
        assert!(reply.field("Retry-After").is_some());
    }
    assert_eq!(looked_up(&Metrics::of(&server)), 2.0);
    assert_eq!([under_way.reply().status, waits.reply().status], [401, 401]);
}

#[test]
fn what_waits_too_long_for_the_database_is_answered_with_503() {
    let deployment = Deployment::new();
    let server =
        deployment.serve_with(&["cores.request_shards=1", "database.write_connections=1", "database.deadline=500ms"]);
    let mut session = Session::open(TestCluster::shared(), deployment.database());
    session.hold_registrations();
    let mut under_way = server.connect();
    under_way.send(registration(&[], &user("sent@example.com")));
    Metrics::await_sent(&server, 1);
    let mut waiting = server.connect();
    waiting.send(registration(&[], &user("waits@example.com")));
    for client in [&mut under_way, &mut waiting] {
        let reply = client.reply();
        let (status, code) = reply.problem();
        assert!(status == 503 && ["outcome_unknown", "database_unavailable"].contains(&code.as_str()), "{reply:?}");
        assert_eq!(reply.field("Retry-After"), Some("1"));
    }
    session.release();
    // Neither answer was a false one: trying again is safe and works in the end.
    for (client, email) in [(&mut under_way, "sent@example.com"), (&mut waiting, "waits@example.com")] {
        let reply = client.register(email);
        let stored = deployment.sql(&format!("SELECT count(*) FROM users WHERE email = '{email}'"));
        assert!(matches!(reply.status, 201 | 409) && stored == "1", "{reply:?}");
    }
}
