//! Traces: what a collector gets to see of requests, whose word counts, and that nothing depends on the collector.

use crate::support::{
    client::{Client, PASSWORD, Reply, registration, user},
    collector::{Answer, Collector, Span},
    metrics::Metrics,
    server::{CHEAP, Deployment, Server},
    tls::Authority,
};
use crate::tls;
use serde_json::json;
use std::{
    collections::BTreeMap,
    net::TcpListener,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const ALL: &str = "tracing.sample_ratio=1";
const NONE: &str = "tracing.sample_ratio=0";

/// Longer than a collector that hangs is waited for at the end, shorter than it is waited for otherwise.
const SOON: Duration = Duration::from_secs(9);

fn takes_all() -> Collector {
    Collector::start(|_| Answer::Status(200))
}

fn get(server: &Server, fields: &[(&str, &str)]) -> Reply {
    server.connect().request("GET", "/health/live", fields, b"")
}

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{CALLER}-{flags}")
}

fn attributes<const N: usize>(of: [(&str, &str); N]) -> BTreeMap<String, String> {
    of.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().try_into().unwrap()
}

/// Spans by their outcome, as the server counts them.
fn await_spans(server: &Server, name: &str, labels: &[(&str, &str)], spans: f64) {
    Metrics::once(server, &format!("{spans} {name} {labels:?}"), |metrics| metrics.sum(name, labels) == spans);
}

