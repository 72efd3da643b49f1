//! What makes the load: k6 with the project's scenarios, or wrk with registrations. Both scripts are part of the
//! program and are written out beside the results. Judges nothing of what a generator has seen.

use super::{
    super::{CliError, context::read_text, error::plain},
    child::{Process, bound, on_path},
    interrupt::Interrupt,
    procfs, wrk,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// Every file that a scenario is made of, below the folder of the scripts.
const FILES: [(&str, &str); 12] = [
    ("openapi.json", include_str!("../../../openapi.json")),
    ("register.lua", include_str!("register.lua")),
    ("k6/jeday.js", include_str!("../../../k6/jeday.js")),
    ("k6/sessions.js", include_str!("../../../k6/sessions.js")),
    ("k6/full-flow.js", include_str!("../../../k6/full-flow.js")),
    ("k6/health.js", include_str!("../../../k6/health.js")),
    ("k6/login.js", include_str!("../../../k6/login.js")),
    ("k6/mixed.js", include_str!("../../../k6/mixed.js")),
    ("k6/register-duplicates.js", include_str!("../../../k6/register-duplicates.js")),
    ("k6/register.js", include_str!("../../../k6/register.js")),
    ("k6/soak.js", include_str!("../../../k6/soak.js")),
    ("k6/spike.js", include_str!("../../../k6/spike.js")),
];

/// Modules that scenarios import, and scenarios without one load from begin to end.
const NOT_COMPARABLE: [&str; 4] = ["jeday", "sessions", "soak", "spike"];

/// The only scenario that wrk has.
pub(super) const REGISTER: &str = "register";

/// Connections of wrk where nothing else is asked for: enough for batches to form.
const WRK_CONNECTIONS: u32 = 256;

/// What wrk's registrations are made of: names and domains as people have them.
const WORDS: [&str; 3] =
    ["Mary,Wei,Mohammed,Sofia,Ivan,Aisha,Jose,Yuki,Priya", "Smith,Wang,Garcia,Kim,Singh,Silva", "load.example"];

/// What k6 ends with when a threshold was broken: no matter here.
const K6_THRESHOLD_BROKEN: i32 = 99;

/// Beside the load itself: a generator's start, setting up accounts, its end.
const SETUP_MAX: Duration = Duration::from_secs(120);

/// Between two looks at a running generator: rare enough not to disturb what is measured.
const LOOK: Duration = Duration::from_millis(50);

/// Which program makes the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Every scenario; takes far more CPU than what it measures
    K6,
    /// Registrations only; takes as much CPU as what it measures
    Wrk,
}

/// A generator that is installed, and what it is to do.
pub(super) struct Generator {
    pub(super) kind: Kind,
    pub(super) version: String,
    pub(super) program: PathBuf,
    pub(super) scripts: PathBuf,
}

/// One load.
pub(super) struct Load<'a> {
    pub(super) scenario: &'a str,
    pub(super) server: SocketAddr,
    pub(super) seconds: u32,
    pub(super) clients: Option<u32>,
    pub(super) rate: Option<u32>,
    /// Part of every address, so that two loads on one database do not meet.
    pub(super) tag: &'a str,
}

/// What has become of it.
#[derive(Debug, PartialEq)]
pub(super) struct Loaded {
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) requests_per_s: f64,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    pub(super) cpu_ns: u64,
}

/// Every scenario that points can be compared by.
pub(super) fn scenarios() -> impl Iterator<Item = &'static str> {
    let named = FILES.iter().filter_map(|(path, _)| path.strip_prefix("k6/")?.strip_suffix(".js"));
    named.filter(|name| !NOT_COMPARABLE.contains(name))
}

