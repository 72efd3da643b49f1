//! `jeday keygen`: makes the keys that a server needs. Never overwrites any.

use super::{CliError, Context, OnlyKeys, SettingFlags, print};
use crate::{
    config::Suggestions,
    keys::{self, KeyFile, KeyFileError},
};
use jiff::Timestamp;
use std::process::ExitCode;

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

/// Makes the keys.
///
/// # Errors
/// The file exists or cannot be written, or the system has no randomness to give.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let now = Timestamp::now();
    let keys = keys::generate(now).map_err(|error| CliError::failed(&error))?;
    if args.stdout {
        print(&keys::render(&keys, now))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (config, _) = context.settings(&args.settings.values, Suggestions::none())?;
    let path = config.keys.file.ok_or_else(|| {
        CliError::usage("no file is named for the keys").with_hint("name one: jeday keygen --key-file FILE")
    })?;
    KeyFile::create(&path, keys, now).map_err(|error| match error {
        KeyFileError::Exists { .. } => CliError::failed(&error),
        _ => CliError::failed(&error).with_hint("--key-file names another place; --stdout prints the keys instead"),
    })?;
    print(&format!("{}: new keys, readable by their owner alone; keep a copy in a safe place\n", path.display()))?;
    Ok(ExitCode::SUCCESS)
}
