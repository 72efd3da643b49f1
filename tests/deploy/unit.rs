//! The systemd unit: systemd understands it, finds it confined, and lets pass what Jeday needs.

use crate::{program, read, said, support::server::JEDAY};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};
use tempfile::TempDir;

/// systemd's measure of what a service could do, 0 to 100; below it calls a service well confined.
const EXPOSURE_MAX: &str = "20";

/// The unit with the program that was built, and systemd's way to look at it.
fn unit() -> Option<(TempDir, PathBuf, Command)> {
    let analyze = program("systemd-analyze", "it comes with systemd")?;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("jeday.service");
    fs::write(&path, read("deploy/jeday.service").replace("/usr/bin/jeday", JEDAY)).unwrap();
    Some((directory, path, Command::new(analyze)))
}

#[test]
fn systemd_understands_every_line() {
    let Some((_directory, path, mut analyze)) = unit() else { return };
    let output = analyze.arg("verify").arg(&path).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !words.contains("jeday.service"), "{words}");
}

#[test]
fn systemd_finds_it_well_confined() {
    let Some((_directory, path, mut analyze)) = unit() else { return };
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let told = said(analyze.args(["security", "--no-pager", "--offline=yes", &threshold]).arg(&path));
    assert!(told.contains("Overall exposure level"), "{told}");
}

#[test]
fn its_filter_lets_pass_what_that_of_containers_does() {
    let Some(analyze) = program("systemd-analyze", "it comes with systemd") else { return };
    let mut allowed = BTreeSet::new();
    for filter in read("deploy/jeday.service").lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let taken_away = filter.starts_with('~');
        let mut calls = BTreeSet::new();
        for set in filter.trim_start_matches('~').split(' ') {
            calls_of(&analyze, set, &mut calls);
        }
        allowed = if taken_away { &allowed - &calls } else { &allowed | &calls };
    }
    let profile: Value = serde_json::from_str(&read("deploy/seccomp.json")).unwrap();
    let groups = profile["syscalls"].as_array().unwrap().iter();
    let needed = groups.flat_map(|group| group["names"].as_array().unwrap()).map(|name| name.as_str().unwrap());
    let missing: Vec<_> = needed.filter(|name| !allowed.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The calls of a set of systemd's, which may hold others.
fn calls_of(analyze: &PathBuf, set: &str, calls: &mut BTreeSet<String>) {
    if !set.starts_with('@') {
        calls.insert(set.to_owned());
        return;
    }
    let told = said(Command::new(analyze).args(["syscall-filter", set]));
    for name in told.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        calls_of(analyze, name, calls);
    }
}
