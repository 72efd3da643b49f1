//! `jeday plan`: shows which core does what. Starts nothing.

use super::{CliError, Context, placement, print};
use crate::config::CliValues;
use crate::hardening::core;
use serde_json::json;
use shards::topology;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  jeday plan                                 Which core does what on this machine
  jeday plan --set cores.password_cores=2    What it would be with two cores for passwords
  jeday plan --set cores.cpus=0-7            What it would be on the first eight CPUs";

/// Show how the machine's cores are divided between requests and passwords
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Print the plan as JSON
    #[arg(long)]
    pub json: bool,
}

/// Prints the plan.
///
/// # Errors
/// The settings cannot be used or ask for more than the machine has.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let placement = placement::resolve(context, &CliValues::none())?;
    let (topology, plan) = (&placement.topology, &placement.plan);
    let workers = core::worker_count(plan);
    let bytes_each = placement.hash.memory_bytes();
    if !args.json {
        let (mib_each, mib) = (bytes_each >> 20, (bytes_each * workers as u64) >> 20);
        let picture = topology::render(topology, plan);
        print(&format!(
            "{picture}\nMemory for hashing: {mib} MiB ({workers} x {mib_each} MiB), held from the start\n"
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let shards: Vec<_> = (plan.shards.iter())
        .map(|shard| json!({ "index": shard.index, "cpu": shard.cpu, "numa_node": shard.numa_node }))
        .collect();
    let password_cores: Vec<_> = (plan.password_cores.iter())
        .map(|core| {
            json!({
                "index": core.index,
                "cpu": core.cpu,
                "numa_node": core.numa_node,
                "shared_with_shard": core.shared_with_shard,
                "hash_memory_bytes": bytes_each * core.workers().len() as u64,
            })
        })
        .collect();
    let document = json!({
        "shards": shards,
        "password_cores": password_cores,
        "hash_memory_bytes": bytes_each * workers as u64,
        "notes": plan.notes,
    });
    print(&format!("{document:#}\n"))?;
    Ok(ExitCode::SUCCESS)
}
