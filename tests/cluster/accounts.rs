//! As root and as a plain user.

use crate::support::{Door, Owner, alive, config, somebody, start, state, state_of};
use jeday::postgres::cluster::{Cluster, ClusterError};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    os::unix::process::CommandExt,
    process::Command,
};

fn uid_of(pid: u32) -> u32 {
    fs::metadata(format!("/proc/{pid}")).unwrap().uid()
}

#[test]
fn root_runs_postgres_as_somebody_else_without_roots_groups() {
    if somebody("postgres").is_none() {
        return;
    }
    let state = state();
    let cluster = start(state.path());
    let pid = cluster.pid().unwrap();
    assert_ne!(uid_of(pid), 0);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
    assert_eq!(groups.trim(), "");
    // The account gets through to what is its own, and sees nothing else.
    assert_eq!(fs::metadata(state.path()).unwrap().mode() & 0o777, 0o701);
    assert_eq!(fs::metadata(cluster.socket_directory()).unwrap().mode() & 0o777, 0o700);
    assert_eq!(Door::of(&cluster).value("SELECT current_user"), "jeday");
}

#[test]
fn only_root_and_the_account_may_enter_even_when_the_directory_is_open() {
    let Some(nobody) = somebody("nobody") else { return };
    let state = state();
    let cluster = start(state.path());
    fs::set_permissions(cluster.socket_directory(), fs::Permissions::from_mode(0o755)).unwrap();
    let socket = cluster.socket_directory().join(".s.PGSQL.5432");
    fs::set_permissions(socket, fs::Permissions::from_mode(0o777)).unwrap();
    let output = Command::new("psql")
        .args(["-U", "jeday", "-d", "jeday", "-c", "SELECT 1", "-h"])
        .arg(cluster.socket_directory())
        .current_dir("/")
        .uid(nobody.uid.as_raw())
        .gid(nobody.gid.as_raw())
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && complaint.contains("Peer authentication failed"), "{complaint}");
}

#[test]
fn a_plain_user_runs_postgres_as_themselves() {
    let Some(nobody) = somebody("nobody") else { return };
    let state = state_of(&nobody);
    let owner = Owner::start(state.path(), Some(&nobody));
    assert_eq!(uid_of(owner.postmaster), nobody.uid.as_raw());
    let postmaster = owner.postmaster;
    owner.dismiss();
    assert!(!alive(postmaster));

    // Root goes on with a plain user's data as that user, and stops what that user's server has left.
    let mut owner = Owner::start(state.path(), Some(&nobody));
    owner.kill();
    let cluster = start(state.path());
    assert!(!alive(owner.postmaster));
    assert_eq!(uid_of(cluster.pid().unwrap()), nobody.uid.as_raw());
    assert_eq!(Door::of(&cluster).value("SELECT 1"), "1");
}

#[test]
fn a_closed_directory_on_the_way_is_named() {
    if somebody("postgres").is_none() {
        return;
    }
    let closed = state();
    let error = Cluster::start(&config(&closed.path().join("jeday")), |_| {}).unwrap_err();
    assert!(matches!(&error, ClusterError::Closed { closed: named, .. } if named == closed.path()), "{error}");
}
