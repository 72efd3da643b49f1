//! The disk of the database is full: writes are told to come again, nothing that was confirmed is lost, whoever is
//! logged in goes on, and service is back by itself when there is room. Where PostgreSQL cannot write its log it ends,
//! and is back when somebody has made room and started it.

use crate::{
    await_service, eventually,
    load::Load,
    postmaster_killed::{await_end_of_outage, launch},
    rounds,
    support::{
        postgres::{Spec, TestCluster},
        server::{CHEAP, Deployment, PATIENCE, STAYS_WEAK},
    },
    turn,
};
use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const USE_A_SEGMENT: &str =
    "SELECT count(pg_logical_emit_message(false, '', repeat('x', 1000000))) FROM generate_series(1, 16)";

/// A small disk of its own; gone on drop.
struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Owned by whoever owns that folder.
    fn mount(mebibytes: u32, owned_as: &Path) -> Result<Disk, String> {
        let disk = Disk { folder: tempfile::Builder::new().prefix("jeday-disk-").tempdir().unwrap() };
        let size = format!("size={mebibytes}m,mode=0700");
        let mut mount = Command::new("mount");
        let output = mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(disk.path()).output();
        let output = output.map_err(|error| format!("mount: {error}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let owner = fs::metadata(owned_as).unwrap();
        chown(disk.path(), Some(owner.uid()), Some(owner.gid())).unwrap();
        Ok(disk)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Leaves no room at all.
    fn fill(&self) {
        let mut ballast = File::create(self.ballast()).unwrap();
        for size in [1 << 20, 4096] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).output();
    }
}

/// A disk for a cluster, or word of why there is none.
fn disk_for(cluster: &TestCluster, mebibytes: u32) -> Option<Disk> {
    let disk = Disk::mount(mebibytes, &cluster.socket_directory().join("data"));
    disk.inspect_err(|reason| eprintln!("skipped, no disk can be made here: {reason}")).ok()
}

#[test]
fn full_disk_costs_writes_alone_until_there_is_room() {
    let _turn = turn();
    let cluster = TestCluster::start(&Spec::default());
    let Some(disk) = disk_for(&cluster, 64) else { return };
    let deployment = Deployment::on(&cluster);
    cluster.sql("postgres", &format!("CREATE TABLESPACE small LOCATION '{}'", disk.path().display()));
    cluster.sql("postgres", &format!("ALTER DATABASE {} SET TABLESPACE small", deployment.database()));
    let server = deployment.serve_with(&[CHEAP, &[STAYS_WEAK, "tokens.sessions_per_user=1000"]].concat());
    let member = server.connect().new_session("member@example.com");
    for round in 0..rounds(2, 10) {
        let load = Load::start(server.address(), &format!("round-{round}"), 8);
        load.await_created(50);
        disk.fill();
        // A page that has room still takes some; then no login can begin a session any more.
        let mut client = server.connect();
        eventually("a login needs room", || {
            let reply = client.login("member@example.com");
            let refused = reply.status == 503;
            assert!(refused || reply.status == 200, "{reply:?}");
            if refused {
                assert_eq!(reply.problem(), (503, "database_unavailable".to_owned()));
                assert!(reply.field("Retry-After").is_some(), "{reply:?}");
            }
            refused
        });
        let mut number = 0;
        eventually("a registration needs room", || {
            number += 1;
            let reply = client.register(&format!("pushes-in-{round}-{number}@example.com"));
            assert!([201, 503].contains(&reply.status), "{reply:?}");
            reply.status == 503
        });
        for _ in 0..50 {
            assert_eq!(client.authorized("GET", "/auth/me", &member.access).status, 200);
            assert_eq!(client.authorized("GET", "/auth/sessions", &member.access).status, 200);
        }
        assert!(server.log().contains("disk_full"), "{}", server.log());
        let refused = load.stop();
        assert!(refused.problems("database_unavailable") > 0, "{refused:?}");
        refused.check(&deployment);
        disk.make_room();
        let room = Instant::now();
        await_service(&server, &format!("after-{round}"));
        eprintln!(
            "lost 0 of {}, {} told to try again, back {} ms after there is room",
            refused.created().count(),
            refused.problems("database_unavailable"),
            room.elapsed().as_millis()
        );
        assert_eq!(client.login("member@example.com").status, 200);
    }
    server.stop();
}

/// Whether it has ended, or ends now.
fn postmaster_is_gone(cluster: &TestCluster) -> bool {
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        if cluster.takes_connections() {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}

#[test]
fn full_disk_of_the_log_loses_nothing_that_was_confirmed() {
    let _turn = turn();
    let cluster = TestCluster::start(&Spec { settings: "max_wal_size = 64MB\nmin_wal_size = 32MB", ..Spec::default() });
    let Some(disk) = disk_for(&cluster, 96) else { return };
    let deployment = Deployment::on(&cluster);
    cluster.stop("fast");
    let log = cluster.socket_directory().join("data/pg_wal");
    let move_away = "mv \"$1\"/* \"$2\" && rmdir \"$1\" && ln -s \"$2\" \"$1\"";
    let moved = Command::new("sh").arg("-c").arg(move_away).arg("sh").arg(&log).arg(disk.path()).status();
    assert!(moved.unwrap().success());
    cluster.launch();
    let server = deployment.serve_with(&[STAYS_WEAK]);
    let load = Load::start(server.address(), "load", 8);
    load.await_created(50);
    disk.fill();
    // It fills what segments it has, cannot make another one, and ends; nor can it start again.
    let until = Instant::now() + PATIENCE;
    while cluster.takes_connections() {
        // Records of their own, so that segments are used up sooner.
        cluster.try_sql("postgres", USE_A_SEGMENT);
        assert!(Instant::now() < until, "PostgreSQL goes on without a disk");
        thread::sleep(Duration::from_millis(5));
    }
    eventually("it says that it is not ready", || server.connect().get("/health/ready").status == 503);
    disk.make_room();
    // Its parent may have outlived it, and starts it again; or it has ended altogether, and somebody has to.
    if postmaster_is_gone(&cluster) {
        launch(&cluster);
    }
    await_end_of_outage(&cluster, &load, "room for the log");
    await_service(&server, "after");
    let journal = load.stop();
    journal.check(&deployment);
    eprintln!("lost 0 of {}", journal.created().count());
    server.stop();
}
