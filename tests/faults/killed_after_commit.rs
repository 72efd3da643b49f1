//! The server dies after the database has committed and before its client is told: whoever asks again with the same
//! `Idempotency-Key` gets the first answer, whoever asks without one learns that the address is taken.

use crate::{
    fail_points::FailPoints,
    support::{
        client::{registration, user},
        server::Deployment,
    },
};

fn dies_on(deployment: &Deployment<'_>, points: &FailPoints, fields: &[(&str, &str)], email: &str) {
    let mut server = points.serve(deployment, &[]);
    points.arm("committed", "die");
    let mut client = server.connect();
    client.send(registration(fields, &user(email)));
    assert!(client.rest().is_empty(), "nobody is told");
    assert!(!server.wait().success());
}

#[test]
fn retry_with_its_key_gets_the_answer_that_was_lost() {
    let (deployment, points) = (Deployment::new(), FailPoints::new());
    let key = [("Idempotency-Key", "one of a kind")];
    dies_on(&deployment, &points, &key, "ada@example.com");
    let server = deployment.serve();
    let reply = server.connect().post_with(&key, &user("ada@example.com"));
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.json()["id"], deployment.sql("SELECT id FROM users"));
    assert_eq!(server.connect().login("ada@example.com").status, 200);
    server.stop();
}

#[test]
fn retry_without_a_key_learns_that_the_address_is_taken() {
    let (deployment, points) = (Deployment::new(), FailPoints::new());
    dies_on(&deployment, &points, &[], "ada@example.com");
    let server = deployment.serve();
    let reply = server.connect().register("ada@example.com");
    assert_eq!(reply.problem(), (409, "email_taken".to_owned()));
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "1");
    server.stop();
}
