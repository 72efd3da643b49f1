//! The password cores of a server or a worker: started as the plan says, and shown among the metrics.

use crate::{
    cli::CliError,
    config,
    hardening::{BacklogGauge, CoresConfig, Engine, Params, PasswordCores, Preset},
    limits::BACKGROUND_QUEUE_MAX,
    telemetry::{BacklogFigures, HardeningFigures, WorkerFigures},
};
use shards::{offload::Serves, topology::Plan};
use std::{
    sync::PoisonError,
    time::{SystemTime, UNIX_EPOCH},
};

/// The parameters that the settings ask for.
pub(in crate::cli) fn params(config: &config::Hardening) -> Result<Params, CliError> {
    let preset: Preset = config.preset.name().parse().map_err(|error| CliError::failed(&error))?;
    let preset = preset.params();
    let memory_kib = config.memory.map_or(preset.memory_kib(), |bytes| u32::try_from(bytes >> 10).unwrap_or(u32::MAX));
    let count = |asked: Option<usize>, other| asked.map_or(other, |count| u32::try_from(count).unwrap_or(u32::MAX));
    let (passes, lanes) = (count(config.passes, preset.passes()), count(config.lanes, preset.lanes()));
    Params::new(memory_kib, passes, lanes, config.allow_weak_parameters).map_err(|error| CliError::failed(&error))
}

/// Starts them, and says what they hash with.
pub(super) fn start(config: &config::Config, plan: &Plan) -> Result<PasswordCores, CliError> {
    let hardening = &config.hardening;
    let cores = CoresConfig {
        params: params(hardening)?,
        urgent_max: hardening.queue_max,
        background_max: BACKGROUND_QUEUE_MAX,
        deadline: hardening.login_deadline,
    };
    let cores = PasswordCores::start(plan, cores).map_err(|error| CliError::failure(error))?;
    if let Engine::Reference { reason } = cores.engine() {
        tracing::warn!(%reason, "passwords are hashed by the slower engine");
    }
    Ok(cores)
}

/// What is shown of them at each scrape.
pub(super) fn figures(
    cores: &PasswordCores,
    backlog: &BacklogGauge,
) -> impl Fn() -> HardeningFigures + Send + Sync + use<> {
    let (handles, shared, backlog) = (cores.handles(), cores.shared(), backlog.clone());
    let engine = match cores.engine() {
        Engine::Fast { .. } => "fast",
        Engine::Reference { .. } => "reference",
    };
    move || {
        let reports: Vec<_> = handles.iter().map(|handle| handle.report()).collect();
        let backlog = backlog.lock().unwrap_or_else(PoisonError::into_inner);
        HardeningFigures {
            engine,
            workers: reports.iter().flat_map(|report| &report.workers).map(worker_figures).collect(),
            foreground_waiting: reports.iter().map(|report| report.urgent_waiting as u64).sum(),
            background_waiting: reports.iter().map(|report| report.background_waiting as u64).sum(),
            late: shared.late(),
            foreground_wait: shared.waited(),
            foreground_started: shared.started(),
            backlog: backlog
                .as_ref()
                .map(|seen| BacklogFigures { weak: seen.weak, oldest_age_ms: seen.oldest_unix_ms.map_or(0, age_ms) }),
        }
    }
}

fn worker_figures(worker: &shards::offload::WorkerReport) -> WorkerFigures {
    WorkerFigures {
        cpu: worker.spec.cpu.unwrap_or_default(),
        serves: match worker.spec.serves {
            Serves::Both => "both",
            Serves::Urgent => "foreground",
            Serves::Background => "background",
        },
        hashes: worker.jobs_done,
        failed: worker.jobs_panicked,
        busy: worker.busy,
    }
}

fn age_ms(unix_ms: u64) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX).saturating_sub(unix_ms)
}
