//! Start, stop, start again; who is refused; what happens when PostgreSQL itself dies.

use crate::support::{Door, Owner, PATIENCE, alive, config, start, state, wait_until};
use jeday::postgres::cluster::{Cluster, ClusterError, ClusterEvent, Stopped};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    path::Path,
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::Instant,
};

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn data_outlives_a_stop_and_the_second_start_sets_nothing_up() {
    let state = state();
    let said = AtomicU32::new(0);
    let tell = |_: &str| {
        said.fetch_add(1, Ordering::Relaxed);
    };
    let cluster = Cluster::start(&config(state.path()), tell).unwrap();
    assert_eq!(said.load(Ordering::Relaxed), 1);
    let door = Door::of(&cluster);
    door.session(async |client| {
        client.batch_execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)").await.unwrap();
    });
    let pid = cluster.pid().unwrap();
    assert_eq!(cluster.stop(PATIENCE).unwrap(), Stopped::Cleanly);
    assert!(!alive(pid));

    let begun = Instant::now();
    let cluster = Cluster::start(&config(state.path()), |said| panic!("{said}")).unwrap();
    eprintln!("the second start took {:?}", begun.elapsed());
    assert_eq!(Door::of(&cluster).value("SELECT n FROM kept"), "42");
    let pid = cluster.pid().unwrap();
    drop(cluster);
    assert!(!alive(pid), "dropping the cluster stops PostgreSQL");
}

#[test]
fn the_settings_are_durable_private_and_of_the_size_asked_for() {
    let state = state();
    let cluster = start(state.path());
    let door = Door::of(&cluster);
    for (setting, expected) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("max_connections", "33"),
        ("shared_buffers", "128MB"),
        ("server_encoding", "UTF8"),
        ("is_superuser", "off"),
    ] {
        assert_eq!(door.value(&format!("SHOW {setting}")), expected, "{setting}");
    }
    let superuser = Door { user: "postgres".to_owned(), ..door };
    assert_eq!(superuser.value("SHOW is_superuser"), "on");
}

#[test]
fn what_the_operator_puts_into_the_custom_file_wins() {
    let state = state();
    drop(start(state.path()));
    fs::write(state.path().join("postgres/custom.conf"), "work_mem = '7MB'\nmax_wal_size = '2GB'\n").unwrap();
    let cluster = start(state.path());
    assert_eq!(Door::of(&cluster).value("SHOW work_mem"), "7MB");
    assert_eq!(Door::of(&cluster).value("SHOW max_wal_size"), "2GB");
}

#[test]
fn a_second_server_with_the_same_state_is_told_who_has_it() {
    let state = state();
    let owner = Owner::start(state.path(), None);
    let error = Cluster::start(&config(state.path()), |_| {}).unwrap_err();
    assert!(matches!(error, ClusterError::InUse { pid: Some(pid), .. } if pid == owner.pid()), "{error}");
    assert!(error.to_string().contains(&format!("process {}", owner.pid())));
    assert!(alive(owner.postmaster), "the first is left in peace");
    owner.dismiss();
    start(state.path());
}

#[test]
fn an_interrupted_set_up_is_thrown_away_and_done_again() {
    let state = state();
    let major = start(state.path()).major_version();
    let home = state.path().join("postgres");
    let half = home.join(format!("{major}.new.1"));
    fs::rename(home.join(major.to_string()), &half).unwrap();
    fs::remove_dir_all(half.join("global")).unwrap();

    let cluster = start(state.path());
    assert_eq!(Door::of(&cluster).value("SELECT 1"), "1");
    assert!(!half.exists());
}

