//! Registrations by wrk, of users that nobody has registered yet. Judges nothing of what it has seen.

use super::{
    Outcome, interrupt,
    process::{Process, bound},
    procfs,
    users::{DOMAINS, FIRST_NAMES, LAST_NAMES},
    wrk::Summary,
};
use rustix::process::Signal;
use std::{fs, net::SocketAddr, path::Path, process::Command, thread, time::Duration};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/tune/register.lua");

/// Between two looks at a running wrk.
const LOOK: Duration = Duration::from_millis(50);

/// What a load is made of.
pub(crate) struct Registrations<'a> {
    pub(crate) server: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) seconds: u64,
    /// Part of every address, so that runs into the same tables do not meet.
    pub(crate) tag: &'a str,
    /// For wrk's output.
    pub(crate) directory: &'a Path,
}

/// What has become of it.
pub(crate) struct Loaded {
    pub(crate) summary: Summary,
    pub(crate) cpu_ns: u64,
}

/// Fails with what to do when wrk is missing; tells its version otherwise.
pub(crate) fn find() -> Outcome<String> {
    // It takes being asked for its version as wrong usage, so only its output counts.
    let output = Command::new("wrk").arg("--version").output();
    let output = output.map_err(|_| "the load generator wrk is missing; on Debian: apt-get install wrk")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(said.lines().next().unwrap_or_default().split(" Copyright").next().unwrap_or_default().trim().to_owned())
}

/// Runs wrk to its end; `meanwhile` is called now and then.
pub(crate) fn run(load: &Registrations<'_>, mut meanwhile: impl FnMut() -> Outcome<()>) -> Outcome<Loaded> {
    let log = load.directory.join("wrk.log");
    let children_before_ns = procfs::ended_children_ns()?;
    let mut wrk = Process::start(command(load), Signal::KILL, Duration::from_secs(5), &log)?;
    while wrk.is_running()? {
        interrupt::check()?;
        meanwhile()?;
        thread::sleep(LOOK);
    }
    drop(wrk);
    let summary = Summary::find(&fs::read_to_string(&log)?)?;
    // Nothing else that the bench has started ends meanwhile.
    Ok(Loaded { summary, cpu_ns: procfs::ended_children_ns()? - children_before_ns })
}

fn command(load: &Registrations<'_>) -> Command {
    let Registrations { server, connections, seconds, tag, .. } = load;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    // wrk gives each thread the same number of connections, rounded down.
    let threads = (1..=cores.min(*connections)).rev().find(|threads| connections % threads == 0).unwrap_or(1);
    let mut command = bound("wrk", "KILL");
    command.args(["--threads", &threads.to_string(), "--connections", &connections.to_string()]);
    command.args(["--duration", &format!("{seconds}s"), "--timeout", "10s", "--script", SCRIPT]);
    command.arg(format!("http://{server}")).arg("--").arg(tag);
    command.args([FIRST_NAMES.join(","), LAST_NAMES.join(","), DOMAINS.join(",")]);
    command
}
