//! The names that the Go version read from the environment go on working.

use crate::support::{
    client::{Client, registration, user},
    metrics::Metrics,
    server::{Deployment, Server, jeday},
};
use serde_json::Value;

const KEY: &str = "12345678901234567890123456789012";

#[test]
fn every_old_name_sets_what_it_used_to() {
    let variables = [
        ("DB_URL", "postgres://jeday:hunter2@db.example.com:5432/auth?sslmode=disable"),
        ("SERVER_ADDRESS", "0.0.0.0:8080"),
        ("TOKEN_SYMMETRIC_KEY", KEY),
        ("ACCESS_TOKEN_DURATION", "15m"),
        ("REGISTRATION_BATCH_SIZE", "100"),
        ("REGISTRATION_BATCH_WAIT", "10ms"),
        ("WORKER_INTERVAL", "5s"),
        ("WORKER_UPGRADE_LIMIT", "50"),
        ("LOG_LEVEL", "warn"),
    ];
    let output = jeday(["config", "--json"]).envs(variables).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("hunter2") && !text.contains(KEY), "{text}");
    let shown: Value = serde_json::from_str(&text).unwrap();
    for (section, name, variable) in [
        ("database", "url", "DB_URL"),
        ("server", "address", "SERVER_ADDRESS"),
        ("tokens", "symmetric_key", "TOKEN_SYMMETRIC_KEY"),
        ("tokens", "access_duration", "ACCESS_TOKEN_DURATION"),
        ("registration", "batch_size", "REGISTRATION_BATCH_SIZE"),
        ("registration", "batch_wait", "REGISTRATION_BATCH_WAIT"),
        ("hardening", "worker_interval", "WORKER_INTERVAL"),
        ("hardening", "claim_size", "WORKER_UPGRADE_LIMIT"),
        ("log", "level", "LOG_LEVEL"),
    ] {
        assert_eq!(shown[section][name]["source"], variable, "{text}");
    }
    assert_eq!(shown["registration"]["batch_size"]["value"], 100);
    assert_eq!(shown["registration"]["batch_wait"]["value"], "10ms");
    assert_eq!(shown["server"]["address"]["value"], "0.0.0.0:8080");
}

#[test]
fn server_runs_with_the_old_names_alone() {
    let deployment = Deployment::new();
    let mut command = deployment.jeday(["serve"]);
    command.env("TOKEN_SYMMETRIC_KEY", KEY).env("ACCESS_TOKEN_DURATION", "15m").env("WORKER_INTERVAL", "5s");
    command.env("WORKER_UPGRADE_LIMIT", "50").env("REGISTRATION_BATCH_SIZE", "1").env("LOG_LEVEL", "info");
    let server = Server::start(&mut command);
    let mut clients: Vec<Client> = (0..30).map(|_| server.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(registration(&[], &user(&format!("user{number}@example.com"))));
    }
    assert!(clients.iter_mut().all(|client| client.reply().status == 201));
    let metrics = Metrics::of(&server);
    assert_eq!(metrics.sum("jeday_batch_size_items_count", &[("statement", "register")]), 30.0, "one in each batch");
    assert!(!server.stop().contains(KEY));
}

#[test]
fn batch_wait_lets_batches_grow() {
    let deployment = Deployment::new();
    let mut command = deployment.jeday(["serve", "--set", "cores.request_shards=1"]);
    let server = Server::start(command.env("REGISTRATION_BATCH_SIZE", "8").env("REGISTRATION_BATCH_WAIT", "1s"));
    let mut clients: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(registration(&[], &user(&format!("user{number}@example.com"))));
    }
    assert!(clients.iter_mut().all(|client| client.reply().status == 201));
    let metrics = Metrics::of(&server);
    let register = [("statement", "register")];
    assert_eq!(metrics.sum("jeday_batch_size_items_sum", &register), 8.0);
    // One batch, unless this machine took a second to send eight requests.
    assert!(metrics.sum("jeday_batch_size_items_count", &register) < 8.0);
}

#[test]
fn empty_variables_count_as_absent() {
    let deployment = Deployment::new();
    let mut command = deployment.jeday(["serve"]);
    let server = Server::start(command.env("REGISTRATION_BATCH_SIZE", "").env("LOG_LEVEL", ""));
    assert_eq!(server.connect().register("ada@example.com").status, 201);
}
