//! `jeday migrate`: up, down and status, also when many nodes start at once.

use crate::support::server::Deployment;
use std::process::{Output, Stdio};

/// Standard output of what must succeed.
fn migrate(deployment: &Deployment<'_>, arguments: &[&str]) -> String {
    said(deployment.jeday(["migrate"].iter().chain(arguments).copied()).output().unwrap())
}

fn said(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn steps(text: &str, word: &str) -> usize {
    text.lines().filter(|line| line.contains(word)).count()
}

#[test]
fn tables_go_up_and_down_and_up_again() {
    let deployment = Deployment::new();
    let all = steps(&migrate(&deployment, &["status"]), "applied");
    assert!(all >= 4);
    assert_eq!(migrate(&deployment, &["up"]), "nothing to do\n");
    assert_eq!(steps(&migrate(&deployment, &["down"]), "taken back"), 1);
    let status = migrate(&deployment, &["status"]);
    assert_eq!((steps(&status, "applied"), steps(&status, "pending")), (all - 1, 1), "{status}");
    assert_eq!(steps(&migrate(&deployment, &["down", "--steps", "100"]), "taken back"), all - 1);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'";
    assert_eq!(deployment.sql(tables), "0", "nothing is left behind");
    assert_eq!(steps(&migrate(&deployment, &["up"]), "applied"), all);
    assert_eq!(deployment.serve().connect().register("ada@example.com").status, 201);
}

#[test]
fn ten_nodes_migrate_at_once() {
    let deployment = Deployment::new();
    let all = steps(&migrate(&deployment, &["status"]), "applied");
    migrate(&deployment, &["down", "--steps", "100"]);
    let spawn = |_| deployment.jeday(["migrate", "up"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let nodes: Vec<_> = (0..10).map(spawn).collect();
    let applied: usize = nodes.into_iter().map(|node| steps(&said(node.wait_with_output().unwrap()), "applied")).sum();
    assert_eq!(applied, all, "each step was done by one of them");
    assert_eq!(deployment.sql("SELECT count(*) FROM deployment"), "1");
}

#[test]
fn data_survives_migrating_again() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    assert_eq!(server.connect().register("ada@example.com").status, 201);
    assert_eq!(migrate(&deployment, &["up"]), "nothing to do\n");
    assert_eq!(server.connect().register("ada@example.com").status, 409);
}

#[test]
fn database_must_be_named() {
    let output = crate::support::server::jeday(["migrate", "up"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("no database is named") && text.contains("DB_URL="), "{text}");
}
