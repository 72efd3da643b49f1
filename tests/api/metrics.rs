//! The metrics page: well-formed, merged over shards, on an address of its own, and in agreement with what was sent.

use crate::support::{
    client::{Client, request, user},
    metrics::Metrics,
    server::Deployment,
};

#[test]
fn counts_agree_with_what_was_sent_over_all_shards() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut clients: Vec<Client> = (0..16).map(|_| server.connect()).collect();
    let mut sent_bytes = 0;
    for (number, client) in clients.iter_mut().enumerate() {
        for attempt in 0..3 {
            let bytes = request(
                "POST",
                "/auth/register",
                &[("Content-Type", "application/json")],
                user(&format!("user{number}-{}@example.com", attempt / 2)).as_bytes(),
            );
            sent_bytes += bytes.len();
            client.send(bytes);
            assert_eq!(client.reply().status, if attempt == 1 { 409 } else { 201 });
        }
        assert_eq!(client.post("{}").status, 422);
        assert_eq!(client.get("/health/live").status, 200);
        assert_eq!(client.get("/nowhere").status, 404);
    }
    let mut keyed = server.connect();
    for _ in 0..2 {
        assert_eq!(keyed.post_with(&[("Idempotency-Key", "k")], &user("keyed@example.com")).status, 201);
    }
    let mut malformed = server.connect();
    malformed.send("nonsense\r\n\r\n");
    assert_eq!(malformed.reply().status, 400);
    malformed.expect_end();

    // The last replies may be counted a moment after they were read.
    let metrics = Metrics::once(&server, "all are counted", |metrics| {
        metrics.requests("unrouted", 400) == 1.0 && metrics.requests("/auth/register", 201) == 34.0
    });
    assert_eq!(metrics.requests("/auth/register", 409), 16.0);
    assert_eq!(metrics.requests("/auth/register", 422), 16.0);
    assert_eq!(metrics.requests("/health/live", 200), 16.0);
    assert_eq!(metrics.requests("unrouted", 404), 16.0);
    let register = [("route", "/auth/register")];
    assert_eq!(metrics.sum("jeday_http_request_duration_seconds_count", &register), 66.0);
    assert_eq!(metrics.sum("jeday_http_parse_errors_total", &[("kind", "head")]), 1.0);
    assert!(metrics.sum("jeday_http_received_bytes_total", &[]) > sent_bytes as f64);
    assert!(metrics.sum("jeday_http_sent_bytes_total", &[]) > 0.0);

    let items = |statement: &str, outcome: &str| {
        metrics.sum("jeday_batch_items_total", &[("statement", statement), ("outcome", outcome)])
    };
    assert_eq!([items("register", "created"), items("register", "email_taken")], [32.0, 16.0]);
    assert_eq!([items("register_once", "created"), items("register_once", "earlier")], [1.0, 1.0]);
    for statement in ["register", "register_once"] {
        let labels = [("statement", statement)];
        let batches = metrics.sum("jeday_batch_size_items_count", &labels);
        assert!(batches > 0.0 && batches == metrics.sum("jeday_batch_commit_seconds_count", &labels), "{statement}");
        assert_eq!(metrics.sum("jeday_batch_queue_items", &labels), 0.0, "{statement}");
        assert_eq!(metrics.sum("jeday_batch_waiters", &labels), 0.0, "{statement}");
    }
    assert_eq!(metrics.sum("jeday_batch_size_items_sum", &[("statement", "register")]), 48.0);

    let shards = metrics.count("jeday_shard_requests_total", &[]);
    assert_eq!(metrics.count("jeday_shard_cpu_seconds_total", &[]), shards);
    for group in ["write", "read"] {
        assert_eq!(metrics.sum("jeday_database_connections", &[("group", group)]), shards as f64, "{group}");
    }
    // Earlier scrapes are counted, and their connections gone, a moment after they were answered.
    Metrics::once(&server, "shards and routes agree", |metrics| {
        metrics.sum("jeday_shard_requests_total", &[]) == metrics.sum("jeday_http_requests_total", &[])
    });
    Metrics::once(&server, "sixteen, the keyed one and the operator's own are open", |metrics| {
        metrics.sum("jeday_connections_open", &[]) == 18.0
    });
}

#[test]
fn page_has_what_an_operator_needs() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let metrics = Metrics::of(&server);
    for (name, kind) in [
        ("jeday_build_info", "gauge"),
        ("jeday_http_requests_total", "counter"),
        ("jeday_http_request_duration_seconds", "histogram"),
        ("jeday_http_received_bytes_total", "counter"),
        ("jeday_http_sent_bytes_total", "counter"),
        ("jeday_batch_size_items", "histogram"),
        ("jeday_batch_wait_seconds", "histogram"),
        ("jeday_batch_commit_seconds", "histogram"),
        ("jeday_batch_queue_items", "gauge"),
        ("jeday_connections_open", "gauge"),
        ("jeday_database_reconnects_total", "counter"),
        ("jeday_shard_cpu_seconds_total", "counter"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_cpu_seconds_total", "counter"),
    ] {
        assert_eq!(metrics.types.get(name).map(String::as_str), Some(kind), "{name}");
    }
    assert_eq!(metrics.sum("jeday_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    assert!(metrics.sum("process_resident_memory_bytes", &[]) > 0.0);
}

#[test]
fn histograms_are_cumulative() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    for number in 0..10 {
        assert_eq!(server.connect().register(&format!("user{number}@example.com")).status, 201);
    }
    let metrics = Metrics::of(&server);
    let histograms = metrics.types.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name);
    for name in histograms {
        let mut series: std::collections::BTreeMap<String, Vec<(f64, f64)>> = Default::default();
        for (own, labels, value) in &metrics.samples {
            if *own == format!("{name}_bucket") {
                let mut labels = labels.clone();
                let bound = labels.remove("le").unwrap().parse().unwrap();
                series.entry(format!("{labels:?}")).or_default().push((bound, *value));
            }
        }
        for (labels, buckets) in series {
            assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name} {labels}: {buckets:?}");
            assert_eq!(buckets.last().unwrap().0, f64::INFINITY, "{name} {labels}");
        }
    }
}

#[test]
fn metrics_have_an_address_of_their_own() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    assert_eq!(server.connect().get("/metrics").status, 404);
    let mut operator = server.connect_operator();
    assert_eq!(operator.register("ada@example.com").status, 404);
    assert_eq!(operator.request("POST", "/metrics", &[], b"").field("Allow"), Some("GET, HEAD"));
    assert_eq!(operator.request("HEAD", "/metrics", &[], b"").status, 200);
    assert!(server.operator_address().ip().is_loopback());
}

#[test]
fn metrics_can_be_turned_off() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["metrics.address=off"]);
    assert_eq!(server.await_log("ready")["metrics"], "off");
    assert_eq!(server.connect().get("/metrics").status, 404);
}
