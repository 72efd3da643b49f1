//! The families of password hashing.

use super::{COUNTER, GAUGE, HISTOGRAM, Page};
use crate::telemetry::hardening::{HardeningFigures, WorkerFigures};
use crate::telemetry::histogram::{BucketTotals, DURATION_BUCKETS};
use std::time::Duration;

impl Page {
    pub(super) fn hardening(&mut self, figures: &HardeningFigures, wait: &BucketTotals<DURATION_BUCKETS>) {
        let name = "jeday_password_engine_info";
        self.family(name, GAUGE, "What computes Argon2id here; always 1.");
        self.value(name, &[("engine", figures.engine)], 1);
        self.workers(figures);
        let name = "jeday_password_wait_seconds";
        self.family(name, HISTOGRAM, "How long those who log in wait for a password core.");
        self.durations(name, &[], wait);
        let name = "jeday_password_jobs_waiting";
        self.family(name, GAUGE, "Hashes that wait for a password core: somebody waits for those in the foreground.");
        self.value(name, &[("queue", "foreground")], figures.foreground_waiting);
        self.value(name, &[("queue", "background")], figures.background_waiting);
        let name = "jeday_password_jobs_failed_total";
        self.family(name, COUNTER, "Hashes that were not computed: their time had passed, or there was no memory.");
        self.value(name, &[("reason", "late")], figures.late);
        self.value(name, &[("reason", "no_memory")], figures.no_memory);
        let name = "jeday_password_records_unreadable_total";
        self.family(name, COUNTER, "Stored records that could not be read, each answered as a wrong password.");
        self.value(name, &[], figures.unreadable);
        let name = "jeday_password_cores_stuck";
        self.family(name, GAUGE, "Workers for logins that are stuck in a hash and not replaced.");
        self.value(name, &[], figures.stuck);
        let name = "jeday_password_cores_replaced_total";
        self.family(name, COUNTER, "Workers that were stuck in a hash, and replaced.");
        self.value(name, &[], figures.replaced);
        if let Some(backlog) = figures.backlog {
            let name = "jeday_weak_passwords";
            self.family(name, GAUGE, "Weak records that wait to be hardened, counted up to a bound.");
            self.value(name, &[], backlog.weak);
            let name = "jeday_weak_password_age_seconds";
            self.family(name, GAUGE, "Age of the oldest weak record; 0 when there is none.");
            self.decimal::<3>(name, "", &[], backlog.oldest_age_ms);
            let name = "jeday_weak_passwords_overdue";
            self.family(name, GAUGE, "1 when one is older than hardening.weak_age_max while password cores are free.");
            self.value(name, &[], backlog.overdue.into());
        }
    }

    fn workers(&mut self, figures: &HardeningFigures) {
        let name = "jeday_password_hashes_total";
        self.family(name, COUNTER, "Hashes done, by worker and how they ended.");
        self.by_worker(figures, |page, labels, worker| {
            for (result, count) in [("done", worker.hashes), ("panicked", worker.panicked)] {
                page.value(name, &[labels, &[("result", result)]].concat(), count);
            }
        });
        let name = "jeday_password_busy_seconds_total";
        self.family(name, COUNTER, "Time spent hashing, by worker; its rate is the worker's utilisation.");
        self.by_worker(figures, |page, labels, worker| page.decimal::<9>(name, "", labels, nanoseconds(worker.busy)));
    }

    fn by_worker(
        &mut self,
        figures: &HardeningFigures,
        mut write: impl FnMut(&mut Page, &[(&'static str, &str)], &WorkerFigures),
    ) {
        for (number, worker) in figures.workers.iter().enumerate() {
            let (mut number_text, mut cpu_text) = (itoa::Buffer::new(), itoa::Buffer::new());
            let labels = [
                ("worker", number_text.format(number)),
                ("cpu", worker.cpu.map_or("any", |cpu| cpu_text.format(cpu))),
                ("serves", worker.serves),
            ];
            write(self, &labels, worker);
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
