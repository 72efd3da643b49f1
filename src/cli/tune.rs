//! `jeday tune`: measures profiles and settings against each other on this machine, and recommends one. Serves nobody,
//! and touches no database but one that it makes and drops again.

mod chart;
mod child;
mod database;
mod ending;
mod folder;
mod generator;
mod interrupt;
mod measure;
mod page;
mod points;
mod procfs;
mod profile;
mod progress;
mod rank;
mod results;
mod schedule;
mod server;
mod statistics;
mod sweep;
mod verdict;
mod wrk;

use super::{CliError, Context, print};
use clap::{
    ValueHint,
    builder::{PossibleValuesParser, TypedValueParser},
};
use folder::RECOMMENDED;
use generator::Kind;
use std::{fmt::Write, path::PathBuf, process::ExitCode};
use verdict::Goal;

const AFTER_HELP: &str = "\
Examples:
  jeday tune --vary registration.batch_size=100,200,400
      Three sizes of batches, 3 runs of 10 s each, in three minutes
  jeday tune --vary registration.batch_size=50,100,200,400 \\
             --vary database.write_connections=1,2,4
      Every combination
  jeday tune --profile tuning/cores-2.toml --profile mine.toml --scenario mixed
      Profiles against each other, under mixed requests by k6
  jeday tune --scenario login --vary cores.password_cores=1,2 --rate 50 --goal p99
      At 50 logins a second, by their latency
  jeday tune --resume tune-results/20260101T120000Z
      Go on after Ctrl-C, or measure again what has failed

Each run has a server of its own on free ports of the loopback and an empty
database: on the PostgreSQL that DB_URL names one called jeday_tune_... that is
dropped again (the role needs CREATEDB), else on a private PostgreSQL that is
gone afterwards. Load takes that PostgreSQL's machine from whoever uses it.

The folder of the results has report.html, results.csv, results.json, and the
best settings as recommended.toml for `jeday serve --profile`.";

/// Measure profiles and settings against each other, and recommend the best for this machine
///
/// Every combination is measured several times in shuffled order. The recommendation says when what it recommends
/// can't be told apart from others.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Tuning profile to measure; may be repeated
    // It stands in for the global option, which takes one.
    #[arg(id = "profile", long = "profile", value_name = "FILE", value_hint = ValueHint::FilePath)]
    profiles: Vec<PathBuf>,

    /// Tuning setting with the values to measure; may be repeated, for every combination
    #[arg(long, value_name = "KEY=VALUE,...")]
    vary: Vec<String>,

    /// Program that makes the load [default: wrk for registrations where it is installed, else k6]
    #[arg(long, value_name = "PROGRAM")]
    generator: Option<Kind>,

    /// What the load consists of: one of k6/, of which wrk has registrations only
    #[arg(long, value_name = "NAME", default_value = generator::REGISTER, value_parser = scenario_parser())]
    scenario: String,

    /// Virtual users or connections [default: the scenario's; 256 for wrk]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    clients: Option<u32>,

    /// Iterations that begin in a second whatever the server does, by k6
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,

    /// What the best has most or least of
    #[arg(long, value_name = "GOAL", default_value = "throughput")]
    goal: Goal,

    /// Runs of each point; fewer than 3 cannot be told apart
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: u32,

    /// Length of a run, in seconds
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,

    /// Load before each run that does not count, in seconds
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=3_600))]
    warm_up: u32,

    /// Seed of the order of the runs [default: a random one, which is shown]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Folder for the results [default: tune-results/ and the time]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    output: Option<PathBuf>,

    /// Go on with the sweep of this folder
    #[arg(
        long, value_name = "DIR", value_hint = ValueHint::DirPath,
        conflicts_with_all = [
            "profile", "vary", "generator", "scenario", "clients", "rate", "goal", "repeats", "seconds", "warm_up", "seed",
            "output",
        ]
    )]
    resume: Option<PathBuf>,
}

fn scenario_parser() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(generator::scenarios())
}

/// Measures, writes the results, and prints the recommendation.
///
/// # Errors
/// What is asked for makes no sense, nothing can be measured here, or it was interrupted; results are kept then.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    // The parser takes the first profile to measure for the global option, too.
    let context = &context.with_profile(None);
    let begun = match &args.resume {
        Some(folder) => sweep::resume(folder, context)?,
        None => {
            if args.generator == Some(Kind::Wrk) && args.scenario != generator::REGISTER {
                return Err(CliError::usage(format!("wrk has no scenario {}", args.scenario))
                    .with_hint("k6 has all of them: --generator k6"));
            }
            sweep::begin(args, context)?
        }
    };
    let outcome = sweep::run(context, begun)?;
    let sweep::Outcome { results, verdict, folder, left, notes } = outcome;
    let shown = folder.display();
    let mut text = format!("\n{}\n", page::summary(&results, &verdict));
    for sentence in verdict.sentences(&results).iter().chain(&notes) {
        let _ = writeln!(text, "{sentence}");
    }
    if verdict.best().is_some() {
        let _ = write!(text, "\nReport: {shown}/report.html\nProfile: jeday serve --profile {shown}/{RECOMMENDED}\n");
    }
    print(&text)?;
    match left {
        0 => Ok(ExitCode::SUCCESS),
        left => Err(CliError::failure(format!("not finished: {left} of the runs are left"))
            .with_hint(format!("jeday tune --resume {shown} goes on with them"))),
    }
}
