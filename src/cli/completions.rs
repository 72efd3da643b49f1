//! `jeday completions`: scripts that let a shell complete the command line.

use super::output::print_bytes;
use super::{CliError, command};
use clap_complete::Shell;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  jeday completions bash > ~/.local/share/bash-completion/completions/jeday
  jeday completions zsh  > ~/.zfunc/_jeday       (with ~/.zfunc in fpath)
  jeday completions fish > ~/.config/fish/completions/jeday.fish";

/// Print a completion script for a shell
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    print_bytes(&script(args.shell))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "jeday", &mut script);
    script
}
