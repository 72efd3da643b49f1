//! The exposition: how it looks, and that it keeps the rules of its format.

use super::*;
use crate::telemetry::process::ProcessStats;
use crate::telemetry::{RouteName, ShardMetrics, StatementName};
use expect_test::expect;
use std::collections::{HashMap, HashSet};

const NAMES: Names = Names {
    routes: &[
        RouteName { method: "POST", path: "/auth/register" },
        RouteName { method: "any", path: "a \"quoted\\\npath" },
        RouteName { method: "GET", path: "/never/asked/for" },
    ],
    statements: &[
        StatementName { name: "register", outcomes: &["created", "email_taken"] },
        StatementName { name: "find", outcomes: &["found", "absent"] },
    ],
    parse_errors: &["bad_head", "bad_body"],
};

fn snapshot() -> Snapshot {
    let metrics = ShardMetrics::default();
    metrics.requests.observe(0, 201, 60);
    metrics.requests.observe(0, 201, 150);
    metrics.requests.observe(0, 409, 20_000_000);
    metrics.requests.observe(1, 299, 1);
    metrics.connections.accepted.add(5);
    metrics.connections.closed(CloseReason::Idle);
    metrics.batches[0].sent(3, 0);
    metrics.batches[0].committed(1_250);
    metrics.batches[0].outcome(0, 2);
    metrics.batches[0].outcome(1, 1);
    metrics.database.connections(ConnectionGroup::Write).set(2);
    metrics.database.connections(ConnectionGroup::Read).set(1);
    metrics.database.unknown_resolved.inc();
    let mut snapshot = Snapshot::empty(&NAMES);
    snapshot.merge(0, &metrics, Some(1_500_000_000));
    snapshot.merge(1, &ShardMetrics::default(), None);
    snapshot.started_ms = Some(1_700_000_000_120);
    snapshot.process = ProcessStats {
        cpu_ns: 12_000_000_007,
        resident_bytes: Some(4096),
        virtual_bytes: None,
        open_fds: Some(9),
        max_fds: Some(1024),
    };
    snapshot
}