impl Generator {
    /// Finds the program: the one that is asked for; else wrk where it has the scenario and is installed, else k6.
    pub(super) fn find(kind: Option<Kind>, scenario: &str, scripts: PathBuf) -> Result<Generator, CliError> {
        let wrk = || on_path("wrk");
        let kind = match kind {
            Some(kind) => kind,
            None if scenario == REGISTER && wrk().is_some() => Kind::Wrk,
            None => Kind::K6,
        };
        let program = match kind {
            Kind::Wrk => wrk().ok_or_else(|| {
                CliError::failure("the load generator wrk is not installed").with_hint("on Debian: apt-get install wrk")
            })?,
            Kind::K6 => k6().ok_or_else(|| {
                CliError::failure("the load generator k6 is not installed")
                    .with_hint("put k6 on the PATH; in the project's folder `make k6` installs it as .tools/k6")
            })?,
        };
        let argument = if kind == Kind::Wrk { "--version" } else { "version" };
        // wrk takes being asked for its version as wrong usage, so only its output counts.
        let output = Command::new(&program).arg(argument).output().map_err(|error| CliError::failed(&error))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let version = said.lines().next().unwrap_or_default();
        let version = version.split(" Copyright").next().unwrap_or_default().trim().to_owned();
        Ok(Generator { kind, version, program, scripts })
    }

    /// Writes the scripts out.
    pub(super) fn prepare(&self) -> Result<(), CliError> {
        let write = || {
            fs::create_dir_all(self.scripts.join("k6"))?;
            FILES.iter().try_for_each(|(path, text)| fs::write(self.scripts.join(path), text))
        };
        write().map_err(|error| {
            CliError::failure(format!("{} cannot be written: {}", self.scripts.display(), plain(&error)))
        })
    }

    /// Runs it to its end.
    pub(super) fn run(&self, load: &Load<'_>, interrupt: &Interrupt) -> Result<Loaded, CliError> {
        let summary = self.scripts.join("summary.json");
        let command = match self.kind {
            Kind::K6 => self.k6_command(load, &summary),
            Kind::Wrk => self.wrk_command(load),
        };
        // What an earlier load has left must not be taken for this one's.
        let _ = fs::remove_file(&summary);
        let before_ns = ended_children_ns()?;
        let mut process = Process::start(command, Duration::ZERO, &self.scripts.join("generator.log"))?;
        let deadline = Instant::now() + Duration::from_secs(load.seconds.into()) + SETUP_MAX;
        let status = loop {
            if let Some(status) = process.ended()? {
                break status;
            }
            if Instant::now() > deadline {
                return Err(CliError::failure(format!("the generator does not end:\n{}", process.log_end())));
            }
            interrupt.pause(LOOK)?;
        };
        // Nothing else that the sweep has started ends meanwhile.
        let cpu_ns = ended_children_ns()?.saturating_sub(before_ns);
        match self.kind {
            Kind::Wrk => {
                wrk::Summary::find(&process.log()).map(|found| of_wrk(&found, cpu_ns)).map_err(CliError::failure)
            }
            Kind::K6 if status.success() || status.code() == Some(K6_THRESHOLD_BROKEN) => {
                let text = read_text(&summary).map_err(|error| {
                    CliError::failure(format!("k6 has left no summary ({}):\n{}", plain(&error), process.log_end()))
                })?;
                serde_json::from_str(&text)
                    .ok()
                    .and_then(|summary| of_k6(&summary, cpu_ns))
                    .ok_or_else(|| CliError::failure(format!("k6's summary is not as expected: {text}")))
            }
            Kind::K6 => Err(CliError::failure(format!("k6 has failed with {status}:\n{}", process.log_end()))),
        }
    }

    fn k6_command(&self, load: &Load<'_>, summary: &Path) -> Command {
        let mut command = bound(&self.program);
        command.args(["run", "--quiet", "--address="]);
        command.arg(self.scripts.join("k6").join(format!("{}.js", load.scenario)));
        command.env("K6_NO_USAGE_REPORT", "true").env("SUMMARY", summary);
        command.env("BASE_URL", format!("http://{}", load.server)).env("DURATION", format!("{}s", load.seconds));
        // Whoever tunes wants to see the slow as well.
        command.env("P95_MS", "60000").env_remove("VUS").env_remove("RATE");
        for (name, value) in [("VUS", load.clients), ("RATE", load.rate)] {
            if let Some(value) = value {
                command.env(name, value.to_string());
            }
        }
        command
    }

