//! One email address, one user: also when equal ones race in a batch, over shards and over servers.

use crate::support::{
    client::{Client, registration, user},
    metrics::Metrics,
    postgres::TestCluster,
    server::{Deployment, STAYS_WEAK, Server},
    session::Session,
};
use std::net::SocketAddr;

/// Pairs of equal addresses that race; `JEDAY_TEST_ROUNDS` asks for more.
fn rounds() -> usize {
    std::env::var("JEDAY_TEST_ROUNDS").map_or(100, |text| text.parse().unwrap())
}

#[test]
fn taken_email_is_answered_with_409() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[STAYS_WEAK]);
    let mut client = server.connect();
    assert_eq!(client.register("ada@example.com").status, 201);
    let reply = client.register("ada@example.com");
    assert_eq!(reply.problem(), (409, "email_taken".to_owned()));
    assert!(reply.keeps_alive());
    assert!(!reply.text().contains("example.com"), "repeats nothing: {}", reply.text());
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "1");
    assert_eq!(deployment.sql("SELECT count(*) FROM password_upgrade_queue"), "1");
}

#[test]
fn spellings_of_one_mailbox_are_one_email() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    for (first, others) in [
        ("Bob@Example.com", ["bob@example.com", "BOB@EXAMPLE.COM", "bob@eXample.com"]),
        ("ida@bücher.example", ["ida@xn--bcher-kva.example", "IDA@BÜCHER.example", "ida@bu\u{308}cher.example"]),
        ("jörg@example.com", ["jo\u{308}rg@example.com", "JÖRG@example.com", "jörg@EXAMPLE.com"]),
    ] {
        assert_eq!(client.register(first).status, 201, "{first}");
        for other in others {
            assert_eq!(client.register(other).problem(), (409, "email_taken".to_owned()), "{other}");
        }
    }
    assert_eq!(
        deployment.sql("SELECT string_agg(email, ' ' ORDER BY email) FROM users"),
        "bob@example.com ida@xn--bcher-kva.example jörg@example.com"
    );
}

#[test]
fn duplicate_email_spares_its_batch() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[
        "cores.request_shards=1",
        "database.write_connections=1",
        "database.deadline=60s",
        STAYS_WEAK,
    ]);
    assert_eq!(server.connect().register("old@example.com").status, 201);
    let mut session = Session::open(TestCluster::shared(), deployment.database());
    session.hold_registrations();

    // The first batch has one item and waits for the table; all others gather behind it and become one batch.
    let mut first = server.connect();
    first.send(registration(&[], &user("first@example.com")));
    Metrics::await_sent(&server, 1);
    let emails: Vec<String> = (0..90)
        .map(|number| match number % 3 {
            0 => format!("user{number}@example.com"),
            1 => "twin@example.com".to_owned(),
            _ => "old@example.com".to_owned(),
        })
        .collect();
    let mut clients = send_each(server.address(), &emails);
    Metrics::await_queue(&server, 90);
    session.release();

    assert_eq!(first.reply().status, 201);
    let statuses: Vec<u16> = clients.iter_mut().map(|client| client.reply().status).collect();
    let of = |email: fn(&str) -> bool| -> Vec<u16> {
        emails.iter().zip(&statuses).filter(|(own, _)| email(own)).map(|(_, status)| *status).collect()
    };
    assert_eq!(of(|email| email.starts_with("user")), [201; 30]);
    assert_eq!(of(|email| email.starts_with("old")), [409; 30]);
    let mut twins = of(|email| email.starts_with("twin"));
    twins.sort_unstable();
    assert_eq!((twins[0], &twins[1..]), (201, &[409; 29][..]));

    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "33");
    assert_eq!(deployment.sql("SELECT count(*) FROM password_upgrade_queue"), "33");
    let metrics = Metrics::of(&server);
    let register = [("statement", "register")];
    assert_eq!(metrics.sum("jeday_batch_size_items_count", &register), 3.0, "all ninety were one batch");
    assert_eq!(metrics.sum("jeday_batch_size_items_sum", &register), 92.0);
}

#[test]
fn equal_emails_on_two_shards_make_one_user_each() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let (mut one, mut other) = clients_of_two_shards(&server);
    race(&mut one, &mut other);
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), rounds().to_string());
}

#[test]
fn equal_emails_on_two_servers_make_one_user_each() {
    let deployment = Deployment::new();
    let (one, other) = (deployment.serve(), deployment.serve());
    race(&mut one.connect(), &mut other.connect());
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), rounds().to_string());
}

#[test]
fn crossing_batches_on_two_servers_do_not_lock_each_other_up() {
    let deployment = Deployment::new();
    let (one, other) = (deployment.serve(), deployment.serve());
    let emails: Vec<String> = (0..64).map(|number| format!("user{number}@example.com")).collect();
    let mut backwards = emails.clone();
    backwards.reverse();
    let mut clients = send_each(one.address(), &emails);
    clients.extend(send_each(other.address(), &backwards));
    let mut statuses: Vec<u16> = clients.iter_mut().map(|client| client.reply().status).collect();
    statuses.sort_unstable();
    assert_eq!((&statuses[..64], &statuses[64..]), (&[201; 64][..], &[409; 64][..]));
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "64");
}

fn send_each(address: SocketAddr, emails: &[String]) -> Vec<Client> {
    let send = |email: &String| {
        let mut client = Client::connect(address);
        client.send(registration(&[], &user(email)));
        client
    };
    emails.iter().map(send).collect()
}

/// Sends each address over both connections at once: exactly one may create the user.
fn race(one: &mut Client, other: &mut Client) {
    for round in 0..rounds() {
        let bytes = registration(&[], &user(&format!("user{round}@example.com")));
        one.send(&bytes);
        other.send(&bytes);
        let statuses = [one.reply().status, other.reply().status];
        assert!(matches!(statuses, [201, 409] | [409, 201]), "round {round}: {statuses:?}");
    }
}

/// The kernel chooses the shard of a connection: tries until there is one on each, where there are two.
fn clients_of_two_shards(server: &Server) -> (Client, Client) {
    let accepted = || {
        let metrics = Metrics::of(server);
        let shards = metrics.count("jeday_connections_open", &[]);
        let count = |shard: usize| metrics.sum("jeday_connections_accepted_total", &[("shard", &shard.to_string())]);
        // The operator's connections are all on the first shard.
        (1..shards).map(count).collect::<Vec<f64>>()
    };
    if accepted().is_empty() {
        return (server.connect(), server.connect());
    }
    let mut found = (None, None);
    while found.0.is_none() || found.1.is_none() {
        let before = accepted();
        let mut client = server.connect();
        assert_eq!(client.get("/health/live").status, 200);
        let slot = if accepted() == before { &mut found.0 } else { &mut found.1 };
        *slot = Some(client);
    }
    (found.0.unwrap(), found.1.unwrap())
}
