//! A server that may lose confirmed commits is refused, unless that is allowed.

use super::*;
use support::Spec;

async fn weak_link(url: &str) -> Link {
    let options = ConnectOptions { allow_unsafe_durability: true, ..ConnectOptions::default() };
    connect(&target(url), &options).await.unwrap()
}

#[test]
fn role_without_synchronous_commit_is_refused_with_the_remedy() {
    let cluster = TestCluster::shared();
    cluster.sql("postgres", "CREATE ROLE hasty LOGIN; ALTER ROLE hasty SET synchronous_commit = off");
    on_shard(async {
        let url = cluster.tcp_url("hasty", "postgres");
        let error = refusal(&url).await;
        assert!(
            matches!(&error, ConnectError::NotDurable { weakness, .. } if weakness.setting == "synchronous_commit")
        );
        assert!(error.to_string().contains("ALTER ROLE"), "{error}");
        let link = weak_link(&url).await;
        assert_eq!(link.server().weakness.map(|weakness| weakness.value), Some("off"));
        let options = format!("{}?options=-c%20synchronous_commit%3Doff", cluster.tcp_url("postgres", "postgres"));
        assert!(matches!(refusal(&options).await, ConnectError::NotDurable { .. }));
        assert_eq!(weak_link(&cluster.url("postgres")).await.server().weakness, None);
    });
}

#[test]
fn server_without_fsync_or_full_pages_is_refused() {
    let cluster = TestCluster::start(&Spec { settings: "full_page_writes = off", ..Spec::default() });
    on_shard(async {
        let setting = |error: ConnectError| match error {
            ConnectError::NotDurable { weakness, .. } => weakness.setting,
            other => panic!("{other:?}"),
        };
        assert_eq!(setting(refusal(&cluster.url("postgres")).await), "full_page_writes");
        cluster.sql("postgres", "ALTER SYSTEM SET fsync = off");
        cluster.sql("postgres", "SELECT pg_reload_conf()");
        eventually("the settings are read", || cluster.sql("postgres", "SHOW fsync") == "off").await;
        assert_eq!(setting(refusal(&cluster.url("postgres")).await), "fsync");
    });
}
