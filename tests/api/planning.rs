//! `jeday plan` compares what it would take with the machine and with the database that is configured.

use crate::support::{
    postgres::TestCluster,
    server::{Deployment, jeday},
};
use serde_json::Value;
use std::process::Command;

const PROFILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tuning/cores-8.toml");

/// Whether it fits, and the plan as JSON.
fn planned(mut command: Command) -> (bool, Value) {
    let output = command.arg("--json").output().unwrap();
    let plan = serde_json::from_slice(&output.stdout);
    (output.status.success(), plan.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

#[test]
fn the_database_is_asked_how_many_connections_it_takes() {
    let deployment = Deployment::new();
    let asked = |settings: &[&str]| {
        let mut command = deployment.jeday(["plan", "--profile", PROFILE, "--cores", "8", "--memory", "32GiB"]);
        command.args(settings);
        planned(command)
    };
    let setting = |name: &str| deployment.sql(&format!("SHOW {name}")).parse::<u64>().unwrap();
    let (most, reserved) = (setting("max_connections"), setting("superuser_reserved_connections"));
    let (fits, plan) = asked(&[]);
    let postgresql = &plan["postgresql"];
    assert!(fits && plan["problems"].as_array().unwrap().is_empty(), "{plan}");
    assert_eq!((&postgresql["max_connections"], &postgresql["reserved_connections"]), (&most.into(), &reserved.into()));
    assert_eq!(postgresql["shared_buffers_bytes"], 32 << 20, "reached by socket, it takes this machine's memory");
    assert!(postgresql["source"].as_str().unwrap().starts_with("PostgreSQL 1"), "{plan}");

    let (fits, plan) = asked(&["--set", "database.write_connections=40"]);
    assert!(!fits);
    let remedy = plan["problems"][0]["remedy"].as_str().unwrap();
    let needed = plan["postgresql"]["connections"].as_u64().unwrap() + reserved;
    assert!(remedy.contains(&format!("max_connections of PostgreSQL to {needed} or more")), "{remedy}");
    // Asked for, the setting is not the database's but what it might be.
    assert!(asked(&["--set", "database.write_connections=40", "--max-connections", "1000"]).0);
}

#[test]
fn without_an_answer_the_file_beside_the_profile_counts() {
    let mut command = jeday(["plan", "--profile", PROFILE, "--cores", "8", "--memory", "32GiB"]);
    command.env("DB_URL", TestCluster::shared().tcp_url("nobody:hunter2", "nowhere"));
    let (fits, plan) = planned(command);
    assert!(fits, "{plan}");
    assert_eq!((&plan["postgresql"]["max_connections"]), 30);
    let source = plan["postgresql"]["source"].as_str().unwrap();
    assert!(source.contains("cores-8.postgresql.conf; ") && source.contains("nobody"), "{source}");
    assert!(!source.contains("hunter2"), "{source}");
}

#[test]
fn a_profile_for_more_cores_than_there_are_is_refused() {
    let output = jeday(["plan", "--profile", PROFILE, "--cores", "2"]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(words.contains("3 request shards") && words.contains("2 CPUs") && words.contains("\nhint: "), "{words}");
}

#[test]
fn memory_that_is_not_there_is_told_with_what_takes_the_most() {
    let (fits, plan) = planned(jeday(["plan", "--profile", PROFILE, "--cores", "8", "--memory", "4GiB"]));
    assert!(!fits);
    let problem = &plan["problems"][0];
    assert!(problem["message"].as_str().unwrap().ends_with("there are 4.0 GiB"), "{problem}");
    assert!(problem["remedy"].as_str().unwrap().contains("shared_buffers"), "{problem}");
}
