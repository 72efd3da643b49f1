//! What the figures depend on: the machine, the versions, the settings. Unknown facts are said to be unknown.

use super::{
    Outcome,
    client::Console,
    cluster::{Cluster, SETTINGS},
    procfs,
};
use jiff::Timestamp;
use serde::Serialize;
use std::{fs, process::Command, thread};

/// Where and with what was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Facts {
    pub(crate) date: String,
    /// With `-dirty` when files differ from it.
    pub(crate) commit: String,
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mib: u64,
    pub(crate) kernel: String,
    /// Of the database's files: on some, writing through costs nothing.
    pub(crate) file_system: String,
    /// Processes that wanted a core before the start, averaged over a minute: others on this machine.
    pub(crate) load_average: f64,
    pub(crate) postgresql: String,
    pub(crate) postgresql_settings: Vec<String>,
    pub(crate) wrk: String,
}

impl Facts {
    /// The headline of a picture.
    pub(crate) fn title(&self, what: &str) -> String {
        let Facts { date, commit, cpu, cores, postgresql, .. } = self;
        format!("{what}, jeday {commit} ({date}), {cpu} with {cores} cores, PostgreSQL {postgresql}")
    }
}

#[cfg(test)]
impl Facts {
    /// Of no machine that exists.
    pub(crate) fn example() -> Facts {
        Facts {
            date: "2026-01-02T03:04:05Z".to_owned(),
            commit: "0123456789ab".to_owned(),
            cpu: "A CPU".to_owned(),
            cores: 2,
            memory_mib: 4096,
            kernel: "6.1".to_owned(),
            file_system: "ext2/ext3".to_owned(),
            load_average: 0.1,
            postgresql: "15.1".to_owned(),
            postgresql_settings: vec!["fsync=on".to_owned()],
            wrk: "wrk 4.1.0".to_owned(),
        }
    }
}

/// Looks them up before anything is measured.
pub(crate) fn gather(cluster: &Cluster, console: &Console, wrk: String) -> Outcome<Facts> {
    let names: Vec<String> = SETTINGS.iter().map(|(name, _)| format!("'{name}'")).collect();
    let settings = format!(
        "SELECT name || '=' || current_setting(name) FROM pg_settings WHERE name IN ({}) ORDER BY 1",
        names.join(",")
    );
    let version = console.column("SHOW server_version")?.pop();
    Ok(Facts {
        date: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        commit: output("git", &["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]),
        cpu: cpu().unwrap_or_else(unknown),
        cores: thread::available_parallelism().map_or(0, usize::from),
        memory_mib: fs::read_to_string("/proc/meminfo")
            .ok()
            .and_then(|text| procfs::parse_kib(&text, "MemTotal"))
            .map_or(0, |kib| kib / 1024),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
            .map_or_else(|_| unknown(), |text| text.trim().to_owned()),
        file_system: output("stat", &["-f", "-c", "%T", &cluster.directory().display().to_string()]),
        load_average: load_average().unwrap_or(f64::NAN),
        postgresql: version.unwrap_or_else(unknown),
        postgresql_settings: console.column(&settings)?,
        wrk,
    })
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => unknown(),
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}
