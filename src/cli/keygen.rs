//! `jeday keygen`: its arguments.

use super::{OnlyKeys, SettingFlags};

const AFTER_HELP: &str = "\
Examples:
  jeday keygen --key-file /etc/jeday/keys    Make the file, readable by its owner alone
  jeday keygen --stdout                      Print the keys instead, for a secret store

Keep a copy in a safe place: without its keys, the passwords in a database
cannot be checked any more. An existing file is never overwritten.";

/// Make the peppers and keys that a server needs
#[derive(Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Print the keys instead of writing a file
    #[arg(long)]
    pub stdout: bool,

    /// Flags of single settings.
    #[command(flatten)]
    pub settings: SettingFlags<OnlyKeys>,
}
