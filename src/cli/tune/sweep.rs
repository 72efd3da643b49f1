//! The sweep itself: begins or resumes it, measures what is left step by step, and writes what is known after each.

use super::{
    super::{CliError, Context, placement, serve},
    Args,
    database::Database,
    folder::{Folder, RECOMMENDED},
    generator::Generator,
    interrupt::Interrupt,
    measure::Bench,
    page,
    points::{Variation, product},
    profile,
    progress::Progress,
    results::{Results, Run, Sweep},
    schedule::{self, Step},
    server::Setup,
    verdict::Verdict,
};
use crate::{
    cli::context::read_text,
    config::{CliValues, Source},
    hardening::Random,
    postgres::scratch::ScratchName,
};
use jiff::Timestamp;
use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// When the first runs all fail, so would the others.
const FAULTS_AT_FIRST_MAX: usize = 3;

/// What a sweep has come to.
pub(super) struct Outcome {
    pub(super) results: Results,
    pub(super) verdict: Verdict,
    pub(super) folder: PathBuf,
    /// How many steps are left; none unless it was interrupted or some have failed.
    pub(super) left: usize,
    /// What stands in the way of the recommended profile.
    pub(super) notes: Vec<String>,
}

/// Begins the sweep that the arguments ask for.
pub(super) fn begin(args: &Args, context: &Context) -> Result<(Folder, Results, Generator), CliError> {
    let variations = args.vary.iter().map(|text| Variation::parse(text)).collect::<Result<Vec<_>, _>>()?;
    let now = Timestamp::now();
    let default = || PathBuf::from("tune-results").join(now.strftime("%Y%m%dT%H%M%SZ").to_string());
    let path = args.output.clone().unwrap_or_else(default);
    let mut profiles = Vec::new();
    for profile in &args.profiles {
        let text = read_text(profile).map_err(|error| {
            CliError::usage(format!("the tuning profile {} cannot be read: {error}", profile.display()))
        })?;
        profiles.push((profile.as_path(), text));
    }
    // Whatever cannot be used is told before anything is made.
    let named = profiles.iter().map(|(profile, _)| profile.display().to_string());
    let named: Vec<_> = named.map(|path| (path.clone(), path)).collect();
    for point in product(&named, &variations)? {
        profile::resolved(context, &point, Path::new(""))?;
    }
    let generator = Generator::find(args.generator, &args.scenario, path.join("work"))?;
    if args.rate.is_some() && generator.kind != super::generator::Kind::K6 {
        return Err(CliError::usage("wrk cannot keep a rate").with_hint("add --generator k6"));
    }
    let folder = Folder::create(&path)?;
    let mut kept = Vec::new();
    for (number, (profile, text)) in profiles.iter().enumerate() {
        kept.push((profile.display().to_string(), folder.keep_profile(number + 1, profile, text)?));
    }
    let mut random = Random::new().map_err(|error| CliError::failed(&error))?;
    let mut number = || random.bytes().map(u64::from_le_bytes).map_err(|error| CliError::failed(&error));
    // Short enough to be typed again.
    let seed = args.seed.map_or_else(|| number().map(|number| number % 1_000_000), Ok)?;
    let base = placement::resolve(context, &CliValues::none())?;
    let sweep = Sweep {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        machine: machine(base.topology.cores.len()),
        seed,
        repeats: args.repeats,
        seconds: args.seconds,
        warm_up_seconds: args.warm_up,
        generator: generator.kind,
        generator_version: generator.version.clone(),
        scenario: args.scenario.clone(),
        clients: args.clients,
        rate: args.rate,
        goal: args.goal,
        database: ScratchName::new(number()?),
        postgresql: String::new(),
        points: product(&kept, &variations)?,
        settings: base.provenance.to_json(),
    };
    let results = Results { sweep, runs: Vec::new() };
    Ok((folder, results, generator))
}

/// Goes on with one. What it is compared with must have been measured under the same settings.
pub(super) fn resume(path: &Path, context: &Context) -> Result<(Folder, Results, Generator), CliError> {
    let (folder, results) = Folder::open(path)?;
    let sweep = &results.sweep;
    let settings = placement::resolve(context, &CliValues::none())?.provenance.to_json();
    if settings != sweep.settings || sweep.version != env!("CARGO_PKG_VERSION") {
        return Err(CliError::usage("this sweep was begun with other settings or another version of jeday").with_hint(
            "give the same --config, --set and environment as when it began; they stand in results.json under settings",
        ));
    }
    let generator = Generator::find(Some(sweep.generator), &sweep.scenario, folder.path().join("work"))?;
    Ok((folder, results, generator))
}

