//! Two pages of a server's metrics in, figures out: what happened between them, and how things stand at the second.
//! Pure; fetches nothing and draws nothing.

use crate::cli::scrape::{Page, label};

/// What one server does. Figures of what happened are absent where nothing did.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figures {
    pub(super) version: String,
    pub(super) requests_per_s: f64,
    /// Replies a second by the first digit of their status: 2, 4 and 5.
    pub(super) classes_per_s: [(char, f64); 3],
    pub(super) latency: Option<Quantiles>,
    pub(super) connections: f64,
    /// Mean items of a batch.
    pub(super) batch: Option<f64>,
    pub(super) commit: Option<Quantiles>,
    /// Items that wait to be sent to the database.
    pub(super) queue: f64,
    pub(super) database_connections: f64,
    pub(super) hashes_per_s: f64,
    pub(super) password_wait: Option<Quantiles>,
    /// Hashes that somebody waits for, and those that nobody waits for.
    pub(super) passwords_waiting: [f64; 2],
    pub(super) backlog: Option<Backlog>,
    /// CPUs that were busy.
    pub(super) cpus: f64,
    pub(super) memory_bytes: f64,
    pub(super) shards: Vec<Shard>,
    pub(super) workers: Vec<Worker>,
}

/// The middle and the slow end of a distribution, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantiles {
    pub(super) p50_s: f64,
    pub(super) p99_s: f64,
}

/// Weak records that wait to be hardened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Backlog {
    pub(super) records: f64,
    pub(super) oldest_s: f64,
}

/// What one request shard does.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shard {
    pub(super) number: u32,
    pub(super) requests_per_s: f64,
    pub(super) latency: Option<Quantiles>,
    pub(super) batch: Option<f64>,
    /// Mean round trip of a batch, in seconds.
    pub(super) commit_s: Option<f64>,
    pub(super) queue: f64,
    pub(super) connections: f64,
    /// The share of its CPU, from 0 to 1; absent where the kernel does not tell.
    pub(super) busy: Option<f64>,
}

/// What one worker of a password core does.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Worker {
    pub(super) number: u32,
    pub(super) cpu: String,
    pub(super) serves: String,
    pub(super) hashes_per_s: f64,
    /// Mean time of a hash, in seconds.
    pub(super) hash_s: Option<f64>,
    pub(super) busy: f64,
}

impl Figures {
    /// What the server did from one page to the other. `None` unless both are of one process and some time apart:
    /// nothing can be said of counters that began again.
    pub(super) fn between(before: &Page, now: &Page) -> Option<Figures> {
        let seconds = now.seconds_since(before);
        let start = |page: &Page| page.value("process_start_time_seconds").to_bits();
        if seconds <= 0.0 || start(before) != start(now) {
            return None;
        }
        let span = Span { before, now, seconds };
        let build = now.family("jeday_build_info").next().map_or("", |(labels, _)| label(labels, "version"));
        let class = |digit: char| {
            let of_class = |labels: &str| label(labels, "status").starts_with(digit);
            (digit, span.rate("jeday_http_requests_total", of_class))
        };
        let waiting = |queue: &str| now.value(&format!("jeday_password_jobs_waiting{{queue=\"{queue}\"}}"));
        Some(Figures {
            version: build.to_owned(),
            requests_per_s: span.rate("jeday_http_requests_total", any),
            classes_per_s: ['2', '4', '5'].map(class),
            latency: span.quantiles("jeday_http_request_duration_seconds", any),
            connections: now.sum("jeday_connections_open"),
            batch: span.mean("jeday_batch_size_items", any),
            commit: span.quantiles("jeday_batch_commit_seconds", any),
            queue: now.sum("jeday_batch_queue_items"),
            database_connections: now.sum("jeday_database_connections"),
            hashes_per_s: span.rate("jeday_password_hashes_total", any),
            password_wait: span.quantiles("jeday_password_wait_seconds", any),
            passwords_waiting: [waiting("foreground"), waiting("background")],
            backlog: now.has("jeday_weak_passwords").then(|| Backlog {
                records: now.sum("jeday_weak_passwords"),
                oldest_s: now.sum("jeday_weak_password_age_seconds"),
            }),
            cpus: span.rate("process_cpu_seconds_total", any),
            memory_bytes: now.sum("process_resident_memory_bytes"),
            shards: numbered(now, "jeday_shard_requests_total", "shard", |number, _| span.shard(number)),
            workers: numbered(now, "jeday_password_busy_seconds_total", "worker", |number, labels| {
                span.worker(number, labels)
            }),
        })
    }
}

