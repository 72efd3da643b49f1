//! synchronous_commit off for role or database: refused at the start, and noticed when a connection is made again.

use crate::{
    await_service, eventually,
    support::{server::Deployment, server::Server},
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
        let health = server.connect().get("/health");
        assert_eq!(health.json()["checks"]["durability"], "not enforced");
        assert_eq!(server.connect().register("ada@example.com").status, 201);
        server.stop();
    }
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
