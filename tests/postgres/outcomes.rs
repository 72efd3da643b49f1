//! What is known about a statement when something goes wrong: no effect, or unknown.

use super::*;
use jeday::postgres::{
    link::{LinkError, Lost},
    sqlstate::Class,
};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Statements whose text a test makes up; leaked, as tests are short.
fn sql(text: String, types: &'static [Type]) -> &'static Sql {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("made_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    Box::leak(Box::new(Sql { name: name.leak(), text: text.leak(), types }))
}

#[test]
fn terminated_backend_leaves_the_outcome_unknown() {
    let cluster = TestCluster::shared();
    let database = cluster.create_database();
    on_shard(async {
        let link = link(&cluster.url(&database)).await;
        link.prepare_all(&[&SLEEP], soon()).await.unwrap();
        let pid = backend(&link).await;
        let kill = async {
            eventually("the statement runs", || running_sleeps(cluster, &database) == "1").await;
            cluster.sql("postgres", &format!("SELECT pg_terminate_backend({pid})"));
        };
        let (outcome, ()) = futures_lite::future::zip(link.query(&SLEEP, &[&60.0], soon()), kill).await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, LinkError::Unknown(_)), "{error}");
        assert!(link.is_closed());
        assert_eq!(link.in_flight(), 0);
        let error = link.query(&ADD, &[&1], soon()).await.unwrap_err();
        assert!(matches!(error, LinkError::NotSent(_)), "{error}");
    });
}

#[test]
fn idle_link_notices_the_servers_end() {
    let cluster = TestCluster::shared();
    on_shard(async {
        let link = link(&cluster.url("postgres")).await;
        let pid = backend(&link).await;
        assert!(!link.is_closed());
        cluster.sql("postgres", &format!("SELECT pg_terminate_backend({pid})"));
        let reason = shards::timeout(Duration::from_secs(5), link.closed()).await.unwrap();
        assert!(reason.contains("administrator"), "{reason}");
        assert!(matches!(link.query(&ADD, &[&1], soon()).await, Err(LinkError::NotSent(_))));
    });
}

#[test]
fn passed_deadline_gives_the_link_up_and_cancels_the_statement() {
    let cluster = TestCluster::shared();
    let database = cluster.create_database();
    for url in [cluster.url(&database), cluster.tcp_url("postgres", &database)] {
        on_shard(async {
            let link = link(&url).await;
            let begun = Instant::now();
            let deadline = begun + Duration::from_millis(300);
            let error = link.query(&SLEEP, &[&60.0], deadline).await.unwrap_err();
            assert_eq!(error, LinkError::Unknown(Lost::Deadline));
            let taken = begun.elapsed();
            assert!(taken >= Duration::from_millis(300) && taken < Duration::from_secs(2), "{taken:?}");
            assert!(link.is_closed());
            eventually("the statement is cancelled", || running_sleeps(cluster, &database) == "0").await;
        });
    }
}

#[test]
fn dropped_call_gives_the_link_up_and_cancels_the_statement() {
    let cluster = TestCluster::shared();
    let database = cluster.create_database();
    on_shard(async {
        let link = link(&cluster.url(&database)).await;
        let call = link.query(&SLEEP, &[&60.0], soon());
        assert!(shards::timeout(Duration::from_millis(300), call).await.is_err());
        assert!(link.is_closed());
        assert_eq!(link.in_flight(), 0);
        eventually("the statement is cancelled", || running_sleeps(cluster, &database) == "0").await;
    });
}

#[test]
fn deadline_in_the_past_sends_nothing() {
    let cluster = TestCluster::shared();
    on_shard(async {
        let link = link(&cluster.url("postgres")).await;
        let error = link.query(&ADD, &[&1], Instant::now()).await.unwrap_err();
        assert_eq!(error, LinkError::NotSent(Lost::Deadline));
        assert_eq!(add(&link, 1).await, 2, "the link is as good as before");
    });
}

#[test]
fn parameters_that_do_not_fit_send_nothing() {
    let cluster = TestCluster::shared();
    on_shard(async {
        let link = link(&cluster.url("postgres")).await;
        for parameters in [&[][..], &[&"text" as _], &[&1 as _, &2 as _]] {
            let error = link.query(&ADD, parameters, soon()).await.unwrap_err();
            assert!(matches!(error, LinkError::NotSent(Lost::Parameters(_))), "{error}");
        }
        assert_eq!(add(&link, 1).await, 2, "the link is as good as before");
    });
}

#[test]
fn refused_statement_tells_its_class_and_spares_the_link() {
    let cluster = TestCluster::shared();
    let database = cluster.create_database();
    cluster.sql(&database, "CREATE TABLE things (thing int CONSTRAINT only_once UNIQUE)");
    on_shard(async {
        let link = link(&cluster.url(&database)).await;
        let insert = sql("INSERT INTO things SELECT unnest($1::int[])".into(), &[Type::INT4_ARRAY]);
        assert!(link.query(insert, &[&vec![1, 2]], soon()).await.unwrap().is_empty());
        let LinkError::Refused(refusal) = link.query(insert, &[&vec![3, 2]], soon()).await.unwrap_err() else {
            panic!("not refused")
        };
        assert_eq!((refusal.class(), refusal.code()), (Class::ItemAtFault, "23505"));
        assert_eq!(refusal.constraint(), Some("only_once"));
        assert_eq!(cluster.sql(&database, "SELECT count(*) FROM things"), "2");

        for (text, expected) in [
            ("SELECT * FROM no_such_table", Class::Schema),
            ("SELECT 1 / 0", Class::ItemAtFault),
            ("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(1)", Class::Overloaded),
            ("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$", Class::Retry),
            ("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$", Class::DiskFull),
        ] {
            let error = link.query(sql(text.into(), &[]), &[], soon()).await.unwrap_err();
            assert!(matches!(&error, LinkError::Refused(refusal) if refusal.class() == expected), "{text}: {error}");
        }
        assert_eq!(add(&link, 1).await, 2, "the link is as good as before");
    });
}

#[test]
fn crashed_server_leaves_the_outcome_unknown() {
    let cluster = TestCluster::start(&support::Spec::default());
    on_shard(async {
        let link = link(&cluster.url("postgres")).await;
        link.prepare_all(&[&SLEEP], soon()).await.unwrap();
        let crash = async {
            eventually("the statement runs", || running_sleeps(&cluster, "postgres") == "1").await;
            cluster.stop("immediate");
        };
        let (outcome, ()) = futures_lite::future::zip(link.query(&SLEEP, &[&60.0], soon()), crash).await;
        assert!(matches!(outcome, Err(LinkError::Unknown(_))), "{outcome:?}");
    });
}
