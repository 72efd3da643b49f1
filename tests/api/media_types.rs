//! Only JSON in UTF-8, without a content coding, is taken as a body.

use crate::support::{client::user, server::Deployment};

#[test]
fn other_media_types_are_refused() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    let body = user("ada@example.com");
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=iso-8859-1",
        "application",
        "*/*",
        "",
    ] {
        let reply = client.request("POST", "/auth/register", &[("Content-Type", media_type)], body.as_bytes());
        assert_eq!(reply.problem(), (415, "media_type_unsupported".to_owned()), "{media_type:?}");
        assert!(reply.keeps_alive());
    }
    let reply = client.request("POST", "/auth/register", &[], body.as_bytes());
    assert_eq!(reply.problem(), (415, "media_type_unsupported".to_owned()), "none");
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "0");
}

#[test]
fn json_is_taken_in_every_spelling() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    for (number, media_type) in [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=UTF-8",
        "application/json; charset=\"utf-8\"",
    ]
    .into_iter()
    .enumerate()
    {
        let body = user(&format!("user{number}@example.com"));
        let reply = client.request("POST", "/auth/register", &[("content-TYPE", media_type)], body.as_bytes());
        assert_eq!(reply.status, 201, "{media_type:?}: {reply:?}");
    }
}

#[test]
fn content_codings_are_refused_but_identity() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut client = server.connect();
    for coding in ["gzip", "br", "identity, gzip"] {
        let reply = client.post_with(&[("Content-Encoding", coding)], &user("ada@example.com"));
        assert_eq!(reply.problem(), (415, "content_coding_unsupported".to_owned()), "{coding}");
    }
    assert_eq!(client.post_with(&[("Content-Encoding", "identity")], &user("ada@example.com")).status, 201);
}
