//! `jeday bench`: measures what one machine can do, to choose settings by. Starts no server.

use super::{CliError, Context};
use std::process::ExitCode;

mod argon2;

const AFTER_HELP: &str = "\
Examples:
  jeday bench argon2                  What a password hash takes on one core
  jeday bench argon2 --target-ms 20   The strongest that fits into 20 ms";

/// Measure this machine, to choose settings by
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum What {
    Argon2(argon2::Args),
}

/// Measures what was asked for.
///
/// # Errors
/// It cannot be measured here.
pub fn run(args: &Args, _: &Context) -> Result<ExitCode, CliError> {
    match &args.what {
        What::Argon2(args) => argon2::run(args),
    }
}
