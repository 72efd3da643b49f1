//! What Jeday is deployed with: containers, the filter of system calls, the systemd unit, the Debian package, and what
//! watches it. There is no container engine here: the same commands run with the same environment, under the same
//! filter, without one. Programs that are not installed are skipped with a message.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

#[path = "../support"]
mod support {
    pub(crate) mod client;
    pub(crate) mod postgres;
    pub(crate) mod server;
    pub(crate) mod tls;
}

mod containers;
mod monitoring;
mod package;
mod seccomp;
mod unit;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A program of `.tools` or of the path.
fn program(name: &str, from: &str) -> Option<PathBuf> {
    let on_path = env::var_os("PATH").into_iter().flat_map(|path| env::split_paths(&path).collect::<Vec<_>>());
    let mut found = [project().join(".tools")].into_iter().chain(on_path).map(|folder| folder.join(name));
    let found = found.find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: there is no {name}; {from}");
    }
    found
}

/// What it writes, when it succeeds.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out.into_owned()
}
