//! What has come of a load: answers by status, each with its latencies. Pure.

use crate::support::Outcome;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// Faults that are kept in words; the others are only counted.
const FAULTS_TOLD_MAX: usize = 3;

/// Counted while the load goes on.
#[derive(Default)]
pub(crate) struct Tally {
    answers: BTreeMap<u16, Answers>,
    faults: u64,
    faults_told: Vec<String>,
}

struct Answers {
    in_time: u64,
    latencies_us: Histogram<u64>,
}

/// As it is written to the file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) connections: usize,
    pub(crate) answers: Vec<Answered>,
    /// CPU time of the generator.
    pub(crate) generator_ns: u64,
    pub(crate) faults: u64,
    pub(crate) faults_told: Vec<String>,
}

/// All answers with one status.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// Those that came before the time was over.
    pub(crate) in_time: u64,
    pub(crate) per_s: f64,
    /// Latencies include those that came after.
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
}

impl Tally {
    /// Counts an answer.
    pub(crate) fn answer(&mut self, status: u16, latency: Duration, in_time: bool) -> Outcome<()> {
        let answers = match self.answers.entry(status) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                new.insert(Answers { in_time: 0, latencies_us: Histogram::new(3)? })
            }
        };
        answers.in_time += u64::from(in_time);
        answers.latencies_us.record(u64::try_from(latency.as_micros())?)?;
        Ok(())
    }

    /// Counts what should not have happened.
    pub(crate) fn fault(&mut self, what: String) {
        self.faults += 1;
        if self.faults_told.len() < FAULTS_TOLD_MAX {
            self.faults_told.push(what);
        }
    }

    pub(crate) fn summary(self, connections: usize, elapsed: Duration, generator_ns: u64) -> Summary {
        let answers = self.answers.into_iter().map(|(status, Answers { in_time, latencies_us })| Answered {
            status,
            in_time,
            per_s: in_time as f64 / elapsed.as_secs_f64(),
            p50_us: latencies_us.value_at_quantile(0.5),
            p99_us: latencies_us.value_at_quantile(0.99),
            max_us: latencies_us.max(),
        });
        Summary {
            connections,
            answers: answers.collect(),
            generator_ns,
            faults: self.faults,
            faults_told: self.faults_told,
        }
    }
}

impl Summary {
    pub(crate) fn with(&self, status: u16) -> Option<&Answered> {
        self.answers.iter().find(|answered| answered.status == status)
    }

    /// Those that were what the client wanted.
    pub(crate) fn ok(&self) -> Option<&Answered> {
        self.with(200)
    }

    /// All answers in a line.
    pub(crate) fn line(&self) -> String {
        let ms = |us: u64| us as f64 / 1000.0;
        let parts = self.answers.iter().map(|Answered { status, per_s, p50_us, p99_us, .. }| {
            format!("{status}: {per_s:.0}/s, p50 {:.2} ms, p99 {:.2} ms", ms(*p50_us), ms(*p99_us))
        });
        parts.collect::<Vec<_>>().join("; ")
    }

    /// What went wrong, in words.
    pub(crate) fn faults(&self, what: &str) -> Vec<String> {
        let mut faults: Vec<String> = self.faults_told.iter().map(|told| format!("{what}: {told}")).collect();
        let untold = self.faults - self.faults_told.len() as u64;
        if untold > 0 {
            faults.push(format!("{what}: {untold} faults more"));
        }
        faults
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A load that was answered alike all the time.
    pub(crate) fn summary(status: u16, per_s: f64, p50_us: u64, p99_us: u64) -> Summary {
        let answered = Answered { status, in_time: per_s as u64, per_s, p50_us, p99_us, max_us: 2 * p99_us };
        let answers = vec![answered];
        Summary { connections: 64, answers, generator_ns: 1, faults: 0, faults_told: Vec::new() }
    }

    #[test]
    fn late_answers_count_for_latency_and_not_for_speed() {
        let mut tally = Tally::default();
        tally.answer(200, Duration::from_millis(10), true).unwrap();
        tally.answer(200, Duration::from_millis(90), false).unwrap();
        tally.answer(503, Duration::from_micros(100), true).unwrap();
        let summary = tally.summary(2, Duration::from_millis(500), 0);
        let ok = summary.ok().unwrap();
        assert_eq!((ok.in_time, ok.per_s), (1, 2.0));
        assert!(ok.max_us >= 90_000 && ok.p50_us < 11_000, "{ok:?}");
        assert_eq!(summary.with(503).unwrap().in_time, 1);
        assert!(summary.with(401).is_none());
    }

    #[test]
    fn faults_are_counted_and_some_are_told() {
        let mut tally = Tally::default();
        for number in 0..5 {
            tally.fault(number.to_string());
        }
        let faults = tally.summary(1, Duration::from_secs(1), 0).faults("me");
        assert_eq!(faults, ["me: 0", "me: 1", "me: 2", "me: 2 faults more"]);
    }
}
