//! What the figures depend on: the machine, the versions, the settings. Unknown facts are said to be unknown.

use crate::{
    procfs,
    results::Facts,
    support::{
        Outcome,
        client::Console,
        cluster::{Cluster, SETTINGS},
    },
};
use jiff::Timestamp;
use std::{fs, process::Command, thread};

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
