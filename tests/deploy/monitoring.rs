//! Alerts and dashboard speak of metrics that there are, and each alert says what to do.

use crate::{
    program, project, read, said,
    support::{
        client::Client,
        server::{CHEAP, Deployment},
        tls::Authority,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Command, Stdio},
};

const WATCHES: [&str; 2] = ["deploy/prometheus/alerts.yml", "deploy/grafana/dashboard.json"];

/// A server's page of metrics.
fn page() -> String {
    let deployment = Deployment::new();
    let authority = Authority::new();
    let files = authority.settings();
    let server = deployment.serve_with(&[CHEAP, &files.each_ref().map(String::as_str)].concat());
    Client::connect_tls(server.address(), authority.trusted()).register("watched@deploy.example");
    String::from_utf8(server.connect_operator().get("/metrics").body).unwrap()
}

/// Families and their types.
fn families(page: &str) -> BTreeMap<&str, &str> {
    page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
}

fn metrics(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("jeday_") || word.starts_with("process_"))
}

#[test]
fn every_metric_that_is_watched_is_on_the_page_of_a_server() {
    let page = page();
    let families = families(&page);
    let known = |name: &str| {
        let of_histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .any(|suffix| name.strip_suffix(suffix).is_some_and(|family| families.get(family) == Some(&"histogram")));
        // A histogram has no series of its own name.
        of_histogram || families.get(name).is_some_and(|kind| *kind != "histogram")
    };
    for file in WATCHES {
        let text = read(file);
        let named: BTreeSet<_> = metrics(&text).collect();
        assert!(named.len() > 10, "{file}");
        let unknown: Vec<_> = named.into_iter().filter(|name| !known(name)).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[test]
fn every_label_that_is_chosen_by_exists_with_that_value() {
    let page = page();
    let mut checked = 0;
    for file in WATCHES {
        let text = read(file).replace("\\\"", "\"");
        for (at, _) in text.match_indices('{') {
            let metric = text[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
            if !metric.starts_with("jeday_") {
                continue;
            }
            let selector = &text[at + 1..at + text[at..].find('}').unwrap()];
            // Those of Prometheus, and patterns, are for promtool.
            for pair in selector.split(',').filter(|pair| pair.contains("=\"")) {
                let found = page.lines().any(|line| line.starts_with(metric) && line.contains(pair));
                // The slow engine is on no page of a machine that is well.
                assert!(found || pair == "engine=\"reference\"", "{file}: {metric}{{{pair}}}");
                checked += 1;
            }
        }
    }
    assert!(checked > 0);
}

#[test]
fn every_alert_says_what_to_do() {
    let text = read("deploy/prometheus/alerts.yml");
    let mut alerts = text.split("- alert: ").skip(1).peekable();
    assert!(alerts.peek().is_some());
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        let (_, what_to_do) = alert.split_once("description:").unwrap_or_else(|| panic!("{name}"));
        assert!(what_to_do.split_whitespace().count() > 10, "{name}");
        assert!(alert.contains("severity: page") || alert.contains("severity: ticket"), "{name}");
        assert!(alert.contains("summary: "), "{name}");
    }
}

#[test]
fn the_dashboard_is_one_of_grafana() {
    let dashboard: serde_json::Value = serde_json::from_str(&read("deploy/grafana/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let described = panel["description"].as_str().is_some_and(|text| !text.is_empty());
        let queries = panel["targets"].as_array().unwrap();
        assert!(described && !queries.is_empty() && panel["fieldConfig"]["defaults"]["unit"].is_string(), "{panel}");
    }
}

#[test]
fn prometheus_accepts_configuration_rules_and_metrics() {
    let Some(promtool) = program("promtool", "on Debian: apt-get install prometheus") else { return };
    said(Command::new(&promtool).args(["check", "config"]).arg(project().join("deploy/prometheus/prometheus.yml")));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), page()).unwrap();
    let from = Stdio::from(std::fs::File::open(file.path()).unwrap());
    said(Command::new(&promtool).args(["check", "metrics"]).stdin(from));
}
