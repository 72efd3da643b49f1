//! Logging in by each method of PostgreSQL, with the right password, a wrong one and none.

use super::*;
use std::{fs, os::unix::fs::PermissionsExt, sync::OnceLock};
use support::Spec;

fn cluster() -> &'static TestCluster {
    static CLUSTER: OnceLock<TestCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let cluster = TestCluster::start(&Spec {
            hba: "local all postgres trust\nhost all by_scram 127.0.0.1/32 scram-sha-256\n\
                  host all by_md5 127.0.0.1/32 md5\nhost all by_clear 127.0.0.1/32 password\n",
            ..Spec::default()
        });
        for (role, encryption) in [("by_scram", "scram-sha-256"), ("by_md5", "md5"), ("by_clear", "scram-sha-256")] {
            let text =
                format!("SET password_encryption = '{encryption}'; CREATE ROLE {role} LOGIN PASSWORD 'right ß@:/'");
            cluster.sql("postgres", &text);
        }
        cluster
    })
}

#[test]
fn right_password_opens_by_each_method() {
    on_shard(async {
        for role in ["by_scram", "by_md5", "by_clear"] {
            let url = cluster().tcp_url(&format!("{role}:right%20%C3%9F%40%3A%2F"), "postgres");
            assert_eq!(add(&link(&url).await, 1).await, 2, "{role}");
        }
    });
}

#[test]
fn wrong_password_is_told_without_repeating_it() {
    on_shard(async {
        for role in ["by_scram", "by_md5", "by_clear"] {
            let error = refusal(&cluster().tcp_url(&format!("{role}:hunter2hunter2"), "postgres")).await;
            assert!(matches!(error, ConnectError::Authentication { .. }), "{role}: {error:?}");
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(role) && !shown.contains("hunter2"), "{shown}");
        }
    });
}

#[test]
fn missing_password_is_asked_for() {
    on_shard(async {
        for role in ["by_scram", "by_md5", "by_clear"] {
            let error = refusal(&cluster().tcp_url(role, "postgres")).await;
            assert!(matches!(error, ConnectError::PasswordMissing { .. }), "{role}: {error:?}");
        }
    });
}

#[test]
fn user_without_a_line_in_pg_hba_is_not_allowed() {
    on_shard(async {
        let error = refusal(&cluster().tcp_url("stranger:x", "postgres")).await;
        assert!(matches!(error, ConnectError::NotAllowed { .. }), "{error:?}");
        assert!(error.to_string().contains("pg_hba.conf"), "{error}");
    });
}

#[test]
fn channel_binding_cannot_be_had_without_tls() {
    on_shard(async {
        let url = cluster().tcp_url("by_scram:right%20%C3%9F%40%3A%2F", "postgres");
        let error = refusal(&format!("{url}?channel_binding=require")).await.to_string();
        assert!(error.contains("channel binding"), "{error}");
    });
}

#[test]
fn password_file_is_used_unless_others_may_read_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("127.0.0.1:{}:*:by_scram:right ß@\\:/\n", cluster().port())).unwrap();
    on_shard(async {
        let url = format!("{}?passfile={}", cluster().tcp_url("by_scram", "postgres"), file.path().display());
        assert_eq!(add(&link(&url).await, 1).await, 2);
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(refusal(&url).await, ConnectError::PasswordMissing { .. }));
    });
}
