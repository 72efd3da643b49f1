//! Password cores that do not come to the end of a hash. They are told of, counted as cores no more, and replaced; a
//! thread cannot be ended, so not for ever: when nobody is left to check passwords the process has to.

use std::time::{Duration, Instant};

use shards::offload::{Replacement, Urgency, WorkerReport};
use shards::{BEAT_INTERVAL, Finding, Sign, Watchdog};

use super::core::CoresReporter;
use super::job::Gauges;
use crate::limits::{HASH_STUCK_AFTER, HASH_STUCK_HASHES, REPLACEMENT_READY_WITHIN};

/// Watches over all password cores of the process.
pub struct CoresWatch {
    cores: CoresReporter,
    watchdog: Watchdog,
    /// Of each worker, by position among all: what is known beside its own report.
    known: Vec<Known>,
}

#[derive(Clone, Default)]
struct Known {
    replaced: usize,
    /// When somebody was called who is to take its place.
    called: Option<Instant>,
}

impl CoresWatch {
    /// To be asked once in each [`BEAT_INTERVAL`].
    #[must_use]
    pub fn new(cores: CoresReporter) -> CoresWatch {
        let workers = cores.groups.iter().map(|(handle, _)| handle.report().workers.len()).sum();
        CoresWatch { cores, watchdog: Watchdog::new(workers, BEAT_INTERVAL), known: vec![Known::default(); workers] }
    }

    /// Looks at each of them, logs what has changed, and has those replaced that are stuck. Returns a word when
    /// passwords cannot be checked any more.
    pub fn look(&mut self, now: Instant) -> Option<String> {
        let groups: Vec<_> = self.cores.groups.iter().map(|(handle, _)| handle.report().workers).collect();
        let gauges = self.cores.groups.iter().map(|(_, gauges)| gauges);
        let signs: Vec<_> = groups.iter().zip(gauges).flat_map(|(workers, gauges)| signs(workers, gauges)).collect();
        let findings = self.watchdog.look(now, &signs);
        let mut first = 0;
        let mut word = None;
        for (group, workers) in groups.iter().enumerate() {
            let handle = &self.cores.groups[group].0;
            for (number, worker) in workers.iter().enumerate() {
                let known = &mut self.known[first + number];
                match findings.iter().find(|finding| index(finding) == first + number) {
                    Some(Finding::Stalled { silent, .. }) => {
                        let replacement = handle.replace(number, ended(worker));
                        let begun = matches!(replacement, Replacement::Begun);
                        *known = Known { replaced: worker.replaced, called: begun.then_some(now) };
                        let left = serving(workers) - serving(std::slice::from_ref(worker));
                        tell_stuck(group, worker, *silent, left, &replacement);
                    }
                    Some(Finding::Recovered { .. }) => {
                        tell_recovered(group, worker, serving(workers), worker.replaced > known.replaced);
                        *known = Known { replaced: worker.replaced, called: None };
                    }
                    None => {}
                }
            }
            let is_coming = |known: &Known| known.called.is_some_and(|at| now < at + REPLACEMENT_READY_WITHIN);
            if serving(&handle.report().workers) == 0 && !self.known[first..first + workers.len()].iter().any(is_coming)
            {
                word = Some(format!("no password core of group {group} comes to the end of a hash any more"));
            }
            first += workers.len();
        }
        word
    }
}

/// A hash at idle priority takes as long as others keep the CPU busy: nothing can be told from that.
fn signs(workers: &[WorkerReport], gauges: &Gauges) -> Vec<(Sign, Duration)> {
    let sign = |worker: &WorkerReport| match worker {
        worker if worker.working && !worker.spec.idle_priority => {
            // Whoever has taken the place of another begins anew.
            Sign::Progress(ended(worker) + worker.replaced as u64)
        }
        _ => Sign::Idle,
    };
    workers.iter().map(|worker| (sign(worker), patience(gauges))).collect()
}

/// How long a hash may take: far longer than one takes here, and never short.
pub(super) fn patience(gauges: &Gauges) -> Duration {
    gauges.hash(Urgency::Urgent).get().saturating_mul(HASH_STUCK_HASHES).max(HASH_STUCK_AFTER)
}

fn ended(worker: &WorkerReport) -> u64 {
    worker.jobs_done + worker.jobs_panicked
}

/// Workers that check passwords and are not stuck.
fn serving(workers: &[WorkerReport]) -> usize {
    workers.iter().filter(|worker| worker.spec.serves.takes(Urgency::Urgent) && !worker.stuck).count()
}

fn index(finding: &Finding) -> usize {
    match finding {
        Finding::Stalled { index, .. } | Finding::Recovered { index } => *index,
    }
}

fn tell_stuck(group: usize, worker: &WorkerReport, silent: Duration, left: usize, replacement: &Replacement) {
    let cpu = worker.spec.cpu;
    let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
    let error = match replacement {
        Replacement::NotStuck => return,
        Replacement::Failed(error) => Some(tracing::field::display(error)),
        Replacement::Begun | Replacement::NoneLeft => None,
    };
    let replaced = matches!(replacement, Replacement::Begun);
    tracing::error!(group, cpu, silent_ms, left, replaced, error, "a password core does not come to the end of a hash");
}

fn tell_recovered(group: usize, worker: &WorkerReport, left: usize, was_replaced: bool) {
    let cpu = worker.spec.cpu;
    if was_replaced {
        tracing::warn!(group, cpu, left, "another password core has taken the place of one that is stuck");
    } else {
        tracing::warn!(group, cpu, left, "a password core that was stuck has come to the end of its hash");
    }
}