    fn wrk_command(&self, load: &Load<'_>) -> Command {
        let connections = load.clients.unwrap_or(WRK_CONNECTIONS);
        let cores = thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
        // wrk gives each thread the same number of connections, rounded down.
        let threads =
            (1..=cores.min(connections)).rev().find(|threads| connections.is_multiple_of(*threads)).unwrap_or(1);
        let mut command = bound(&self.program);
        command.args(["--threads", &threads.to_string(), "--connections", &connections.to_string()]);
        command.args(["--duration", &format!("{}s", load.seconds), "--timeout", "10s", "--script"]);
        command.arg(self.scripts.join("register.lua")).arg(format!("http://{}", load.server));
        command.arg("--").arg(load.tag).args(WORDS);
        command
    }
}

/// In the folder that the project's own Makefile puts it into, or on the path.
fn k6() -> Option<PathBuf> {
    let ours = PathBuf::from(".tools/k6");
    let ours = ours.is_file().then(|| fs::canonicalize(ours).ok()).flatten();
    ours.or_else(|| on_path("k6"))
}

fn ended_children_ns() -> Result<u64, CliError> {
    procfs::ended_children_ns().map_err(|error| CliError::failed(&error))
}

fn of_wrk(found: &wrk::Summary, cpu_ns: u64) -> Loaded {
    let ms = |us: u64| us as f64 / 1e3;
    Loaded {
        requests: found.requests,
        failed: found.not_2xx + found.socket_errors(),
        requests_per_s: found.created_per_s(),
        p50_ms: ms(found.p50_us),
        p95_ms: ms(found.p95_us),
        p99_ms: ms(found.p99_us),
        max_ms: ms(found.max_us),
        cpu_ns,
    }
}

/// Latencies are those of the slowest kind of request.
fn of_k6(summary: &Value, cpu_ns: u64) -> Option<Loaded> {
    let operations = summary["operations"].as_object()?;
    let slowest = |name: &str| operations.values().filter_map(|it| it[name].as_f64()).max_by(f64::total_cmp);
    let (requests, failed) = (summary["requests"].as_u64()?, summary["checks_failed"].as_u64()?);
    let seconds = summary["duration_s"].as_f64().filter(|seconds| *seconds > 0.0)?;
    Some(Loaded {
        requests,
        failed,
        requests_per_s: requests.saturating_sub(failed) as f64 / seconds,
        p50_ms: slowest("p50_ms")?,
        p95_ms: slowest("p95_ms")?,
        p99_ms: slowest("p99_ms")?,
        max_ms: slowest("max_ms")?,
        cpu_ns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_scenario_of_the_project_is_built_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("k6");
        let files = fs::read_dir(folder).unwrap().filter_map(|file| file.unwrap().file_name().into_string().ok());
        let scripts: BTreeSet<_> = files.filter(|name| name.ends_with(".js")).collect();
        let built_in = FILES.iter().filter_map(|(path, _)| path.strip_prefix("k6/")).map(str::to_owned);
        assert_eq!(built_in.collect::<BTreeSet<_>>(), scripts);
        assert!(scenarios().any(|name| name == REGISTER));
    }

    #[test]
    fn the_slowest_kind_of_request_counts() {
        let summary = serde_json::json!({
            "requests": 30, "checks_failed": 10, "duration_s": 2,
            "operations": {
                "me": { "p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0, "max_ms": 9.0 },
                "login": { "p50_ms": 4.0, "p95_ms": 5.0, "p99_ms": 6.0, "max_ms": 7.0 },
            },
        });
        let loaded = of_k6(&summary, 5).unwrap();
        assert_eq!((loaded.p50_ms, loaded.p99_ms, loaded.max_ms, loaded.requests_per_s), (4.0, 6.0, 9.0, 10.0));
        assert_eq!(of_k6(&serde_json::json!({}), 5), None);
    }
}
