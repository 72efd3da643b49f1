//! The password cores of a server or a worker: started as the plan says, and shown among the metrics.

use crate::{
    cli::CliError,
    config,
    hardening::{BacklogGauge, CoresConfig, Params, PasswordCores},
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
    todo!()
}