/// One entry for each number that a label of this family has, in their order.
fn numbered<T>(page: &Page, family: &str, name: &str, entry: impl Fn(u32, &str) -> T) -> Vec<T> {
    let mut found: Vec<(u32, &str)> =
        page.family(family).filter_map(|(labels, _)| Some((label(labels, name).parse().ok()?, labels))).collect();
    found.sort_unstable();
    found.into_iter().map(|(number, labels)| entry(number, labels)).collect()
}

/// All series of a family.
fn any(_: &str) -> bool {
    true
}

/// Two pages and the time between them.
struct Span<'p> {
    before: &'p Page,
    now: &'p Page,
    seconds: f64,
}

impl Span<'_> {
    fn since(&self, name: &str, has: impl Fn(&str) -> bool) -> f64 {
        (self.now.sum_where(name, &has) - self.before.sum_where(name, &has)).max(0.0)
    }

    fn rate(&self, name: &str, has: impl Fn(&str) -> bool) -> f64 {
        self.since(name, has) / self.seconds
    }

    /// The mean of what a histogram or a summary has counted.
    fn mean(&self, name: &str, has: impl Fn(&str) -> bool + Copy) -> Option<f64> {
        let count = self.since(&format!("{name}_count"), has);
        (count > 0.0).then(|| self.since(&format!("{name}_sum"), has) / count)
    }

    fn quantiles(&self, name: &str, has: impl Fn(&str) -> bool) -> Option<Quantiles> {
        let buckets = self.buckets(&format!("{name}_bucket"), has);
        Some(Quantiles { p50_s: quantile(&buckets, 0.5)?, p99_s: quantile(&buckets, 0.99)? })
    }

    /// Upper bounds and how much was counted up to each between the pages, added up over the series.
    fn buckets(&self, name: &str, has: impl Fn(&str) -> bool) -> Vec<(f64, f64)> {
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for (page, sign) in [(self.before, -1.0), (self.now, 1.0)] {
            for (labels, count) in page.family(name).filter(|(labels, _)| has(labels)) {
                let Ok(bound) = label(labels, "le").parse::<f64>() else { continue };
                match buckets.binary_search_by(|(other, _)| other.total_cmp(&bound)) {
                    Ok(at) => buckets[at].1 += sign * count,
                    Err(at) => buckets.insert(at, (bound, sign * count)),
                }
            }
        }
        buckets
    }

    fn shard(&self, number: u32) -> Shard {
        // The first label, and of the summaries and gauges the only one.
        let series = format!("{{shard=\"{number}\"");
        let of_shard = |labels: &str| labels.starts_with(&series);
        let now = |name: &str| self.now.sum_where(name, of_shard);
        let cpu = "jeday_shard_cpu_seconds_total";
        Shard {
            number,
            requests_per_s: self.rate("jeday_shard_requests_total", of_shard),
            latency: self.quantiles("jeday_shard_request_duration_seconds", of_shard),
            batch: self.mean("jeday_shard_batch_size_items", of_shard),
            commit_s: self.mean("jeday_shard_batch_commit_seconds", of_shard),
            queue: now("jeday_batch_queue_items"),
            connections: now("jeday_connections_open"),
            busy: self.now.has(&format!("{cpu}{series}}}")).then(|| self.rate(cpu, of_shard)),
        }
    }

    fn worker(&self, number: u32, labels: &str) -> Worker {
        let series = format!("{{worker=\"{number}\"");
        let of_worker = |labels: &str| labels.starts_with(&series);
        let hashes = self.since("jeday_password_hashes_total", of_worker);
        let busy_s = self.since("jeday_password_busy_seconds_total", of_worker);
        Worker {
            number,
            cpu: label(labels, "cpu").to_owned(),
            serves: label(labels, "serves").to_owned(),
            hashes_per_s: hashes / self.seconds,
            hash_s: (hashes > 0.0).then(|| busy_s / hashes),
            busy: busy_s / self.seconds,
        }
    }
}