#[test]
fn sampled_request_arrives_as_spans_of_its_trace() {
    let collector = takes_all();
    let server = Deployment::new().serve_with(&[&collector.setting(), ALL, "tracing.service_name=auth"]);
    let before = unix_ns();
    let body = user("ada@example.com");
    let sent = registration(&[("traceparent", &traceparent("00")), ("tracestate", "vendor=1")], &body);
    let mut client = server.connect();
    client.send(sent);
    assert_eq!(client.reply().status, 201);
    let message = collector.await_message();
    let after = unix_ns();
    assert_eq!(message.path, "/v1/traces");
    let resource = [("service.name", "auth"), ("service.version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(message.resource, attributes(resource));
    let [request, statement] = &message.spans[..] else { panic!("{message:#?}") };
    assert_eq!((request.trace.as_str(), request.parent.as_str()), (TRACE, CALLER));
    assert_eq!((request.name.as_str(), request.kind, request.status), ("POST /auth/register", 2, 0));
    assert_eq!(request.flags, 0x301, "sampled, and its parent is known to be somebody else's");
    let facts = [
        ("http.request.method", "POST"),
        ("http.response.status_code", "201"),
        ("http.route", "/auth/register"),
        ("url.path", "/auth/register"),
        ("url.scheme", "http"),
    ];
    assert_eq!(request.attributes, attributes(facts), "and nothing of the client");
    assert_eq!((statement.trace.as_str(), &statement.parent), (TRACE, &request.id));
    assert_eq!((statement.name.as_str(), statement.kind), ("register", 3));
    let times = [before, request.start, statement.start, statement.end, request.end, after];
    assert!(times.is_sorted(), "{times:?}");
    await_spans(&server, "jeday_trace_spans_exported_total", &[], 2.0);
}

#[test]
fn login_tells_how_long_it_waited_for_whom() {
    let collector = takes_all();
    let setting = collector.setting();
    let server = Deployment::new().serve_with(&[&[&*setting, ALL], CHEAP].concat());
    let mut client = server.connect();
    client.new_session("ada@example.com");
    let mut spans: Vec<Span> = Vec::new();
    while !spans.iter().any(|span| span.name == "POST /auth/login") {
        spans.extend(collector.await_message().spans);
    }
    let request = spans.iter().find(|span| span.name == "POST /auth/login").unwrap();
    let parts: Vec<_> = spans.iter().filter(|span| span.parent == request.id).collect();
    let names: Vec<_> = parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["find_credentials", "check_password", "start_session"]);
    let waited: f64 = parts[1].attributes["jeday.queue.duration"].parse().unwrap();
    assert!(waited * 1e9 <= (parts[1].end - parts[1].start) as f64, "{parts:#?}");
    assert_eq!(request.parent, "");
    assert_eq!((request.trace.len(), request.id.len()), (32, 16));
}

#[test]
fn error_of_the_server_carries_its_code() {
    let collector = takes_all();
    let server = Deployment::new().serve_with(&[&collector.setting(), ALL]);
    assert_eq!(server.connect().request("BREW", "/secret/path?token=x", &[], b"").status, 501);
    let span = collector.await_span("HTTP");
    let facts = [
        ("error.type", "method_unknown"),
        ("http.request.method", "_OTHER"),
        ("http.response.status_code", "501"),
        ("url.scheme", "http"),
    ];
    assert_eq!(span.attributes, attributes(facts), "nothing of a path that leads nowhere");
    assert_eq!(span.status, 2);
}

#[test]
fn encrypted_request_is_told_as_one() {
    let (collector, authority) = (takes_all(), Authority::new());
    let server = tls::serve(&Deployment::new(), &authority, &[&collector.setting(), ALL]);
    assert_eq!(Client::connect_tls(server.address(), authority.trusted()).get("/health/live").status, 200);
    assert_eq!(collector.await_span("GET /health/live").attributes["url.scheme"], "https");
}

#[test]
fn caller_decides_where_he_is_trusted() {
    let collector = takes_all();
    let server = Deployment::new().serve_with(&[&collector.setting(), ALL, "server.trusted_proxies=127.0.0.1"]);
    get(&server, &[("traceparent", &traceparent("00"))]);
    get(&server, &[("traceparent", &traceparent("01"))]);
    server.stop();
    let spans = collector.rest();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert_eq!((spans[0].trace.as_str(), spans[0].parent.as_str()), (TRACE, CALLER));
}

#[test]
fn without_a_share_nothing_is_sent_whatever_strangers_ask_for() {
    let collector = takes_all();
    let server = Deployment::new().serve_with(&[&collector.setting(), NONE]);
    get(&server, &[("traceparent", &traceparent("01"))]);
    get(&server, &[]);
    server.stop();
    assert!(collector.rest().is_empty());
}

#[test]
fn names_of_opentelemetry_lead_to_the_collector() {
    let collector = takes_all();
    let deployment = Deployment::new();
    let mut command = deployment.jeday(["serve"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("http://{}/as/it/stands", collector.address()));
    command.env("OTEL_TRACES_SAMPLER_ARG", "1").env("OTEL_SERVICE_NAME", "named");
    let server = Server::start(&mut command);
    get(&server, &[]);
    let message = collector.await_message();
    assert_eq!((message.path.as_str(), message.resource["service.name"].as_str()), ("/as/it/stands", "named"));
}

#[test]
fn collector_that_cannot_take_them_now_is_asked_again() {
    let collector = Collector::start(|number| Answer::Status([503, 429, 200][number.min(2)]));
    let server = Deployment::new().serve_with(&[&collector.setting(), ALL]);
    get(&server, &[]);
    assert_eq!(collector.await_message().spans.len(), 1);
    await_spans(&server, "jeday_trace_spans_exported_total", &[], 1.0);
    assert_eq!(Metrics::of(&server).sum("jeday_trace_spans_dropped_total", &[]), 0.0);
}

#[test]
fn collector_that_will_not_take_them_is_not_asked_again() {
    let collector = Collector::start(|number| Answer::Status([400, 200][number.min(1)]));
    let server = Deployment::new().serve_with(&[&collector.setting(), ALL]);
    get(&server, &[]);
    await_spans(&server, "jeday_trace_spans_dropped_total", &[("reason", "refused")], 1.0);
    let complaint = server.await_log("the collector has not taken traces");
    assert_eq!(
        (&complaint["dropped"], &complaint["error"]),
        (&1.into(), &"it was answered with status 400 Bad Request".into())
    );
    get(&server, &[("traceparent", &traceparent("01"))]);
    let taken = collector.await_message();
    assert_eq!((taken.spans.len(), taken.spans[0].trace.as_str()), (1, TRACE), "{taken:#?}");
}

#[test]
fn what_a_collector_leaves_out_of_a_message_is_counted() {
    let collector = Collector::start(|_| Answer::LeavesOut(1));
    let server = Deployment::new().serve_with(&[&collector.setting(), ALL]);
    assert_eq!(server.connect().register("ada@example.com").status, 201);
    await_spans(&server, "jeday_trace_spans_dropped_total", &[("reason", "refused")], 1.0);
    await_spans(&server, "jeday_trace_spans_exported_total", &[], 1.0);
}

#[test]
fn server_goes_on_without_its_collector_and_ends_in_time() {
    // Bound and closed again: nobody listens there.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hangs = Collector::start(|_| Answer::Hang);
    for collector in [hangs.setting(), format!("tracing.collector=http://{nobody}")] {
        let server = Deployment::new().serve_with(&[&collector, ALL]);
        let mut client = server.connect();
        assert!((0..100).all(|_| client.get("/health/live").status == 200));
        let since = Instant::now();
        let log = server.stop();
        assert!(since.elapsed() < SOON, "{collector}: {:?}", since.elapsed());
        let lost = log.lines().find(|line| line.contains("has not taken the last traces")).expect(&log);
        assert!(lost.contains("\"spans\":"), "{collector}: {lost}");
    }
}

#[test]
fn log_of_a_failed_login_names_the_trace() {
    let server = Deployment::new().serve_with(CHEAP);
    let fields = [("Content-Type", "application/json"), ("traceparent", &traceparent("01"))];
    let body = json!({ "email": "ada@example.com", "password": PASSWORD }).to_string();
    assert_eq!(server.connect().request("POST", "/auth/login", &fields, body.as_bytes()).status, 401);
    let event = server.await_event("login_failed");
    assert_eq!((event["trace_id"].as_str(), event["span_id"].as_str()), (Some(TRACE), Some(CALLER)));
}

#[test]
fn log_names_no_trace_where_there_is_none_that_can_be_read() {
    let (good, malformed) = (traceparent("01"), traceparent("01").to_ascii_uppercase());
    let parents: [&[(&str, &str)]; 3] =
        [&[], &[("traceparent", &malformed)], &[("traceparent", &good), ("traceparent", &good)]];
    let server = Deployment::new().serve_with(CHEAP);
    let body = json!({ "email": "ada@example.com", "password": PASSWORD }).to_string();
    for parents in parents {
        let fields = [&[("Content-Type", "application/json")], parents].concat();
        assert_eq!(server.connect().request("POST", "/auth/login", &fields, body.as_bytes()).status, 401);
    }
    let log = server.stop();
    assert_eq!(log.lines().filter(|line| line.contains("login_failed")).count(), parents.len(), "{log}");
    assert!(!log.contains("trace_id") && !log.contains("span_id"), "{log}");
}

#[test]
fn log_names_the_span_that_was_recorded() {
    let collector = takes_all();
    let setting = collector.setting();
    let server = Deployment::new().serve_with(&[&[&*setting, ALL], CHEAP].concat());
    assert_eq!(server.connect().login("ada@example.com").status, 401);
    let event = server.await_event("login_failed");
    let span = collector.await_span("POST /auth/login");
    assert_eq!((event["trace_id"].as_str(), event["span_id"].as_str()), (Some(&*span.trace), Some(&*span.id)));
}
