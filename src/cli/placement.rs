//! The machine and how the settings divide it: what `serve`, `plan`, `config` and `doctor` start from.

use super::{CliError, Context};
use crate::config::{self, CliValues, Config, Cores, Provenance, Suggestions};
use crate::hardening::{Params, ParamsError, Preset};
use shards::topology::{self, Plan, PlanRequest, Topology};

/// Settings and placement; each depends on the other.
pub(super) struct Placement {
    pub(super) config: Config,
    pub(super) provenance: Provenance,
    pub(super) topology: Topology,
    pub(super) plan: Plan,
    /// What a password hash costs.
    pub(super) hash: Params,
}

/// Reads the machine and resolves the settings, with what the plan makes of the machine as the topology's suggestion.
pub(super) fn resolve(context: &Context, values: &CliValues) -> Result<Placement, CliError> {
    resolve_on(context, values, read()?)
}

/// The same for a machine that need not be this one.
pub(super) fn resolve_on(context: &Context, values: &CliValues, topology: Topology) -> Result<Placement, CliError> {
    place(context, values, topology, |asked, _| (asked.request_shards, asked.password_cores))
}

/// This machine.
pub(super) fn read() -> Result<Topology, CliError> {
    topology::read().map_err(|error| CliError::failed(&error))
}

/// The same for a process that only hashes: every CPU is a password core, and one shard, which has little to do, shares
/// one of them.
pub(super) fn resolve_for_worker(context: &Context, values: &CliValues) -> Result<Placement, CliError> {
    place(context, values, read()?, |asked, topology| {
        let usable = asked.cpus.as_ref().map_or(topology.cores.len(), |cpus| cpus.as_slice().len());
        (Some(1), asked.password_cores.or(Some(usable)))
    })
}

fn place(
    context: &Context,
    values: &CliValues,
    topology: Topology,
    counts: impl Fn(&Cores, &Topology) -> (Option<usize>, Option<usize>),
) -> Result<Placement, CliError> {
    let (asked, _) = context.settings(values, Suggestions::none())?;
    let (request_shards, password_cores) = counts(&asked.cores, &topology);
    let hash = params(&asked.hardening)?;
    let request = PlanRequest {
        request_shards,
        password_cores,
        cpus: asked.cores.cpus.as_ref().map(|cpus| cpus.as_slice().to_vec()),
        password_worker_bytes: hash.memory_bytes(),
    };
    let plan = topology::plan(&topology, &request).map_err(|error| {
        CliError::failed(&error)
            .with_hint("settings of [cores] ask for it; jeday plan --cores N shows them on another machine")
    })?;
    let suggestions = Suggestions::none()
        .with("cores.request_shards", plan.shards.len())
        .with("cores.password_cores", plan.password_cores.len());
    let (config, provenance) = context.settings(values, suggestions)?;
    Ok(Placement { config, provenance, topology, plan, hash })
}

/// The parameters of Argon2id that the settings ask for.
fn params(config: &config::Hardening) -> Result<Params, CliError> {
    let preset: Preset = config.preset.name().parse().expect("settings and presets have the same names");
    let preset = preset.params();
    let or = |asked: Option<usize>, preset| asked.map_or(preset, |asked| u32::try_from(asked).unwrap_or(u32::MAX));
    let memory_kib = or(config.memory.map(|bytes| bytes >> 10), preset.memory_kib());
    let (passes, lanes) = (or(config.passes, preset.passes()), or(config.lanes, preset.lanes()));
    Params::new(memory_kib, passes, lanes, config.allow_weak_parameters).map_err(|error| {
        let failed = CliError::failed(&error);
        match error {
            ParamsError::Weak { .. } => failed.with_hint(
                "take more memory or a preset (ARGON2_PRESET); hardening.allow_weak_parameters=true accepts it as it is",
            ),
            _ => failed,
        }
    })
}