fn without_duration_buckets(page: &str) -> String {
    page.lines()
        .filter(|line| !line.contains("seconds_bucket"))
        .filter(|line| !line.starts_with("jeday_build_info"))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn a_page_looks_like_this() {
    expect![[r##"
        # HELP jeday_build_info What is running; always 1.
        # TYPE jeday_build_info gauge
        # HELP process_cpu_seconds_total User and system CPU time of the process.
        # TYPE process_cpu_seconds_total counter
        process_cpu_seconds_total 12.000000007
        # HELP process_resident_memory_bytes Resident memory.
        # TYPE process_resident_memory_bytes gauge
        process_resident_memory_bytes 4096
        # HELP process_open_fds Open file descriptors.
        # TYPE process_open_fds gauge
        process_open_fds 9
        # HELP process_max_fds Limit of open file descriptors.
        # TYPE process_max_fds gauge
        process_max_fds 1024
        # HELP process_start_time_seconds Start of the process, in Unix time.
        # TYPE process_start_time_seconds gauge
        process_start_time_seconds 1700000000.12
        # HELP jeday_http_requests_total Requests answered, by route and status.
        # TYPE jeday_http_requests_total counter
        jeday_http_requests_total{method="POST",route="/auth/register",status="201"} 2
        jeday_http_requests_total{method="POST",route="/auth/register",status="409"} 1
        jeday_http_requests_total{method="any",route="a \"quoted\\\npath",status="other"} 1
        # HELP jeday_http_request_duration_seconds From the first byte of a request to the last of its reply, by route.
        # TYPE jeday_http_request_duration_seconds histogram
        jeday_http_request_duration_seconds_sum{method="POST",route="/auth/register"} 20.00021
        jeday_http_request_duration_seconds_count{method="POST",route="/auth/register"} 3
        jeday_http_request_duration_seconds_sum{method="any",route="a \"quoted\\\npath"} 0.000001
        jeday_http_request_duration_seconds_count{method="any",route="a \"quoted\\\npath"} 1
        # HELP jeday_http_parse_errors_total Malformed requests, by kind.
        # TYPE jeday_http_parse_errors_total counter
        jeday_http_parse_errors_total{kind="bad_head"} 0
        jeday_http_parse_errors_total{kind="bad_body"} 0
        # HELP jeday_http_received_bytes_total Bytes read from clients.
        # TYPE jeday_http_received_bytes_total counter
        jeday_http_received_bytes_total 0
        # HELP jeday_http_sent_bytes_total Bytes written to clients.
        # TYPE jeday_http_sent_bytes_total counter
        jeday_http_sent_bytes_total 0
        # HELP jeday_connections_open Client connections that are open.
        # TYPE jeday_connections_open gauge
        jeday_connections_open{shard="0"} 4
        jeday_connections_open{shard="1"} 0
        # HELP jeday_connections_accepted_total Client connections admitted.
        # TYPE jeday_connections_accepted_total counter
        jeday_connections_accepted_total{shard="0"} 5
        jeday_connections_accepted_total{shard="1"} 0
        # HELP jeday_connections_refused_total Client connections turned away at the bound on connections.
        # TYPE jeday_connections_refused_total counter
        jeday_connections_refused_total 0
        # HELP jeday_connections_closed_total Client connections ended, by reason.
        # TYPE jeday_connections_closed_total counter
        jeday_connections_closed_total{reason="idle"} 1
        jeday_connections_closed_total{reason="header_timeout"} 0
        jeday_connections_closed_total{reason="body_timeout"} 0
        jeday_connections_closed_total{reason="write_timeout"} 0
        jeday_connections_closed_total{reason="error"} 0
        jeday_connections_closed_total{reason="peer"} 0
        jeday_connections_closed_total{reason="finished"} 0
        jeday_connections_closed_total{reason="drain"} 0
        jeday_connections_closed_total{reason="address_full"} 0
        jeday_connections_closed_total{reason="stranger"} 0
        jeday_connections_closed_total{reason="handshake"} 0
        # HELP jeday_batch_queue_items Items that wait to be sent to the database.
        # TYPE jeday_batch_queue_items gauge
        jeday_batch_queue_items{shard="0",statement="register"} 0
        jeday_batch_queue_items{shard="0",statement="find"} 0
        jeday_batch_queue_items{shard="1",statement="register"} 0
        jeday_batch_queue_items{shard="1",statement="find"} 0
        # HELP jeday_batch_waiters Callers that wait for the outcome of an item.
        # TYPE jeday_batch_waiters gauge
        jeday_batch_waiters{statement="register"} 0
        jeday_batch_waiters{statement="find"} 0
        # HELP jeday_batch_items_total Items answered, by outcome.
        # TYPE jeday_batch_items_total counter
        jeday_batch_items_total{statement="register",outcome="created"} 2
        jeday_batch_items_total{statement="register",outcome="email_taken"} 1
        jeday_batch_items_total{statement="find",outcome="found"} 0
        jeday_batch_items_total{statement="find",outcome="absent"} 0
        # HELP jeday_batch_size_items Items of a batch.
        # TYPE jeday_batch_size_items histogram
        jeday_batch_size_items_bucket{statement="register",le="1"} 0
        jeday_batch_size_items_bucket{statement="register",le="2"} 0
        jeday_batch_size_items_bucket{statement="register",le="4"} 1
        jeday_batch_size_items_bucket{statement="register",le="8"} 1
        jeday_batch_size_items_bucket{statement="register",le="16"} 1
        jeday_batch_size_items_bucket{statement="register",le="32"} 1
        jeday_batch_size_items_bucket{statement="register",le="64"} 1
        jeday_batch_size_items_bucket{statement="register",le="128"} 1
        jeday_batch_size_items_bucket{statement="register",le="256"} 1
        jeday_batch_size_items_bucket{statement="register",le="512"} 1
        jeday_batch_size_items_bucket{statement="register",le="1024"} 1
        jeday_batch_size_items_bucket{statement="register",le="2048"} 1
        jeday_batch_size_items_bucket{statement="register",le="4096"} 1
        jeday_batch_size_items_bucket{statement="register",le="8192"} 1
        jeday_batch_size_items_bucket{statement="register",le="16384"} 1
        jeday_batch_size_items_bucket{statement="register",le="+Inf"} 1
        jeday_batch_size_items_sum{statement="register"} 3
        jeday_batch_size_items_count{statement="register"} 1
        jeday_batch_size_items_bucket{statement="find",le="1"} 0
        jeday_batch_size_items_bucket{statement="find",le="2"} 0
        jeday_batch_size_items_bucket{statement="find",le="4"} 0
        jeday_batch_size_items_bucket{statement="find",le="8"} 0
        jeday_batch_size_items_bucket{statement="find",le="16"} 0
        jeday_batch_size_items_bucket{statement="find",le="32"} 0
        jeday_batch_size_items_bucket{statement="find",le="64"} 0
        jeday_batch_size_items_bucket{statement="find",le="128"} 0
        jeday_batch_size_items_bucket{statement="find",le="256"} 0
        jeday_batch_size_items_bucket{statement="find",le="512"} 0
        jeday_batch_size_items_bucket{statement="find",le="1024"} 0
        jeday_batch_size_items_bucket{statement="find",le="2048"} 0
        jeday_batch_size_items_bucket{statement="find",le="4096"} 0
        jeday_batch_size_items_bucket{statement="find",le="8192"} 0
        jeday_batch_size_items_bucket{statement="find",le="16384"} 0
        jeday_batch_size_items_bucket{statement="find",le="+Inf"} 0
        jeday_batch_size_items_sum{statement="find"} 0
        jeday_batch_size_items_count{statement="find"} 0
        # HELP jeday_batch_wait_seconds How long the oldest item of a batch waited to be sent.
        # TYPE jeday_batch_wait_seconds histogram
        jeday_batch_wait_seconds_sum{statement="register"} 0
        jeday_batch_wait_seconds_count{statement="register"} 1
        jeday_batch_wait_seconds_sum{statement="find"} 0
        jeday_batch_wait_seconds_count{statement="find"} 0
        # HELP jeday_batch_commit_seconds Round trip of a batch to the database, commit included.
        # TYPE jeday_batch_commit_seconds histogram
        jeday_batch_commit_seconds_sum{statement="register"} 0.00125
        jeday_batch_commit_seconds_count{statement="register"} 1
        jeday_batch_commit_seconds_sum{statement="find"} 0
        jeday_batch_commit_seconds_count{statement="find"} 0
        # HELP jeday_database_connections Connections to the database that are up.
        # TYPE jeday_database_connections gauge
        jeday_database_connections{shard="0",group="write"} 2
        jeday_database_connections{shard="0",group="read"} 1
        jeday_database_connections{shard="1",group="write"} 0
        jeday_database_connections{shard="1",group="read"} 0
        # HELP jeday_database_unsafe_durability 1 where a database that may lose confirmed commits is accepted, as is configured.
        # TYPE jeday_database_unsafe_durability gauge
        jeday_database_unsafe_durability 0
        # HELP jeday_database_reconnects_total Connections to the database made again after one was lost.
        # TYPE jeday_database_reconnects_total counter
        jeday_database_reconnects_total 0
        # HELP jeday_database_connect_failures_total Attempts to connect to the database that failed.
        # TYPE jeday_database_connect_failures_total counter
        jeday_database_connect_failures_total 0
        # HELP jeday_batch_retries_total Batches sent a second time.
        # TYPE jeday_batch_retries_total counter
        jeday_batch_retries_total 0
        # HELP jeday_batch_deadline_misses_total Batches whose deadline passed.
        # TYPE jeday_batch_deadline_misses_total counter
        jeday_batch_deadline_misses_total 0
        # HELP jeday_batch_unknown_outcomes_total Items whose connection died before the answer: resolved by looking again, or not.
        # TYPE jeday_batch_unknown_outcomes_total counter
        jeday_batch_unknown_outcomes_total{result="resolved"} 1
        jeday_batch_unknown_outcomes_total{result="unresolved"} 0
        # HELP jeday_security_events_total Security events, logged or not, by their names.
        # TYPE jeday_security_events_total counter
        jeday_security_events_total{event="login_succeeded"} 0
        jeday_security_events_total{event="login_failed"} 0
        jeday_security_events_total{event="login_rate_limited"} 0
        jeday_security_events_total{event="registration_rate_limited"} 0
        jeday_security_events_total{event="refresh_reused"} 0
        jeday_security_events_total{event="session_ended"} 0
        jeday_security_events_total{event="sessions_ended"} 0
        jeday_security_events_total{event="key_rotated"} 0
        # HELP jeday_shard_requests_total Requests answered, by shard.
        # TYPE jeday_shard_requests_total counter
        jeday_shard_requests_total{shard="0"} 4
        jeday_shard_requests_total{shard="1"} 0
        # HELP jeday_shard_cpu_seconds_total CPU time of a shard's thread.
        # TYPE jeday_shard_cpu_seconds_total counter
        jeday_shard_cpu_seconds_total{shard="0"} 1.5
        # HELP jeday_shard_request_duration_seconds From the first byte of a request to the last of its reply, by shard.
        # TYPE jeday_shard_request_duration_seconds histogram
        jeday_shard_request_duration_seconds_sum{shard="0"} 20.000211
        jeday_shard_request_duration_seconds_count{shard="0"} 4
        jeday_shard_request_duration_seconds_sum{shard="1"} 0
        jeday_shard_request_duration_seconds_count{shard="1"} 0
        # HELP jeday_shard_batch_size_items Items of a batch, over all statements, by shard.
        # TYPE jeday_shard_batch_size_items summary
        jeday_shard_batch_size_items_sum{shard="0"} 3
        jeday_shard_batch_size_items_count{shard="0"} 1
        jeday_shard_batch_size_items_sum{shard="1"} 0
        jeday_shard_batch_size_items_count{shard="1"} 0
        # HELP jeday_shard_batch_commit_seconds Round trip of a batch to the database, over all statements, by shard.
        # TYPE jeday_shard_batch_commit_seconds summary
        jeday_shard_batch_commit_seconds_sum{shard="0"} 0.00125
        jeday_shard_batch_commit_seconds_count{shard="0"} 1
        jeday_shard_batch_commit_seconds_sum{shard="1"} 0
        jeday_shard_batch_commit_seconds_count{shard="1"} 0
        # HELP jeday_log_lines_dropped_total Log lines dropped because the log could not be written fast enough.
        # TYPE jeday_log_lines_dropped_total counter
        jeday_log_lines_dropped_total 0
        # HELP jeday_trace_spans_exported_total Spans that the collector of traces has taken.
        # TYPE jeday_trace_spans_exported_total counter
        jeday_trace_spans_exported_total 0
        # HELP jeday_trace_spans_dropped_total Spans that no collector of traces has got, by reason.
        # TYPE jeday_trace_spans_dropped_total counter
        jeday_trace_spans_dropped_total{reason="queue_full"} 0
        jeday_trace_spans_dropped_total{reason="unreachable"} 0
        jeday_trace_spans_dropped_total{reason="refused"} 0
    "##]].assert_eq(&without_duration_buckets(&render(&NAMES, &snapshot())));
}

#[test]
fn a_histogram_looks_like_this() {
    let page = render(&NAMES, &snapshot());
    let histogram: String = page
        .lines()
        .filter(|line| line.starts_with("jeday_http_request_duration_seconds"))
        .filter(|line| line.contains("register"))
        .map(|line| format!("{line}\n"))
        .collect();
    expect![[r#"
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.00005"} 0
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.000075"} 1
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0001"} 1
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.00015"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0002"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0003"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0004"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0006"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0008"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0012"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0016"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0024"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0032"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0048"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0064"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0096"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0128"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0192"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0256"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0384"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0512"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.0768"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.1024"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.1536"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.2048"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.3072"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.4096"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.6144"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.8192"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="1.2288"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="1.6384"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="2.4576"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="3.2768"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="4.9152"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="6.5536"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="9.8304"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="13.1072"} 2
        jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="+Inf"} 3
        jeday_http_request_duration_seconds_sum{method="POST",route="/auth/register"} 20.00021
        jeday_http_request_duration_seconds_count{method="POST",route="/auth/register"} 3
    "#]]
    .assert_eq(&histogram);
}

/// Splits a sample into name, labels and value, undoing the escapes; fails on anything the format does not allow.
fn parse_sample(line: &str) -> (String, Vec<(String, String)>, f64) {
    let name_end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap();
            let mut value = String::new();
            let mut characters = after.char_indices();
            let end = loop {
                match characters.next().unwrap() {
                    (at, '"') => break at + 1,
                    (_, '\\') => match characters.next().unwrap().1 {
                        'n' => value.push('\n'),
                        escaped @ ('\\' | '"') => value.push(escaped),
                        other => panic!("escape of {other:?} in {line:?}"),
                    },
                    (_, other) => value.push(other),
                }
            };
            labels.push((label.to_owned(), value));
            rest = &after[end..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').unwrap();
    }
    let value = rest.strip_prefix(' ').unwrap().parse().unwrap();
    (name.to_owned(), labels, value)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|other| other.is_ascii_lowercase() || other.is_ascii_digit() || other == '_')
}

/// The rules of the format, and of `promtool check metrics`.
#[test]
fn a_page_keeps_the_rules_of_the_format() {
    let page = render(&NAMES, &snapshot());
    assert!(page.ends_with('\n'));
    let mut families = HashSet::new();
    let mut series = HashSet::new();
    let (mut family, mut kind) = (String::new(), String::new());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(!text.is_empty() && is_name(name), "{line}");
            assert!(families.insert(name.to_owned()), "{name} comes twice");
            let declared = lines.next().unwrap().strip_prefix("# TYPE ").unwrap();
            let (same, declared) = declared.split_once(' ').unwrap();
            assert_eq!(same, name);
            (family, kind) = (name.to_owned(), declared.to_owned());
            assert_eq!(kind == "counter", family.ends_with("_total"), "{family}");
            assert!(family.starts_with("jeday_") || family.starts_with("process_"));
            for unit in ["_ms", "_us", "milliseconds", "_kb", "minutes"] {
                assert!(!family.contains(unit), "{family} is not in base units");
            }
            continue;
        }
        let (name, labels, value) = parse_sample(line);
        let suffix = name.strip_prefix(family.as_str()).unwrap();
        let suffixes: &[&str] = match kind.as_str() {
            "histogram" => &["_bucket", "_sum", "_count"],
            "summary" => &["_sum", "_count"],
            _ => &[""],
        };
        assert!(suffixes.contains(&suffix), "{line} is outside its family");
        assert!(value >= 0.0 && value.is_finite(), "{line}");
        assert!(labels.iter().all(|(label, _)| is_name(label)), "{line}");
        assert!(series.insert((name, labels)), "{line} comes twice");
    }
}

