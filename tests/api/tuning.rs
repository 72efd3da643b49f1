//! `jeday tune` with runs of a second: that it measures what it is told to, keeps what it has when it is ended, and
//! leaves nothing behind. Never a judge of speed. Skipped where no load generator is installed.
#![allow(clippy::print_stderr)]

use crate::support::{
    postgres::TestCluster,
    server::{CHEAP, Deployment, PATIENCE},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
};
use tempfile::TempDir;

/// A command that finds the project's k6 as well; `None` without any generator.
fn tune(deployment: &Deployment<'_>, arguments: &[&str]) -> Option<Command> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools");
    let path = env::split_paths(&env::var_os("PATH")?).chain([tools]).collect::<Vec<_>>();
    if !path.iter().any(|folder| folder.join("wrk").is_file() || folder.join("k6").is_file()) {
        eprintln!("skipped: neither wrk nor k6 is installed");
        return None;
    }
    let mut command = deployment.jeday(["tune"].into_iter().chain(arguments.iter().copied()));
    command.args(CHEAP.iter().flat_map(|text| ["--set", text])).env("PATH", env::join_paths(path).unwrap());
    Some(command)
}

const SHORT: [&str; 8] = ["--repeats", "2", "--seconds", "1", "--warm-up", "0", "--clients", "8"];

fn results(folder: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("results.json")).unwrap()).unwrap()
}

/// No database of this sweep is left, and nothing was registered in the configured one.
fn expect_untouched(deployment: &Deployment<'_>, results: &Value) {
    let name = results["sweep"]["database"].as_str().unwrap();
    assert!(name.starts_with("jeday_tune_"), "{name}");
    assert_eq!(deployment.sql(&format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'")), "0");
    assert_eq!(deployment.sql("SELECT count(*) FROM users"), "0");
}

#[test]
fn a_sweep_measures_every_point_and_writes_the_winner_as_a_profile() {
    let deployment = Deployment::new();
    let files = TempDir::new().unwrap();
    let profiles = [100, 400].map(|size| {
        let file = files.path().join(format!("batch-{size}.toml"));
        fs::write(&file, format!("[registration]\nbatch_size = {size}\n")).unwrap();
        file.display().to_string()
    });
    let folder = files.path().join("results");
    let arguments = ["--profile", &profiles[0], "--profile", &profiles[1], "--seed", "7", "--output"];
    let Some(mut command) = tune(&deployment, &[&arguments[..], &[folder.to_str().unwrap()], &SHORT].concat()) else {
        return;
    };
    let output = command.output().unwrap();
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{told}");
    assert!(told.contains("seed 7") && told.lines().filter(|line| line.contains(" requests/s")).count() == 4, "{told}");
    // Two runs each are too few for any other answer.
    assert!(said.contains("Recommended by requests/s: ") && said.contains("within noise"), "{said}");

    let results = results(&folder);
    let runs = results["runs"].as_array().unwrap();
    for point in [0, 1] {
        assert_eq!(runs.iter().filter(|run| run["point"] == point).count(), 2, "{results}");
    }
    for run in runs {
        let figure = |name: &str| run["figures"][name].as_f64().unwrap_or_else(|| panic!("{name}: {run}"));
        assert_eq!((figure("failed"), figure("requests") > 0.0), (0.0, true), "{run}");
        assert!(figure("p50_ms") <= figure("p99_ms") && figure("server_cpu_us") > 0.0, "{run}");
        assert!(figure("database_cpu_us") > 0.0 && figure("generator_cpu_us") > 0.0, "{run}");
        assert!(figure("batch_users") >= 1.0 && figure("wal_bytes_per_user") > 100.0, "{run}");
    }
    assert_eq!(fs::read_to_string(folder.join("results.csv")).unwrap().lines().count(), 5);
    let report = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(report.contains("<svg") && profiles.iter().all(|profile| report.contains(profile)));
    assert!(!folder.join("work").exists(), "keys of the runs are gone");
    let recommended = folder.join("recommended.toml").display().to_string();
    let output = deployment.jeday(["config", "--profile", &recommended]).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && shown.contains(&format!("# from {recommended}:")), "{shown}");
    expect_untouched(&deployment, &results);
}

/// A sweep under way, and each line that it writes to standard error.
struct Sweep {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Sweep {
    fn start(mut command: Command) -> Sweep {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Sweep { child, lines }
    }

    fn await_line(&self, start: &str) {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{start}: {error}"));
            if line.starts_with(start) {
                return;
            }
        }
    }

    /// Ends it by a signal; how it ended, and what it said last.
    fn end(mut self, signal: Signal) -> (ExitStatus, String) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let said = self.lines.iter().collect::<Vec<_>>().join("\n");
        (self.child.wait().unwrap(), said)
    }
}

