//! slowhttptest, whose whole trade is to keep servers busy: in all of its modes at once it finds the service available.

use crate::{
    installed,
    support::{
        pace::{given, turn},
        server::{Deployment, Server},
    },
};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
};
use tempfile::TempDir;

/// How long each mode goes on, in seconds; `JEDAY_TEST_SECONDS` asks for more.
const SECONDS: u64 = 12;

/// How long its probes wait for a reply. With 3 a machine with ten others at work on its two cores failed now and then,
/// and the server was not to blame.
const PROBE_SECONDS: &str = "10";

/// Mode, arguments of its own, and the path that it asks for.
const MODES: [(&str, &[&str], &str); 3] = [
    ("slow headers", &["-H", "-i", "1", "-x", "24"], "/health/live"),
    ("slow body", &["-B", "-i", "1", "-x", "24", "-s", "8192", "-f", "application/json"], "/auth/register"),
    // Pipelines 10 requests for the longest reply, and reads it 32 bytes at a time through a small window.
    ("slow read", &["-X", "-k", "10", "-w", "512", "-y", "1024", "-n", "1", "-z", "32"], "/openapi.json"),
];

/// Runs one mode, and checks each second of its report.
fn attack(program: &Path, server: &Server, folder: &Path, (name, arguments, path): (&str, &[&str], &str)) {
    let report = folder.join(name.replace(' ', "-"));
    let mut command = Command::new(program);
    let seconds = given("JEDAY_TEST_SECONDS", SECONDS).to_string();
    command
        .args(arguments)
        .args(["-c", "400", "-r", "200", "-p", PROBE_SECONDS, "-l", &seconds, "-g", "-o"])
        .arg(&report);
    command.args(["-u", &format!("http://{}{path}", server.address())]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let figures = fs::read_to_string(report.with_extension("csv")).unwrap_or_else(|_| panic!("{name}: {printed}"));
    let mut lines = figures.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let available = columns.iter().position(|column| column.trim() == "Service Available").expect("a known report");
    let seconds: Vec<&str> = lines.map(|line| line.split(',').nth(available).unwrap().trim()).collect();
    assert!(!seconds.is_empty() && seconds.iter().all(|value| *value != "0"), "{name}:\n{figures}\n{printed}");
    eprintln!("{name}: available in each of {} seconds", seconds.len());
}

#[test]
fn service_is_available_throughout_slowhttptest() {
    let _turn = turn();
    let Some(program) = installed("slowhttptest") else { return };
    let deployment = Deployment::new();
    let server = deployment.serve();
    let folder = TempDir::new().unwrap();
    thread::scope(|scope| {
        for mode in MODES {
            let (program, server, folder) = (&program, &server, folder.path());
            scope.spawn(move || attack(program, server, folder, mode));
        }
    });
    assert_eq!(server.connect().register("after@example.com").status, 201);
    server.stop();
}
