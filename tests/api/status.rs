//! `jeday status`: what a running server does, on a terminal.

use crate::support::{
    metrics::Metrics,
    postgres::{Spec, TestCluster},
    server::{CHEAP, Deployment, PATIENCE, STAYS_WEAK, jeday},
};
use std::{net::TcpListener, process::Output, time::Instant};

fn status(address: &str) -> Output {
    jeday(["status"]).env("METRICS_ADDRESS", address).output().unwrap()
}

#[test]
fn status_shows_requests_backlog_hashes_and_every_worker() {
    let deployment = Deployment::new();
    let first = deployment.serve_with(&[CHEAP, &[STAYS_WEAK]].concat());
    first.connect().register_many(3);
    // Too young to be claimed while this test runs: it stays in the queue.
    let server = deployment.serve_with(CHEAP);
    let metrics =
        Metrics::once(&server, "it has looked at the queue", |metrics| metrics.sum("jeday_weak_passwords", &[]) == 3.0);
    let output = status(&server.operator_address().to_string());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{text}");
    let line = |name: &str| {
        text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}")).to_owned()
    };
    assert!(line("version").contains(env!("CARGO_PKG_VERSION")), "{text}");
    assert!(line("requests").contains("/s over "), "{text}");
    assert!(line("memory").ends_with(" MiB"), "{text}");
    assert!(line("weak").contains("3, the oldest "), "{text}");
    assert!(line("hashes").ends_with("/s"), "{text}");
    assert!(line("queue").contains(" in the foreground"), "{text}");
    let workers = metrics.count("jeday_password_busy_seconds_total", &[]);
    assert_eq!(text.lines().filter(|line| line.contains(" % busy")).count(), workers, "{text}");
}

#[test]
fn status_of_no_server_is_a_sentence_and_a_failure() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let deployment = Deployment::new();
    let server = deployment.serve();
    // Nobody, and one who serves something else.
    for address in [address, server.address().to_string()] {
        let output = status(&address);
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{words}");
        assert!(words.contains(&format!("no server answers at http://{address}/metrics: ")), "{words}");
        assert!(words.contains("METRICS_ADDRESS"), "{words}");
    }
    let off = status("off");
    assert_eq!(off.status.code(), Some(1));
    assert!(String::from_utf8(off.stderr).unwrap().contains("metrics are off"));
}

#[test]
fn a_health_check_succeeds_while_the_server_is_ready_and_only_then() {
    let cluster = TestCluster::start(&Spec::default());
    let deployment = Deployment::on(&cluster);
    let server = deployment.serve_with(CHEAP);
    let address = server.operator_address().to_string();
    let health = || jeday(["status", "--health"]).env("METRICS_ADDRESS", &address).output().unwrap();
    let ready = health();
    let told = String::from_utf8(ready.stdout).unwrap();
    assert!(ready.status.success() && told.contains("\"status\":\"ok\"") && told.lines().count() == 1, "{told}");
    cluster.stop("immediate");
    let until = Instant::now() + PATIENCE;
    let refused = loop {
        let output = health();
        if !output.status.success() {
            break output;
        }
        assert!(Instant::now() < until, "still ready without a database");
    };
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains("the server is not ready (503): {\"status\":"), "{words}");
    drop(server);
    let gone = String::from_utf8(health().stderr).unwrap();
    assert!(gone.contains("no server answers at") && gone.contains("/health/ready: "), "{gone}");
}
