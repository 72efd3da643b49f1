//! Password cores that do not come to the end of a hash. They are told of, and counted as cores no more; a thread
//! cannot be ended, so when nobody is left to check passwords the process has to.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use shards::offload::{Urgency, WorkerReport};
use shards::{BEAT_INTERVAL, Finding, Sign, Watchdog};

use super::core::CoresReporter;
use super::job::Gauges;
use crate::limits::{HASH_STUCK_AFTER, HASH_STUCK_HASHES};

/// Watches over all password cores of the process.
pub struct CoresWatch {
    cores: CoresReporter,
    watchdog: Watchdog,
}

impl CoresWatch {
    /// To be asked once in each [`BEAT_INTERVAL`].
    #[must_use]
    pub fn new(cores: CoresReporter) -> CoresWatch {
        let workers = cores.groups.iter().map(|(handle, _)| handle.report().workers.len()).sum();
        CoresWatch { cores, watchdog: Watchdog::new(workers, BEAT_INTERVAL) }
    }

    /// Looks at each of them, and logs what has changed. Returns a word when passwords cannot be checked any more.
    pub fn look(&mut self, now: Instant) -> Option<String> {
        let groups: Vec<_> = self.cores.groups.iter().map(|(handle, _)| handle.report().workers).collect();
        let gauges = self.cores.groups.iter().map(|(_, gauges)| gauges);
        let signs: Vec<_> = groups.iter().zip(gauges).flat_map(|(workers, gauges)| signs(workers, gauges)).collect();
        let findings = self.watchdog.look(now, &signs);
        let mut first = 0;
        let mut word = None;
        for (group, workers) in groups.iter().enumerate() {
            let serving = |(_, worker): &(usize, &WorkerReport)| worker.spec.serves.takes(Urgency::Urgent);
            let stuck = (first..).zip(workers).filter(serving).filter(|(index, _)| self.watchdog.has_stalled(*index));
            let (stuck, serving) = (stuck.count(), (first..).zip(workers).filter(serving).count());
            self.cores.groups[group].1.stuck.store(stuck, Ordering::Relaxed);
            for (index, worker) in (first..).zip(workers) {
                tell(&findings, index, group, worker, serving - stuck);
            }
            if stuck == serving {
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
            Sign::Progress(worker.jobs_done + worker.jobs_panicked)
        }
        _ => Sign::Idle,
    };
    workers.iter().map(|worker| (sign(worker), patience(gauges))).collect()
}

/// How long a hash may take: far longer than one takes here, and never short.
pub(super) fn patience(gauges: &Gauges) -> Duration {
    gauges.hash(Urgency::Urgent).get().saturating_mul(HASH_STUCK_HASHES).max(HASH_STUCK_AFTER)
}

fn tell(findings: &[Finding], index: usize, group: usize, worker: &WorkerReport, left: usize) {
    let cpu = worker.spec.cpu;
    for finding in findings {
        match finding {
            Finding::Stalled { index: stalled, silent } if *stalled == index => {
                let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
                tracing::error!(group, cpu, silent_ms, left, "a password core does not come to the end of a hash");
            }
            Finding::Recovered { index: recovered } if *recovered == index => {
                tracing::warn!(group, cpu, left, "a password core that was stuck has come to the end of its hash");
            }
            _ => {}
        }
    }
}
