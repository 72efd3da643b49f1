//! The files of settings in `tuning/`: PostgreSQL takes each, and works with that for two cores.

use crate::support::postgres::{Spec, TestCluster};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

fn fragment(cpus: usize) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tuning/cores-{cpus}.postgresql.conf"));
    fs::read_to_string(path).unwrap()
}

/// Names and values, as they stand there.
fn settings(text: &str) -> Vec<(&str, &str)> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(" = ")).collect()
}

#[test]
fn a_cluster_starts_with_the_settings_for_two_cores() {
    let text = fragment(2);
    let cluster = TestCluster::start(&Spec { settings: &text, ..Spec::default() });
    for (name, value) in settings(&text) {
        assert_eq!(cluster.sql("postgres", &format!("SHOW {name}")), value, "{name}");
    }
    let database = cluster.create_database();
    assert_eq!(cluster.sql(&database, "CREATE TABLE stored (id int); INSERT INTO stored VALUES (1) RETURNING id"), "1");
}

#[test]
fn postgresql_takes_the_settings_for_every_size() {
    let cluster = TestCluster::shared();
    for cpus in [1, 2, 4, 8, 16, 32, 64] {
        let text = fragment(cpus);
        let (_, connections) = *settings(&text).iter().find(|(name, _)| *name == "max_connections").unwrap();
        // Reads the whole file, refuses what it does not understand, and starts nothing. Not beside the cluster's data,
        // where another file would have the last word.
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(directory.path().join("postgresql.conf"), &text).unwrap();
        let mut command = cluster.as_owner("postgres");
        command.arg("-D").arg(directory.path()).args(["-C", "max_connections"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{cpus}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), connections, "{cpus}");
    }
}
