//! The metrics page as a test reads it: the Prometheus text format, taken strictly.
#![allow(dead_code, clippy::unwrap_used)]

use super::server::{PATIENCE, Server};
use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

/// Labels of a sample, by name.
type Labels = BTreeMap<String, String>;

/// One scrape.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Types of families, by name.
    pub(crate) types: BTreeMap<String, String>,
    /// Name, labels and value.
    pub(crate) samples: Vec<(String, Labels, f64)>,
}

impl Metrics {
    /// Asks a server for its page.
    pub(crate) fn of(server: &Server) -> Metrics {
        let reply = server.connect_operator().get("/metrics");
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.field("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        Metrics::parse(reply.text())
    }

    /// Asks again until the page is as it should be: counters move after the reply that they count.
    pub(crate) fn once(server: &Server, what: &str, holds: impl Fn(&Metrics) -> bool) -> Metrics {
        let until = Instant::now() + PATIENCE;
        loop {
            let metrics = Metrics::of(server);
            if holds(&metrics) {
                return metrics;
            }
            assert!(Instant::now() < until, "never true: {what}: {metrics:#?}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until this many registrations without a key wait to be sent to the database.
    pub(crate) fn await_queue(server: &Server, items: u64) {
        let queued = |metrics: &Metrics| metrics.sum("jeday_batch_queue_items", &[("statement", "register")]);
        Metrics::once(server, &format!("{items} queued"), |metrics| queued(metrics) == items as f64);
    }

    /// Waits until this many registrations are on their way to the database and none is waiting to be sent.
    pub(crate) fn await_sent(server: &Server, items: u64) {
        let open = |metrics: &Metrics, name: &str| metrics.sum(name, &[("statement", "register")]);
        Metrics::once(server, &format!("{items} sent"), |metrics| {
            open(metrics, "jeday_batch_waiters") == items as f64 && open(metrics, "jeday_batch_queue_items") == 0.0
        });
    }

    /// The sum of all samples of this name that have these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).sum()
    }

    /// How many samples of this name have these labels.
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> usize {
        self.matching(name, labels).count()
    }

    /// Requests answered at a path with a status.
    pub(crate) fn requests(&self, route: &str, status: u16) -> f64 {
        self.sum("jeday_http_requests_total", &[("route", route), ("status", &status.to_string())])
    }

    fn matching(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = f64> {
        let has = |own: &Labels| labels.iter().all(|(name, value)| own.get(*name).is_some_and(|own| own == value));
        let fitting = self.samples.iter().filter(move |(own, own_labels, _)| own == name && has(own_labels));
        fitting.map(|(_, _, value)| *value)
    }

    /// Takes a page apart; every sample belongs to a family that was announced, and comes once.
    fn parse(page: &str) -> Metrics {
        let mut metrics = Metrics { types: BTreeMap::new(), samples: Vec::new() };
        let mut seen = BTreeSet::new();
        assert!(page.ends_with('\n'));
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(metrics.types.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
            } else if !line.starts_with("# HELP ") {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert!(seen.insert(series), "twice: {series}");
                let (name, labels) = parse_series(series);
                let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| {
                    let family = name.strip_suffix(end)?;
                    metrics
                        .types
                        .get(family)
                        .is_some_and(|kind| kind == "histogram" || kind == "summary")
                        .then_some(family)
                });
                assert!(metrics.types.contains_key(family.unwrap_or(name)), "not announced: {line}");
                metrics.samples.push((name.to_owned(), labels, value.parse().unwrap()));
            }
        }
        metrics
    }
}

/// Label values of Jeday have neither commas nor quotes.
fn parse_series(series: &str) -> (&str, Labels) {
    let Some((name, rest)) = series.split_once('{') else { return (series, Labels::new()) };
    let labels = rest.strip_suffix('}').unwrap().split(',').map(|label| {
        let (name, value) = label.split_once('=').unwrap();
        (name.to_owned(), value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap().to_owned())
    });
    (name, labels.collect())
}