#[test]
fn a_start_that_is_cancelled_leaves_nothing_behind() {
    let state = state();
    let config = config(state.path());
    config.cancelled.store(true, Ordering::Relaxed);
    assert!(matches!(Cluster::start(&config, |_| {}), Err(ClusterError::Cancelled)));
    let left: Vec<_> = fs::read_dir(state.path().join("postgres")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");

    drop(start(state.path()));
    assert!(matches!(Cluster::start(&config, |_| {}), Err(ClusterError::Cancelled)));
    let data = fs::read_dir(state.path().join("postgres")).unwrap().flatten().map(|entry| entry.path());
    assert!(data.map(|data| data.join("postmaster.pid")).all(|file| !file.exists()));
}

#[test]
fn a_postgres_that_dies_is_started_again_and_what_was_committed_is_there() {
    let state = state();
    let mut cluster = start(state.path());
    let (tell, told) = mpsc::channel();
    cluster.supervise(move |event| drop(tell.send(event))).unwrap();
    let door = Door::of(&cluster);
    door.session(async |client| {
        client.batch_execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (42)").await.unwrap();
    });
    let first = cluster.pid().unwrap();
    kill(first, Signal::KILL);
    let event = told.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(&event, ClusterEvent::Died { how } if how.contains("signal: 9")), "{event:?}");
    let event = told.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(event, ClusterEvent::Restarted { .. }), "{event:?}");
    assert_eq!(door.value("SELECT n FROM kept"), "42");
    assert_ne!(cluster.pid().unwrap(), first);
    assert_eq!(cluster.stop(PATIENCE).unwrap(), Stopped::Cleanly);
    assert!(told.recv_timeout(PATIENCE).is_err(), "a stop is not taken for a death");
}

#[test]
fn a_restart_that_fails_is_tried_again_until_it_is_told_to_stop() {
    let state = state();
    let mut cluster = start(state.path());
    let (tell, told) = mpsc::channel();
    cluster.supervise(move |event| drop(tell.send(event))).unwrap();
    let pid = cluster.pid().unwrap();
    fs::remove_file(state.path().join("postgres/pg_hba.conf")).unwrap();
    kill(pid, Signal::KILL);
    let mut pauses = Vec::new();
    while pauses.len() < 3 {
        if let ClusterEvent::NotRestarted { error, pause } = told.recv_timeout(PATIENCE).unwrap() {
            assert!(matches!(&error, ClusterError::Start { .. }), "{error}");
            pauses.push(pause);
        }
    }
    assert!(pauses.is_sorted() && pauses[0] < pauses[2], "{pauses:?}");
    assert_eq!(cluster.pid(), None);
    assert_eq!(cluster.stop(PATIENCE).unwrap(), Stopped::Before);
}

#[test]
fn a_state_directory_with_a_long_name_gets_its_socket_elsewhere() {
    let state = state();
    let long = state.path().join("x".repeat(100));
    // Passable for the account, where root runs this.
    fs::set_permissions(state.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let cluster = start(&long);
    let directory = cluster.socket_directory().to_owned();
    assert!(!directory.starts_with(state.path()));
    assert_eq!(Door::of(&cluster).value("SELECT 1"), "1");
    drop(cluster);
    fs::remove_dir(directory).unwrap();
}

#[test]
fn data_of_another_version_is_named_and_left_alone() {
    let state = state();
    let major = start(state.path()).major_version();
    let home = state.path().join("postgres");
    fs::rename(home.join(major.to_string()), home.join("9")).unwrap();
    let error = Cluster::start(&config(state.path()), |_| {}).unwrap_err();
    assert!(
        matches!(error, ClusterError::OtherVersion { data: 9, found: Some(found), .. } if found >= major),
        "{error}"
    );
    assert!(home.join("9/PG_VERSION").exists());
}

#[test]
fn a_machine_without_postgres_is_told_what_to_install() {
    let state = state();
    let mut config = config(state.path());
    config.programs = Some(Path::new("/nonexistent").to_owned());
    let error = Cluster::start(&config, |_| {}).unwrap_err();
    assert!(error.to_string().contains("apt-get install postgresql"), "{error}");
}

#[test]
fn damaged_data_gives_the_servers_own_reason() {
    let state = state();
    let major = start(state.path()).major_version();
    fs::remove_file(state.path().join(format!("postgres/{major}/global/pg_control"))).unwrap();
    let error = Cluster::start(&config(state.path()), |_| {}).unwrap_err();
    assert!(matches!(&error, ClusterError::Start { reason, .. } if reason.contains("pg_control")), "{error}");
    wait_until("the state directory is free again", || {
        !matches!(Cluster::start(&config_of(&state), |_| {}), Err(ClusterError::InUse { .. }))
    });
}

fn config_of(state: &tempfile::TempDir) -> jeday::postgres::cluster::ClusterConfig {
    config(state.path())
}
