//! The command line: one file a subcommand. Turns arguments into a call and an error into words; never does the work
//! itself.

use crate::config::Environment;
use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

pub mod bench;
mod completions;
pub mod config;
mod context;
pub mod doctor;
mod error;
pub mod keygen;
mod man;
pub mod migrate;
mod output;
mod placement;
pub mod plan;
mod scrape;
pub mod serve;
mod setting_flags;
pub mod status;
pub mod top;
pub mod tune;
pub mod worker;

#[cfg(test)]
mod tests;

pub use context::{Context, FileArgs};
pub use error::CliError;
pub use output::print;
pub use setting_flags::{Everything, OnlyDatabase, OnlyKeys, Scope, SettingFlags};

/// What `jeday --help` ends with.
const AFTER_HELP: &str = "\
Examples:
  jeday serve                      Try it: a private PostgreSQL, http://127.0.0.1:8080
  jeday config                     What is set, and where each value comes from
  jeday config --defaults          A configuration file to start from
  jeday serve --config jeday.toml

Settings:
  The first of these that names a setting wins: command line, environment,
  configuration file, tuning profile, the machine's topology, default.

Exit status:
  0  Success
  1  It was tried and failed
  2  Wrong usage: arguments or settings that cannot be used
  70 A server did not get on any more, and wants to be started again";

/// A self-hosted authentication server for REST clients: thread per core, io_uring, PostgreSQL.
#[derive(Parser)]
#[command(name = "jeday", bin_name = "jeday", version, after_help = AFTER_HELP, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    files: FileArgs,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Args),
    Worker(worker::Args),
    Status(status::Args),
    Top(top::Args),
    Migrate(migrate::Args),
    Keygen(keygen::Args),
    Config(config::Args),
    Doctor(doctor::Args),
    Plan(plan::Args),
    Tune(tune::Args),
    Bench(bench::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// The parser of the whole command line, for completions and the manual.
fn command() -> clap::Command {
    Cli::command()
}

/// Parses the arguments and runs the subcommand they name.
pub fn main() -> ExitCode {
    let environment = Environment::new(std::env::vars_os()).of_root(rustix::process::geteuid().is_root());
    run(std::env::args_os(), environment)
}

fn run(arguments: impl IntoIterator<Item = OsString>, environment: Environment) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    let Some(subcommand) = cli.command else {
        return finish(output::tolerate_gone_reader(command().print_help()));
    };
    let context = Context::new(cli.files, environment);
    finish(match subcommand {
        Command::Serve(args) => serve::run(&args, &context),
        Command::Worker(args) => worker::run(&args, &context),
        Command::Status(args) => status::run(&args, &context),
        Command::Top(args) => top::run(&args, &context),
        Command::Migrate(args) => migrate::run(&args, &context),
        Command::Keygen(args) => keygen::run(&args, &context),
        Command::Doctor(args) => doctor::run(&args, &context),
        Command::Plan(args) => plan::run(&args, &context),
        Command::Tune(args) => tune::run(&args, &context),
        Command::Bench(args) => bench::run(&args, &context),
        Command::Config(args) => config::run(&args, &context),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    })
}

/// What clap has to say: help and version go to standard output and are no errors.
fn explain(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        // A standard error that is gone leaves the exit status to tell.
        let _ = std::io::stderr().write_all(b"jeday: ");
    }
    let _ = error.print();
    match error.use_stderr() {
        true => CliError::usage_status(),
        false => ExitCode::SUCCESS,
    }
}

fn finish(outcome: Result<ExitCode, CliError>) -> ExitCode {
    match outcome {
        Ok(status) => status,
        Err(error) => {
            let _ = std::io::stderr().write_all(error.report().as_bytes());
            error.status()
        }
    }
}