#[test]
fn a_sweep_that_was_ended_is_resumed_with_what_it_has() {
    let deployment = Deployment::new();
    let files = TempDir::new().unwrap();
    let folder = files.path().join("results");
    let path = folder.to_str().unwrap();
    let profile = files.path().join("profile.toml");
    fs::write(&profile, "[database]\nwrite_connections = 2\n").unwrap();
    let profile = profile.to_str().unwrap();
    let begin = ["--profile", profile, "--vary", "registration.batch_size=100,400", "--output", path];
    let Some(command) = tune(&deployment, &[&begin[..], &SHORT].concat()) else { return };
    let sweep = Sweep::start(command);
    sweep.await_line("1/4 ");
    let (status, said) = sweep.end(Signal::INT);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains("error: not finished: 3 of the runs are left") && said.contains("jeday tune --resume /"),
        "{said}"
    );
    let first = results(&folder);
    assert_eq!(first["runs"].as_array().unwrap().len(), 1);
    assert!(folder.join("report.html").is_file() && folder.join("recommended.toml").is_file());
    expect_untouched(&deployment, &first);

    // It has its own copy.
    fs::remove_file(profile).unwrap();
    // Nobody tidies up after this one but the kernel and whoever resumes it.
    let resumed = || tune(&deployment, &["--resume", path]).unwrap();
    let sweep = Sweep::start(resumed());
    sweep.await_line("2/4 ");
    assert_eq!(sweep.end(Signal::KILL).0.code(), None);
    assert_eq!(results(&folder)["runs"].as_array().unwrap().len(), 2);

    // Under other settings nothing could be compared.
    let output = resumed().args(["--set", "registration.queue_max=99"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");

    let output = resumed().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let last = results(&folder);
    assert_eq!(last["runs"].as_array().unwrap().len(), 4);
    assert_eq!(last["runs"][0], first["runs"][0], "what was measured stays");
    expect_untouched(&deployment, &last);
}

#[test]
fn a_role_that_may_not_make_databases_is_told_before_anything_is_measured() {
    let deployment = Deployment::new();
    let files = TempDir::new().unwrap();
    let folder = files.path().join("results");
    let arguments = ["--vary", "registration.batch_size=100,400", "--output", folder.to_str().unwrap()];
    let Some(mut command) = tune(&deployment, &[&arguments[..], &SHORT].concat()) else { return };
    let role = format!("nobody_in_{}", deployment.database());
    deployment.sql(&format!("CREATE ROLE {role} LOGIN"));
    command.env("DB_URL", TestCluster::shared().tcp_url(&role, deployment.database()));
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    for words in ["permission denied to create database", "hint: the role needs CREATEDB"] {
        assert!(told.contains(words), "{told}");
    }
    assert!(results(&folder)["runs"].as_array().unwrap().is_empty());
}

#[test]
fn a_value_that_cannot_be_used_is_told_before_anything_is_made() {
    let deployment = Deployment::new();
    let files = TempDir::new().unwrap();
    let folder = files.path().join("results");
    let arguments = ["--vary", "registration.batch_size=0,2", "--output", folder.to_str().unwrap()];
    let output = deployment.jeday(["tune"].into_iter().chain(arguments)).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("registration.batch_size=0: the least is 1"), "{told}");
    assert!(!folder.exists());
}
