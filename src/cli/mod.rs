//! The command line: one file a subcommand.

use std::process::ExitCode;

/// Parses the arguments and runs the subcommand they name.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
