//! `jeday migrate`: its arguments.

use super::{OnlyDatabase, SettingFlags};

const AFTER_HELP: &str = "\
Examples:
  jeday migrate status    Which migrations are applied, which are not
  jeday migrate up        Apply what is missing; safe on many nodes at once
  jeday migrate down      Take back the newest one

The database is the one that DB_URL names.";

/// Bring the database's tables to this version, or back
#[derive(Clone, clap::Args)]
#[command(after_help = AFTER_HELP, subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do.
#[derive(Clone, clap::Subcommand)]
pub enum Action {
    /// Apply every migration that is missing
    Up {
        /// Flags of single settings.
        #[command(flatten)]
        settings: SettingFlags<OnlyDatabase>,
    },
    /// Take back the newest migrations; what only they have room for is lost
    Down {
        /// How many to take back
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
        /// Flags of single settings.
        #[command(flatten)]
        settings: SettingFlags<OnlyDatabase>,
    },
    /// List the migrations and whether each is applied
    Status {
        /// Flags of single settings.
        #[command(flatten)]
        settings: SettingFlags<OnlyDatabase>,
    },
}
