//! `jeday worker`: hardens what servers have stored, on a machine of its own or beside them. Serves no client.

use super::{CliError, Context, Everything, SettingFlags, placement, serve};
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  DB_URL=postgres://jeday:secret@db/auth jeday worker --key-file keys
      Every core hashes what any server has left weak
  jeday worker --set cores.cpus=8-15
      On these CPUs only

Any number of workers and servers may harden at once: each record is claimed by
one. Progress is at METRICS_ADDRESS, and shown by jeday status.

Signals:
  SIGTERM, SIGINT   Give back what is claimed and end with status 0";

/// Harden stored passwords, and nothing else
///
/// Does on a machine of its own what servers otherwise do beside their clients (hardening.background).
#[derive(Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Flags of single settings.
    #[command(flatten)]
    pub settings: SettingFlags<Everything>,
}

/// Works until a signal comes or something fails.
///
/// # Errors
/// Whatever keeps it from starting, or ends it before it is told to.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let placement = placement::resolve_for_worker(context, &args.settings.values)?;
    if placement.config.database.url.is_none() {
        return Err(CliError::failure("a worker needs the database that servers store passwords in")
            .with_hint("set DB_URL; the private cluster of jeday serve is hardened by jeday serve itself"));
    }
    if !placement.config.hardening.background {
        return Err(CliError::failure("hardening.background is off, which leaves a worker nothing to do"));
    }
    serve::bring_up(serve::Role::Worker, &placement, context)
}
