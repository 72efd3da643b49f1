//! Reads figures from a page in the Prometheus text format 0.0.4. Pure; knows no name of a metric but as an argument.

use std::collections::BTreeSet;

/// The sum of the samples of a name that carry all the labels given, such as those of all shards; `None` when there is
/// no such sample.
pub(crate) fn sum(page: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let matching = page.lines().filter_map(|line| {
        let sample = Sample::parse(line)?;
        let all = labels.iter().all(|(key, value)| sample.label(key) == Some(value));
        (sample.name == name && all).then_some(sample.value)
    });
    matching.fold(None, |total, value| Some(total.unwrap_or(0.0) + value))
}

/// The values that a label has among the samples of a name, in order.
pub(crate) fn values(page: &str, name: &str, label: &str) -> BTreeSet<String> {
    let samples = page.lines().filter_map(Sample::parse).filter(|sample| sample.name == name);
    samples.filter_map(|sample| sample.label(label).map(str::to_owned)).collect()
}

struct Sample<'a> {
    name: &'a str,
    labels: &'a str,
    value: f64,
}

impl<'a> Sample<'a> {
    fn parse(line: &'a str) -> Option<Sample<'a>> {
        if line.starts_with('#') {
            return None;
        }
        // A label's value may hold spaces and braces; Jeday's hold no escapes.
        let (series, rest) = match line.rsplit_once('}') {
            Some((series, rest)) => (series, rest),
            None => line.split_once(' ')?,
        };
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        // A time may follow the value.
        let value = rest.split_ascii_whitespace().next()?.parse().ok()?;
        Some(Sample { name, labels, value })
    }

    fn label(&self, key: &str) -> Option<&'a str> {
        let mut rest = self.labels;
        while let Some((name, after)) = rest.split_once("=\"") {
            let (value, next) = after.split_once('"')?;
            if name.trim_start_matches([',', ' ']) == key {
                return Some(value);
            }
            rest = next;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP batch_size Items.\n# TYPE batch_size histogram\n\
        batch_size_bucket{statement=\"register\",le=\"1\"} 3\n\
        batch_size_sum{statement=\"register\"} 12\nbatch_size_sum{statement=\"register_once\"} 5\n\
        open{shard=\"0\"} 4\nopen{shard=\"1\"} 6\nrequests_total{method=\"POST\",route=\"/a, b=}\",status=\"201\"} 7\n\
        cpu_seconds_total 1.5e-3 1700000000\nup 1\n";

    #[test]
    fn samples_are_found_by_name_and_labels() {
        assert_eq!(sum(PAGE, "batch_size_sum", &[("statement", "register")]), Some(12.0));
        assert_eq!(sum(PAGE, "requests_total", &[("status", "201"), ("route", "/a, b=}")]), Some(7.0));
        assert_eq!(sum(PAGE, "up", &[]), Some(1.0));
    }

    #[test]
    fn shards_are_added_up() {
        assert_eq!(sum(PAGE, "open", &[]), Some(10.0));
    }

    #[test]
    fn values_of_a_label_are_listed_once() {
        assert_eq!(Vec::from_iter(values(PAGE, "open", "shard")), ["0", "1"]);
        assert!(values(PAGE, "up", "shard").is_empty());
    }

    #[test]
    fn exponents_and_times_are_understood() {
        assert_eq!(sum(PAGE, "cpu_seconds_total", &[]), Some(0.0015));
    }

    #[test]
    fn absent_figures_are_not_zero() {
        assert_eq!(sum(PAGE, "batch_size", &[]), None);
        assert_eq!(sum(PAGE, "open", &[("shard", "2")]), None);
        assert_eq!(sum(PAGE, "up", &[("shard", "0")]), None);
        assert_eq!(sum("", "up", &[]), None);
    }
}
