//! The machine and how the settings divide it: what `serve`, `plan`, `config` and `doctor` start from.

use super::{CliError, Context};
use crate::config::{CliValues, Config, Provenance, Suggestions};
use crate::hardening::Params;
use shards::topology::{self, Plan, PlanRequest, Topology};

/// Settings and placement; each depends on the other.
pub(super) struct Placement {
    pub(super) config: Config,
    pub(super) provenance: Provenance,
    pub(super) topology: Topology,
    pub(super) plan: Plan,
}

/// Reads the machine and resolves the settings, with what the plan makes of the machine as the topology's suggestion.
pub(super) fn resolve(context: &Context, values: &CliValues) -> Result<Placement, CliError> {
    let (asked, _) = context.settings(values, Suggestions::none())?;
    let topology = topology::read().map_err(|error| CliError::failed(&error))?;
    let request = PlanRequest {
        request_shards: asked.cores.request_shards,
        password_cores: asked.cores.password_cores,
        cpus: asked.cores.cpus.as_ref().map(|cpus| cpus.as_slice().to_vec()),
        password_worker_bytes: Params::default().memory_bytes(),
    };
    let plan = topology::plan(&topology, &request).map_err(|error| CliError::failed(&error))?;
    let suggestions = Suggestions::none()
        .with("cores.request_shards", plan.shards.len())
        .with("cores.password_cores", plan.password_cores.len());
    let (config, provenance) = context.settings(values, suggestions)?;
    Ok(Placement { config, provenance, topology, plan })
}
