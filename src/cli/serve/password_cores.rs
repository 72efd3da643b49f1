//! The password cores of a server or a worker: started as the plan says, and shown among the metrics.

use crate::{
    cli::{CliError, placement::Placement},
    clock,
    hardening::{BacklogGauge, CoresConfig, Engine, PasswordCores, backlog::Seen},
    limits::BACKGROUND_QUEUE_MAX,
    telemetry::{BacklogFigures, HardeningFigures, WorkerFigures},
};
use shards::offload::{Serves, WorkerReport};
use std::sync::PoisonError;

/// Starts them; says what they hash with.
pub(super) fn start(placement: &Placement) -> Result<PasswordCores, CliError> {
    let hardening = &placement.config.hardening;
    let cores = CoresConfig {
        params: placement.hash,
        urgent_max: hardening.queue_max,
        background_max: BACKGROUND_QUEUE_MAX,
        deadline: hardening.login_deadline,
    };
    PasswordCores::start(&placement.plan, cores).map_err(|error| CliError::failed(&error))
}

/// What is shown of them at each scrape.
pub(super) fn figures(
    cores: &PasswordCores,
    backlog: &BacklogGauge,
) -> impl Fn() -> HardeningFigures + Send + Sync + use<> {
    let (reporter, backlog) = (cores.reporter(), backlog.clone());
    move || {
        let report = reporter.report();
        let sum = |of: fn(&crate::hardening::GroupReport) -> u64| report.groups.iter().map(of).sum();
        let workers = || report.groups.iter().flat_map(|group| &group.pool.workers);
        let seen = *backlog.lock().unwrap_or_else(PoisonError::into_inner);
        HardeningFigures {
            engine: match report.engine {
                Engine::Fast { .. } => "fast",
                Engine::Reference { .. } => "reference",
            },
            workers: workers().map(worker).collect(),
            foreground_waiting: sum(|group| group.pool.urgent_waiting as u64),
            background_waiting: sum(|group| group.pool.background_waiting as u64),
            late: sum(|group| group.late),
            no_memory: sum(|group| group.failed),
            unreadable: sum(|group| group.unreadable),
            stuck: workers().filter(|worker| worker.stuck).count() as u64,
            replaced: workers().map(|worker| worker.replaced as u64).sum(),
            backlog: seen.map(|Seen { backlog, overdue }| BacklogFigures {
                weak: backlog.weak,
                oldest_age_ms: backlog.oldest_unix_ms.map_or(0, age_ms),
                overdue,
            }),
        }
    }
}

fn worker(worker: &WorkerReport) -> WorkerFigures {
    WorkerFigures {
        cpu: worker.spec.cpu,
        serves: match worker.spec.serves {
            Serves::Both => "both",
            Serves::Urgent => "foreground",
            Serves::Background => "background",
        },
        hashes: worker.jobs_done,
        panicked: worker.jobs_panicked,
        busy: worker.busy,
    }
}

fn age_ms(unix_ms: u64) -> u64 {
    clock::unix_ms().saturating_sub(unix_ms)
}
