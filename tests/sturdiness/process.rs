//! What the kernel knows of a server's process. Asked from outside, so that the answer needs none of what is counted.

use crate::support::server::Server;
use rustix::process::{Resource, Rlimit, getrlimit, prlimit, setrlimit};
use std::{fs, path::PathBuf};

fn proc(server: &Server, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{}/{file}", server.pid().as_raw_nonzero()))
}

/// How many descriptors are open.
pub(crate) fn descriptors(server: &Server) -> usize {
    fs::read_dir(proc(server, "fd")).unwrap().count()
}

/// Resident memory, in KiB.
pub(crate) fn resident_kib(server: &Server) -> u64 {
    let status = fs::read_to_string(proc(server, "status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// CPU time of all threads, in ticks of 10 ms (`USER_HZ`, proc(5)).
pub(crate) fn cpu_ticks(server: &Server) -> u64 {
    let stat = fs::read_to_string(proc(server, "stat")).unwrap();
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    // Fields 14 and 15, of which the name is the second.
    after_name.split_ascii_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

/// Lets the server open none but the descriptors that it has now: the limit is on numbers, and new descriptors take the
/// lowest.
pub(crate) fn exhaust_descriptors(server: &Server) {
    let free = (0..).find(|number| fs::symlink_metadata(proc(server, &format!("fd/{number}"))).is_err()).unwrap();
    limit_descriptors(server, Some(free));
}

/// Lets the server open as many as it could at its start.
pub(crate) fn free_descriptors(server: &Server) {
    limit_descriptors(server, getrlimit(Resource::Nofile).maximum);
}

fn limit_descriptors(server: &Server, current: Option<u64>) {
    let limits = Rlimit { current, maximum: getrlimit(Resource::Nofile).maximum };
    prlimit(Some(server.pid()), Resource::Nofile, limits).unwrap();
}

/// Lets this process, and the servers that it starts, open so many descriptors; false where that is not allowed.
pub(crate) fn allow_descriptors(wanted: u64) -> bool {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let higher = |limit: Option<u64>| limit.map(|limit| limit.max(wanted));
    current.is_none_or(|current| current >= wanted)
        || setrlimit(Resource::Nofile, Rlimit { current: higher(current), maximum: higher(maximum) }).is_ok()
}