/// Where this share of what was counted lies below, on a straight line within its bucket; the largest finite bound
/// where it lies beyond. `None` when nothing was counted.
fn quantile(buckets: &[(f64, f64)], share: f64) -> Option<f64> {
    let (_, total) = *buckets.last()?;
    if total <= 0.0 {
        return None;
    }
    let rank = share * total;
    let at = buckets.iter().position(|(_, below)| *below >= rank)?;
    let (from, below) = if at == 0 { (0.0, 0.0) } else { buckets[at - 1] };
    let (to, up_to) = buckets[at];
    if to.is_infinite() || up_to <= below {
        return Some(from);
    }
    Some(from + (to - from) * (rank - below) / (up_to - below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::pages::{BUSY, QUIET, pages};
    use std::time::{Duration, Instant};

    /// To microseconds: differences of decimals are not exact.
    fn rounded(seconds: f64) -> f64 {
        (seconds * 1e6).round() / 1e6
    }

    #[test]
    fn rates_are_differences_over_the_time_between() {
        let (before, now) = pages(QUIET, BUSY, 2);
        let figures = Figures::between(&before, &now).unwrap();
        assert_eq!(figures.version, "0.1.0");
        assert_eq!(figures.requests_per_s, 600.0);
        assert_eq!(figures.classes_per_s, [('2', 500.0), ('4', 90.0), ('5', 10.0)]);
        assert_eq!((figures.batch, figures.queue, figures.connections), (Some(20.0), 7.0, 52.0));
        assert_eq!((figures.hashes_per_s, figures.passwords_waiting), (25.0, [3.0, 8.0]));
        assert_eq!(figures.backlog, Some(Backlog { records: 1200.0, oldest_s: 12.5 }));
        assert_eq!(figures.cpus, 1.5);
        assert_eq!(figures.database_connections, 4.0);
    }

    #[test]
    fn quantiles_are_those_of_what_was_counted_between() {
        let (before, now) = pages(QUIET, BUSY, 2);
        let figures = Figures::between(&before, &now).unwrap();
        // 1000 below 1 ms, 190 up to 2 ms, 10 over all bounds: what the page before had counted does not show.
        let latency = figures.latency.unwrap();
        assert!((latency.p50_s - 0.000_6).abs() < 1e-9, "{latency:?}");
        assert!((latency.p99_s - 0.001_989).abs() < 1e-6, "{latency:?}");
        assert_eq!(figures.shards[1].latency, None, "nothing was asked of it");
    }

    #[test]
    fn every_shard_and_worker_has_its_own_figures() {
        let (before, now) = pages(QUIET, BUSY, 2);
        let figures = Figures::between(&before, &now).unwrap();
        let numbers: Vec<u32> = figures.shards.iter().map(|shard| shard.number).collect();
        assert_eq!(numbers, [0, 1, 10], "by number, not by letters");
        let [first, idle, tenth] = &figures.shards[..] else { panic!("{figures:?}") };
        assert_eq!((first.requests_per_s, first.connections, first.queue), (500.0, 40.0, 7.0));
        assert_eq!((first.batch, first.commit_s.map(rounded), first.busy), (Some(25.0), Some(0.002), Some(0.75)));
        assert_eq!((idle.requests_per_s, idle.batch, idle.commit_s, idle.busy), (0.0, None, None, Some(0.0)));
        assert_eq!((tenth.requests_per_s, tenth.busy), (100.0, None), "the kernel does not tell its time");
        let [worker] = &figures.workers[..] else { panic!("{figures:?}") };
        assert_eq!((worker.cpu.as_str(), worker.serves.as_str()), ("3", "both"));
        assert_eq!((worker.hashes_per_s, worker.hash_s.map(rounded), worker.busy), (25.0, Some(0.038), 0.95));
    }

    #[test]
    fn counters_that_began_again_say_nothing() {
        let (before, now) = pages(BUSY, &QUIET.replace("seconds 1700000000.5", "seconds 1700009999.5"), 2);
        assert_eq!(Figures::between(&before, &now), None);
        let moment = Instant::now();
        let [same, again] = [Page::parse(BUSY, moment), Page::parse(BUSY, moment)];
        assert_eq!(Figures::between(&same, &again), None, "no time has passed");
        let later = Page::parse("", moment + Duration::from_secs(1));
        assert_eq!(Figures::between(&Page::parse("", moment), &later).unwrap().latency, None);
    }

    #[test]
    fn a_quantile_beyond_all_bounds_is_the_last_of_them() {
        assert_eq!(quantile(&[(1.0, 1.0), (2.0, 1.0), (f64::INFINITY, 9.0)], 0.5), Some(2.0));
        assert_eq!(quantile(&[(1.0, 4.0), (2.0, 4.0), (f64::INFINITY, 4.0)], 0.5), Some(0.5));
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[(1.0, 0.0), (f64::INFINITY, 0.0)], 0.5), None);
    }
}
