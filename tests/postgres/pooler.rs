//! PgBouncer in transaction mode: two clients share one server connection, and neither must notice.

use super::*;
use jeday::postgres::connect::Prepare;
use jeday::postgres::link::LinkError;
use support::pooler::Pooler;

#[test]
fn two_clients_share_one_server_connection_unharmed() {
    let cluster = TestCluster::shared();
    let database = cluster.create_database();
    let pooler = Pooler::start(cluster, "transaction");
    on_shard(async {
        let (one, two) = (link(&pooler.url(&database)).await, link(&pooler.url(&database)).await);
        for link in [&one, &two] {
            assert!(link.server().pooled && !link.is_named());
        }
        assert_eq!(backend(&one).await, backend(&two).await, "the pool has one connection");
        for number in 0..20 {
            let (one, two) = futures_lite::future::zip(add(&one, number), add(&two, number + 100)).await;
            assert_eq!((one, two), (number + 1, number + 101));
        }
        assert_eq!(backend(&two).await, backend(&one).await);
    });
}

#[test]
fn named_statements_can_be_insisted_on() {
    let cluster = TestCluster::shared();
    let database = cluster.create_database();
    let pooler = Pooler::start(cluster, "session");
    on_shard(async {
        let options = ConnectOptions { prepare: Prepare::Always, ..ConnectOptions::default() };
        let link = connect(&target(&pooler.url(&database)), &options).await.unwrap();
        assert!(link.server().pooled && link.is_named());
        link.prepare_all(&[&ADD], soon()).await.unwrap();
        assert_eq!(add(&link, 1).await, 2);
    });
}

#[test]
fn passed_deadline_cancels_through_the_pooler() {
    let cluster = TestCluster::shared();
    let database = cluster.create_database();
    let pooler = Pooler::start(cluster, "transaction");
    on_shard(async {
        let slow = link(&pooler.url(&database)).await;
        let deadline = Instant::now() + Duration::from_millis(300);
        let error = slow.query(&SLEEP, &[&60.0], deadline).await.unwrap_err();
        assert!(matches!(error, LinkError::Unknown(_)), "{error}");
        eventually("the statement is cancelled", || running_sleeps(cluster, &database) == "0").await;
        // The only server connection is free again.
        assert_eq!(add(&link(&pooler.url(&database)).await, 1).await, 2);
    });
}

#[test]
fn start_up_options_that_the_pooler_refuses_are_named() {
    let cluster = TestCluster::shared();
    let pooler = Pooler::start(cluster, "transaction");
    on_shard(async {
        let error = refusal(&format!("{}?options=-c%20search_path%3Dx", pooler.url("postgres"))).await;
        assert!(matches!(&error, ConnectError::StartupParameter { name, .. } if name == "options"), "{error:?}");
        assert!(error.to_string().contains("ignore_startup_parameters"), "{error}");
        let error = refusal(&pooler.url("missing")).await;
        assert!(matches!(error, ConnectError::DatabaseMissing { .. }), "{error:?}");
    });
}

#[test]
fn lost_server_behind_the_pooler_leaves_the_outcome_unknown() {
    let cluster = TestCluster::shared();
    let database = cluster.create_database();
    let pooler = Pooler::start(cluster, "transaction");
    on_shard(async {
        let link = link(&pooler.url(&database)).await;
        let pid = backend(&link).await;
        let kill = async {
            eventually("the statement runs", || running_sleeps(cluster, &database) == "1").await;
            cluster.sql("postgres", &format!("SELECT pg_terminate_backend({pid})"));
        };
        let (outcome, ()) = futures_lite::future::zip(link.query(&SLEEP, &[&60.0], soon()), kill).await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, LinkError::Unknown(_)), "{error}");
    });
}
