//! A newer node migrates the database while older ones serve: they go on, and start again where the migration says that
//! they can work with it.

use crate::{load::Load, support::server::Deployment, turn};

/// Does what a newer Jeday does when it migrates: some change, and the row that tells of it.
fn migrate(deployment: &Deployment<'_>, change: &str, compatible_from: &str) {
    deployment.sql(&format!(
        "BEGIN; LOCK TABLE schema_migrations; {change}; \
         INSERT INTO schema_migrations (version, name, checksum, compatible_from) \
         SELECT max(version) + 1, 'of_a_newer_one', '', {compatible_from} FROM schema_migrations; COMMIT"
    ));
}

#[test]
fn old_and_new_nodes_serve_side_by_side_during_a_migration() {
    let _turn = turn();
    let deployment = Deployment::new();
    let known = deployment.sql("SELECT max(version) FROM schema_migrations");
    let before = deployment.serve();
    let load = Load::start(before.address(), "before", 16);
    load.await_created(100);
    migrate(&deployment, "ALTER TABLE users ADD COLUMN nickname text DEFAULT 'none'", &known);
    load.await_created(100);

    let after = deployment.serve();
    let warning = after.await_log(
        "a newer jeday has migrated the database, in a way that this one can work with: replace this one soon",
    );
    assert_eq!((&warning["level"], warning["known"].to_string()), (&"WARN".into(), known));
    let more = Load::start(after.address(), "after", 16);
    more.await_created(100);
    load.await_created(100);
    for load in [load, more] {
        let journal = load.stop();
        journal.check(&deployment);
    }
    assert_eq!(after.connect().login("before-0-0@load.example").status, 200);
    let up = deployment.jeday(["migrate", "up"]).output().unwrap();
    assert_eq!(String::from_utf8(up.stdout).unwrap(), "nothing to do\n", "by an older node");
    before.stop();
    after.stop();
}

#[test]
fn old_node_does_not_start_where_it_could_not_serve() {
    let deployment = Deployment::new();
    let known: u32 = deployment.sql("SELECT max(version) FROM schema_migrations").parse().unwrap();
    for compatible_from in [(known + 1).to_string(), "NULL".to_owned()] {
        migrate(&deployment, "SELECT 1", &compatible_from);
        let output = deployment.jeday(["serve"]).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(&format!("knows migrations up to {known}, the database is at {}", known + 1)), "{text}");
        deployment.sql(&format!("DELETE FROM schema_migrations WHERE version > {known}"));
    }
    deployment.serve().stop();
}

#[test]
fn table_of_before_the_rule_is_read_and_written() {
    let deployment = Deployment::new();
    deployment.sql("ALTER TABLE schema_migrations DROP COLUMN compatible_from");
    deployment.serve().stop();
    for arguments in [["migrate", "down"], ["migrate", "up"]] {
        assert!(deployment.jeday(arguments).output().unwrap().status.success(), "{arguments:?}");
    }
    let told = deployment.sql("SELECT count(compatible_from) FROM schema_migrations");
    assert_eq!(told, "1", "what is applied from now on tells");
    deployment.serve().stop();
}
