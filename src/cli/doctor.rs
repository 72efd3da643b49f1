//! `jeday doctor`: its arguments.

use super::{Everything, SettingFlags};

const AFTER_HELP: &str = "\
Examples:
  jeday doctor                          Kernel, io_uring, memory, files, huge pages
  DB_URL=postgres://... jeday doctor    And the database's settings
  jeday doctor --json

The exit status is 1 when something would keep the server from starting.";

/// Check the machine and the database, each with its remedy
#[derive(Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Print the findings as a JSON array
    #[arg(long)]
    pub json: bool,

    /// Flags of single settings.
    #[command(flatten)]
    pub settings: SettingFlags<Everything>,
}
