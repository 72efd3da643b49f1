//! Sturdiness: what slow, rude and numerous clients can do to a real server, and what reaches it through proxies.
//! Counts what is answered and what is kept; never a judge of speed.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

#[path = "../support"]
mod support {
    pub(crate) mod client;
    pub(crate) mod metrics;
    pub(crate) mod pace;
    pub(crate) mod postgres;
    pub(crate) mod server;
    pub(crate) mod session;
    pub(crate) mod set_on_drop;
}

mod clients_that_leave;
mod descriptors_exhausted;
mod fronts;
mod many_connections;
mod process;
mod rude_clients;
mod slow_clients;
mod slowhttptest;

use std::{iter, path::PathBuf};

/// A program on the search path, or where Debian keeps servers; says so when it is missing.
fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(iter::once("/usr/sbin".into()));
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: {name} is missing; on Debian: apt-get install {name}");
    }
    found
}