/// Measures what is left.
pub(super) fn run(
    context: &Context,
    (folder, mut results, generator): (Folder, Results, Generator),
) -> Result<Outcome, CliError> {
    let progress = Progress::new();
    let interrupt = Interrupt::watch()?;
    let base = placement::resolve(context, &CliValues::none())?;
    let mut connections = 0;
    for point in &results.sweep.points {
        let placement = profile::resolved(context, point, folder.path())?;
        connections = connections.max(serve::database_connections(&placement.config, &placement.plan));
    }
    let work = folder.work()?;
    let generator = Generator { scripts: work.clone(), ..generator };
    generator.prepare()?;
    let (environment, memory_bytes) = (context.environment(), base.topology.memory_bytes);
    let name = results.sweep.database.clone();
    let database = Database::open(&base.config, environment, name, connections, memory_bytes, &interrupt)?;
    results.sweep.postgresql = database.describe();
    folder.write_results(&results)?;
    let sweep = results.sweep.clone();
    let steps = schedule::steps(sweep.points.len(), sweep.repeats, sweep.seed);
    progress.say(&format!(
        "{} points, {} x {} s each, seed {}, on {}; results in {}",
        sweep.points.len(),
        sweep.repeats,
        sweep.seconds,
        sweep.seed,
        sweep.postgresql,
        folder.path().display()
    ));
    let mut measure = || {
        // Told before anything is measured: the role may not be allowed to.
        database.renew()?;
        let setup = Setup::new(context, &work, database.scratch_url())?;
        let bench =
            Bench { sweep: &sweep, database: &database, setup: &setup, generator: &generator, interrupt: &interrupt };
        measure_all(&bench, &steps, &folder, context, &mut results, &progress)
    };
    let measured = measure();
    progress.clear();
    // Also after a failure; which is then what is told.
    let closed = database.close();
    let notes = measured?;
    closed?;
    let left = steps.iter().filter(|step| !results.has(**step)).count();
    if left == 0 {
        folder.clear_work();
    }
    let verdict = Verdict::of(&results);
    Ok(Outcome { results, verdict, folder: folder.path().to_owned(), left, notes })
}

fn measure_all(
    bench: &Bench<'_>,
    steps: &[Step],
    folder: &Folder,
    context: &Context,
    results: &mut Results,
    progress: &Progress,
) -> Result<Vec<String>, CliError> {
    let sweep = bench.sweep;
    let planned = Duration::from_secs((sweep.seconds + sweep.warm_up_seconds).into());
    let todo: Vec<Step> = steps.iter().copied().filter(|step| !results.has(*step)).collect();
    let started = Instant::now();
    let mut faults_at_first = 0;
    for (done, step) in todo.iter().enumerate() {
        let point = &sweep.points[step.point];
        let left = |done| schedule::time_left(todo.len() - done, done, started.elapsed(), planned);
        let number = steps.len() - todo.len() + done + 1;
        progress.begin(number, steps.len(), &point.name, left(done));
        let (began, at) = (Instant::now(), Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let profile = point.profile.as_ref().map(|file| folder.path().join(file));
        let outcome = bench.measure(point, profile.as_deref());
        if bench.interrupt.is_requested() {
            progress.say("interrupted: the run that was under way does not count");
            break;
        }
        let (figures, fault) = match outcome {
            Ok(figures) => (Some(figures), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let said = figures.as_ref().map(|it| format!("{:.0} requests/s, p99 {:.1} ms", it.requests_per_s, it.p99_ms));
        let shown = said.as_deref().ok_or(fault.as_deref().unwrap_or_default());
        let stop = fault.as_deref().filter(|_| done == faults_at_first).map(str::to_owned);
        let run = Run {
            point: step.point,
            repeat: step.repeat,
            at,
            took_s: began.elapsed().as_secs_f64(),
            figures,
            fault: fault.clone(),
        };
        results.add(run);
        // Before it is told: what was told is kept.
        write_all(folder, context, results)?;
        progress.end(number, steps.len(), &point.name, shown, left(done + 1));
        if let Some(fault) = stop {
            faults_at_first += 1;
            if faults_at_first == FAULTS_AT_FIRST_MAX {
                return Err(CliError::failure(fault).with_hint("no run has come to its end: their logs are in work/"));
            }
        }
    }
    write_all(folder, context, results)
}

/// Everything that is made from the figures; what stands in the way of the profile.
fn write_all(folder: &Folder, context: &Context, results: &Results) -> Result<Vec<String>, CliError> {
    folder.write_results(results)?;
    folder.write("results.csv", &results.csv())?;
    let verdict = Verdict::of(results);
    let Some(best) = verdict.best() else { return Ok(Vec::new()) };
    let resolved = profile::resolved(context, &results.sweep.points[best], folder.path())?;
    let text = profile::text(results, &verdict, &resolved.provenance)?;
    folder.write(RECOMMENDED, &text)?;
    let page = page::html(results, &verdict, &text).map_err(CliError::failure)?;
    folder.write("report.html", &page)?;
    overridden(context, results, best)
}

/// Settings of the winner that somebody sets elsewhere, where they win over a profile.
fn overridden(context: &Context, results: &Results, best: usize) -> Result<Vec<String>, CliError> {
    let base = placement::resolve(context, &CliValues::none())?.provenance;
    let notes = results.sweep.points[best].settings.iter().filter_map(|(key, _)| {
        let source = &base.get(key)?.source;
        let wins = matches!(source, Source::File { .. } | Source::Variable(_) | Source::Set);
        wins.then(|| format!("{key} is set by {source}, which wins over the profile: change it there"))
    });
    Ok(notes.collect())
}

/// What the sweep runs on, for people.
fn machine(cores: usize) -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or(std::env::consts::ARCH, |(_, name)| name.trim());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    format!("{model}, {cores} cores, {threads} threads, Linux {kernel}")
}
