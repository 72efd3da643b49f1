//! Arguments, then configuration, then run.

use std::process::ExitCode;

fn main() -> ExitCode {
    jeday::cli::main()
}
