//! `jeday plan`: shows which core does what, and what that takes of memory and of PostgreSQL. Starts nothing.

mod budget;
mod fragment;
mod room;

use super::{CliError, Context, Everything, SettingFlags, placement, print, serve};
use crate::config::values::bytes;
use budget::Budget;
use placement::Placement;
use serde_json::{Value, json};
use shards::topology::{self, Topology};
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  jeday plan                                   What this machine would do
  jeday plan --profile tuning/cores-8.toml     With the settings of a profile
  jeday plan --profile tuning/cores-8.toml --cores 8 --memory 32GiB
                                               The same on another machine
  jeday plan --set cores.password_cores=2      With two cores for passwords
  jeday plan --set cores.cpus=0-7              On the first eight CPUs

Connections are compared with max_connections: of the database that DB_URL
names, else of the file beside the profile (cores-8.postgresql.conf).

The exit status is 1 when the plan does not fit.";

/// Show how the machine is divided between requests, passwords and PostgreSQL, and whether that fits
#[derive(Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Print the plan as JSON
    #[arg(long)]
    pub json: bool,

    /// Plan for a machine of this many CPUs instead of this one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub cores: Option<u16>,

    /// Plan for a machine with this much memory, such as 32GiB
    #[arg(long, value_name = "SIZE", value_parser = bytes::parse)]
    pub memory: Option<usize>,

    /// Plan for a PostgreSQL with this setting, instead of asking one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_connections: Option<u32>,

    /// Flags of single settings.
    #[command(flatten)]
    pub settings: SettingFlags<Everything>,
}

/// Prints the plan.
///
/// # Errors
/// The settings cannot be used or ask for more CPUs than the machine has. What else does not fit is no error, but
/// decides the exit status.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let placement = placement::resolve_on(context, &args.settings.values, machine(args)?)?;
    let room = room::room(args.max_connections, context, &placement)?;
    let budget = Budget::of(&placement, room);
    print(&if args.json { format!("{:#}\n", as_json(&placement, &budget)) } else { as_text(&placement, &budget) })?;
    Ok(if budget.shortfalls().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn machine(args: &Args) -> Result<Topology, CliError> {
    let mut topology = placement::read()?;
    if let Some(cpus) = args.cores {
        topology = Topology::plain(usize::from(cpus), topology.memory_bytes);
    }
    if let Some(bytes) = args.memory {
        topology.memory_bytes = bytes as u64;
    }
    Ok(topology)
}

fn as_text(placement: &Placement, budget: &Budget) -> String {
    format!("{}\n{}", topology::render(&placement.topology, &placement.plan), budget.render())
}

fn as_json(placement: &Placement, budget: &Budget) -> Value {
    let (plan, bytes_each) = (&placement.plan, placement.hash.memory_bytes());
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
    let mut document = json!({ "shards": shards, "password_cores": password_cores, "notes": plan.notes });
    budget.add_to(&mut document);
    document
}

#[cfg(test)]
mod tests;
