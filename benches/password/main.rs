//! Logins, hardening and sessions end to end, against what one core can hash in the same run. Starts all that it needs
//! and stops all of it.
//!
//! Absolute figures differ from machine to machine and from hour to hour: all scenarios are repeated, and what has a
//! limit is set against the limit measured right before it and right after.
#![allow(clippy::print_stdout, clippy::print_stderr)]
// Without a harness the unit tests are left out, but not what they use; the test target bench_password runs them.
#![allow(dead_code, unused_imports)]

mod accounts;
mod bench;
mod clients;
mod drain;
mod guessing;
mod load;
mod login;
mod options;
mod picture;
mod raw;
mod registration;
mod report;
mod results;
mod serving;
#[path = "../support/mod.rs"]
mod support;
mod tally;
mod verdict;

use accounts::Accounts;
use bench::{Bench, Placement};
use options::{Options, Scenario};
use results::{FIGURES, Results, Run};
use serde::Serialize;
use std::{collections::BTreeMap, process::ExitCode};
use support::{
    Outcome, cluster::Cluster, facts, files, generator, interrupt, server::Setup, statistics::Spread, table,
};

/// Figures by name, beside what they are taken from.
#[derive(Serialize)]
struct WithFigures<'a> {
    #[serde(flatten)]
    results: &'a Results,
    figures: BTreeMap<&'static str, Option<Spread>>,
}

fn main() -> ExitCode {
    let options = Options::read();
    let measuring = options.measuring.clone();
    files::conclude("bench-password", &measuring, || run(options))
}

/// Measures, prints and writes; returns what went wrong.
fn run(options: Options) -> Outcome<Vec<String>> {
    let wrk = if options.includes(Scenario::Register) { generator::find()? } else { "wrk was not used".to_owned() };
    let cluster = Cluster::start()?;
    let console = cluster.console()?;
    let directory = tempfile::Builder::new().prefix("bench-password-").tempdir()?;
    let setup = Setup::new(&options.measuring.server, &options.settings(), cluster.url(), directory.path())?;
    let facts = facts::gather(&cluster, &console, wrk)?;
    let placement = Placement::find(&setup)?;
    println!("{}{}", table::facts(&facts), report::placement(&placement));
    let bench = Bench { cluster: &cluster, console: &console, setup: &setup, options: &options, placement };
    let mut runs = Vec::new();
    for number in 1..=options.measuring.repeats {
        println!("run {number} of {}", options.measuring.repeats);
        runs.push(measure(&bench, number)?);
    }
    let placement = bench.placement.clone();
    let results = Results { facts, options: options.clone(), placement, runs };
    let verdicts = verdict::all(&results);
    println!("\n{}\n{}", report::figures(&results), table::verdicts(&verdicts));
    let faults = results.faults();
    let figures = FIGURES.iter().map(|(name, _, figure)| (*name, results.spread(figure))).collect();
    let told = WithFigures { results: &results, figures };
    let document = files::Document { results: &told, verdicts: &verdicts, faults: &faults };
    let picture = picture::draw(&results)?;
    files::write(&options.measuring.output, "password", &results.facts.date, &document, &picture)?;
    Ok(faults)
}

/// Each scenario that was asked for, once.
fn measure(bench: &Bench<'_>, number: u32) -> Outcome<Run> {
    let includes = |scenario| bench.options.includes(scenario);
    let mut run = Run::default();
    if includes(Scenario::Drain) {
        run.drain = Some(told(drain::measure(bench, number)?, report::drain));
    }
    if includes(Scenario::Register) {
        let pair = registration::measure(bench, number)?;
        println!("{}\n{}", report::registration(&pair.off), report::registration(&pair.on));
        run.registration = Some(pair);
    }
    if ![Scenario::Login, Scenario::Serve, Scenario::Guess].map(includes).contains(&true) {
        return Ok(run);
    }
    interrupt::check()?;
    bench.console.start_afresh()?;
    let (mut server, _) = bench.setup.start()?;
    let accounts = Accounts::prepare(bench.console, &server)?;
    if includes(Scenario::Login) {
        run.login = Some(told(login::measure(bench, &mut server, &accounts)?, report::login));
    }
    if includes(Scenario::Serve) {
        run.serving = Some(told(serving::measure(bench, &mut server, &accounts, number)?, report::serving));
    }
    server.stop()?;
    if includes(Scenario::Guess) {
        for limited in [false, true] {
            run.guessing.push(told(guessing::measure(bench, &accounts, limited)?, report::guessing));
        }
    }
    Ok(run)
}

/// Prints a measurement as soon as it is there.
fn told<T>(measured: T, line: impl Fn(&T) -> String) -> T {
    println!("{}", line(&measured));
    measured
}
