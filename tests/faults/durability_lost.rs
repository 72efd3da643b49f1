//! Settings under which commits can be lost, of a role, a database or the whole server: refused at the start, noticed
//! when a connection is made again, and shown where they were allowed.

use crate::{
    await_service, eventually,
    support::{
        metrics::Metrics,
        postgres::{Spec, TestCluster},
        server::{Deployment, Server},
    },
    turn,
};

#[test]
fn server_does_not_start_where_commits_can_be_lost() {
    for setting in [
        "ALTER DATABASE {database} SET synchronous_commit = off",
        "ALTER ROLE postgres IN DATABASE {database} SET synchronous_commit = off",
    ] {
        let deployment = Deployment::new();
        deployment.sql(&setting.replace("{database}", deployment.database()));
        let (status, log) = Server::spawn(&mut deployment.jeday(["serve"])).wait();
        assert!(!status.success() && log.contains("synchronous_commit"), "{setting}: {status}: {log}");
        let server = deployment.serve_with(&["database.allow_unsafe_durability=true"]);
        check_that_it_is_shown(&server);
        server.stop();
    }
}

/// A server that was told to accept what it finds serves, and everybody can see it.
fn check_that_it_is_shown(server: &Server) {
    let health = server.connect().get("/health");
    assert_eq!(health.json()["checks"]["durability"], "not enforced");
    assert_eq!(Metrics::of(server).sum("jeday_database_unsafe_durability", &[]), 1.0);
    assert_eq!(server.connect().register("ada@example.com").status, 201);
}

#[test]
fn server_with_a_setting_that_loses_commits_is_refused_from_the_next_connection_on() {
    let _turn = turn();
    let cluster = TestCluster::start(&Spec::default());
    let deployment = Deployment::on(&cluster);
    let server = deployment.serve_with(&["database.deadline=500ms"]);
    assert_eq!(Metrics::of(&server).sum("jeday_database_unsafe_durability", &[]), 0.0);
    for setting in ["synchronous_commit", "fsync", "full_page_writes"] {
        let set = |value: &str| {
            cluster.sql("postgres", &format!("ALTER SYSTEM SET {setting} = {value}"));
            cluster.sql("postgres", "SELECT pg_reload_conf()");
            eventually("the setting is read", || cluster.sql("postgres", &format!("SHOW {setting}")) == value);
        };
        set("off");
        let (status, log) = Server::spawn(&mut deployment.jeday(["serve"])).wait();
        assert!(!status.success() && log.contains(setting), "{setting}: {status}: {log}");
        let allowed = deployment.serve_with(&["database.allow_unsafe_durability=true"]);
        check_that_it_is_shown(&allowed);
        allowed.stop();
        deployment.sql("DELETE FROM password_upgrade_queue; DELETE FROM users WHERE email = 'ada@example.com'");
        deployment
            .sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'jeday'");
        eventually("health says what is wrong", || {
            server.connect().get("/health").json()["checks"]["database"] == "not durable"
        });
        let reply = server.connect().register("meanwhile@example.com");
        assert_eq!(reply.problem(), (503, "database_unavailable".to_owned()));
        set("on");
        await_service(&server, setting);
    }
    server.stop();
}

#[test]
fn connection_that_is_made_again_is_refused_once_commits_can_be_lost() {
    let _turn = turn();
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["database.deadline=500ms"]);
    assert_eq!(server.connect().register("before@example.com").status, 201);
    let database = deployment.database();
    deployment.sql(&format!("ALTER DATABASE {database} SET synchronous_commit = off"));
    deployment.sql(&format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE application_name = 'jeday' AND datname = '{database}'"
    ));
    eventually("it says that it is not ready", || server.connect().get("/health/ready").status == 503);
    let reply = server.connect().register("meanwhile@example.com");
    assert_eq!(reply.problem(), (503, "database_unavailable".to_owned()));
    assert!(server.log().contains("synchronous_commit"), "{}", server.log());
    deployment.sql(&format!("ALTER DATABASE {database} RESET ALL"));
    await_service(&server, "after");
    assert_eq!(deployment.sql("SELECT count(*) FROM users WHERE email LIKE 'meanwhile%'"), "0");
    server.stop();
}
