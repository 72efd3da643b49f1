//! End-to-end registration against its limit, in one run: wrk through `jeday serve` into PostgreSQL, and in between
//! what PostgreSQL alone does with the same statement and the same batches. Starts all of it and stops all of it.
//!
//! Absolute figures differ from machine to machine and from hour to hour: points are taken in shuffled order, repeated,
//! and set against limits measured next to them.
#![allow(clippy::print_stdout, clippy::print_stderr)]
// Without a harness the unit tests are left out, but not what they use; the test target bench_register runs them.
#![allow(dead_code, unused_imports)]

mod idle;
mod limit;
mod observed;
mod options;
mod picture;
mod point;
mod report;
mod results;
mod sink;
#[path = "../support/mod.rs"]
mod support;
mod verdict;

use options::{Options, Part};
use point::Points;
use results::{LimitSample, Results};
use std::{process::ExitCode, time::Duration};
use support::{
    Outcome, client::Console, cluster::Cluster, facts, files, generator, interrupt, server::Setup,
    statistics::Shuffler, table, verdict::Verdict,
};

/// What hardening costs registration is for bench-password to tell: here it would also run beside PostgreSQL alone. The
/// memory of password cores, which is fixed and shown by `jeday plan`, would hide what registration takes.
const WITHOUT_PASSWORDS: [&str; 5] = [
    "hardening.background=false",
    "hardening.allow_weak_parameters=true",
    "hardening.memory=1MiB",
    "hardening.passes=1",
    "hardening.lanes=1",
];

/// PostgreSQL connections that the limit is measured with.
const LIMIT_CONNECTIONS: [usize; 2] = [1, 2];

/// What is measured at once.
#[derive(Clone, Copy)]
enum Unit {
    /// The server with this many connections, then PostgreSQL alone with the same batches.
    Server(usize),
    /// PostgreSQL alone with this batch size.
    Limit(usize),
}

fn main() -> ExitCode {
    let options = Options::read();
    let measuring = options.measuring.clone();
    files::conclude("bench-register", &measuring, || run(options))
}

/// Measures, prints and writes; returns what went wrong with users.
fn run(options: Options) -> Outcome<Vec<String>> {
    let wrk = if options.includes(Part::Server) || options.only == Some(Part::Observability) {
        generator::find()?
    } else {
        "wrk was not used".to_owned()
    };
    let cluster = Cluster::start()?;
    let console = cluster.console()?;
    let directory = tempfile::Builder::new().prefix("bench-register-").tempdir()?;
    let settings = [&WITHOUT_PASSWORDS.map(str::to_owned)[..], &options.measuring.set[..]].concat();
    let setup = Setup::new(&options.measuring.server, &settings, cluster.url(), directory.path())?;
    let facts = facts::gather(&cluster, &console, wrk)?;
    println!("{}", table::facts(&facts));
    if options.only == Some(Part::Observability) {
        return observed::run(&cluster, &console, &setup, facts, options);
    }
    let mut results = Results { facts, options, server: Vec::new(), limit: Vec::new(), idle: None };
    measure(&cluster, &console, &setup, &mut results)?;
    println!("\n{}\n{}\n{}", report::server(&results), report::limit(&results), report::idle(&results));
    let verdicts = verdict::all(&results);
    println!("{}", table::verdicts(&verdicts));
    let faults = results.faults();
    let document = files::Document { results: &results, verdicts: &verdicts, faults: &faults };
    let picture = picture::draw(&results)?;
    files::write(&results.options.measuring.output, "register", &results.facts.date, &document, &picture)?;
    Ok(faults)
}

fn measure(cluster: &Cluster, console: &Console, setup: &Setup, results: &mut Results) -> Outcome<()> {
    let options = results.options.clone();
    let sizes = match options.only {
        // There is no server to learn a size from, and one item is the shortest round trip there is.
        Some(Part::Limit) => [&[1], &options.batch_sizes[..]].concat(),
        _ => options.batch_sizes.clone(),
    };
    let servers = options.connections.iter().map(|connections| Unit::Server(*connections));
    let limits = sizes.iter().map(|size| Unit::Limit(*size));
    let mut units: Vec<Unit> = Vec::new();
    units.extend(servers.filter(|_| options.includes(Part::Server)));
    units.extend(limits.filter(|_| options.includes(Part::Limit)));
    let mut points = match options.includes(Part::Server) {
        true => Some(Points::new(cluster, console, setup.start()?.0, setup.directory(), options.measuring.seconds)),
        false => None,
    };
    let mut order = Shuffler::new(options.seed);
    if !units.is_empty() {
        limit::measure(cluster, console, 2, 300, 1)?;
    }
    if let (Some(points), Some(most)) = (&mut points, options.connections.iter().max()) {
        points.warm_up(*most)?;
    }
    for repeat in 1..=options.measuring.repeats {
        if units.is_empty() {
            break;
        }
        println!("repeat {repeat} of {}", options.measuring.repeats);
        order.shuffle(&mut units);
        for unit in &units {
            match (unit, &mut points) {
                (Unit::Server(connections), Some(points)) => {
                    let mut sample = points.measure(*connections)?;
                    println!("{}", report::server_line(&sample));
                    let size = (sample.batch_mean_users.round() as usize).max(1);
                    sample.limits = limits_of(cluster, console, size, &options, &mut order)?;
                    results.server.push(sample);
                }
                (Unit::Limit(size), _) => {
                    results.limit.extend(limits_of(cluster, console, *size, &options, &mut order)?);
                }
                (Unit::Server(_), None) => unreachable!("points of the server are planned only with a server"),
            }
        }
    }
    if let Some(points) = points {
        points.server.stop()?;
    }
    if options.includes(Part::Memory) {
        println!("memory, CPU and start of an idle server");
        // What the runs have left to be done is not to be taken for the start of a server.
        console.start_afresh()?;
        interrupt::pause(Duration::from_secs(1))?;
        results.idle = Some(idle::measure(setup)?);
    }
    Ok(())
}

fn limits_of(
    cluster: &Cluster,
    console: &Console,
    batch_users: usize,
    options: &Options,
    order: &mut Shuffler,
) -> Outcome<Vec<LimitSample>> {
    let mut connections = LIMIT_CONNECTIONS;
    order.shuffle(&mut connections);
    let mut samples = Vec::with_capacity(connections.len());
    for connections in connections {
        let sample = limit::measure(cluster, console, connections, batch_users, options.measuring.seconds)?;
        println!("{}", report::limit_line(&sample));
        samples.push(sample);
    }
    Ok(samples)
}