#[test]
fn buckets_are_cumulative_and_end_at_the_count() {
    let page = render(&NAMES, &snapshot());
    let mut last: HashMap<String, (f64, f64)> = HashMap::new();
    let mut checked = 0;
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (name, mut labels, value) = parse_sample(line);
        if let Some(family) = name.strip_suffix("_bucket") {
            let (_, bound) = labels.pop().unwrap();
            let bound: f64 = bound.replace("+Inf", "inf").parse().unwrap();
            let before = last.insert(format!("{family}{labels:?}"), (bound, value));
            if let Some((lower, below)) = before {
                assert!(lower < bound && below <= value, "{line}");
            }
        } else if let Some(family) = name.strip_suffix("_count") {
            // A summary has no buckets.
            let Some((bound, below)) = last.get(&format!("{family}{labels:?}")).copied() else { continue };
            assert!(bound.is_infinite(), "{line}");
            assert_eq!(below, value, "{line}");
            checked += 1;
        }
    }
    assert_eq!(checked, 2 + 3 * NAMES.statements.len() + snapshot().shards.len());
}

#[test]
fn decimals_are_exact_and_short() {
    let mut page = Page { text: String::new(), numbers: itoa::Buffer::new() };
    for value in [0, 1, 50, 1_000_000, 1_500_000, 10_000_001] {
        page.fixed::<6>(value);
        page.text.push(' ');
    }
    page.fixed::<0>(7);
    assert_eq!(page.text, "0 0.000001 0.00005 1 1.5 10.000001 7");
}
