//! How the server finds rows: by index, whatever it knew of the tables when it planned. And two small things that run
//! in the background: the clean-up of idempotency keys, and the figures of two groups of connections.

use super::{data::*, *};
use jeday::{
    limits::EXPIRED_KEYS_PER_STEP,
    postgres::statements::{
        BatchedStatement, expire_keys::ExpireKeys, find_credentials::FindCredentials, find_refresh::FindRefresh,
        find_session::FindSession, register::Register, rotate_session::RotateSession,
    },
};

/// The plan that a prepared statement keeps, for parameters that are not looked at.
fn generic_plan(data: &Data, sql: &Sql) -> String {
    let nulls = vec!["NULL"; sql.types.len()].join(", ");
    let types = sql.types.iter().map(ToString::to_string).map(|name| format!("{}[]", name.trim_start_matches('_')));
    data.sql(&format!(
        "SET plan_cache_mode = force_generic_plan; PREPARE it ({}) AS {}; EXPLAIN (COSTS OFF) EXECUTE it ({nulls})",
        types.collect::<Vec<_>>().join(", "),
        sql.text
    ))
}

#[test]
fn hot_statements_search_by_index_whatever_the_size_of_the_tables() {
    on_shard(async {
        let data = Data::new().await;
        let hot = [FindCredentials::PREPARED, FindSession::PREPARED, FindRefresh::PREPARED, RotateSession::PREPARED];
        let check = |tables: &str| {
            for sql in hot.into_iter().flatten() {
                let plan = generic_plan(&data, sql);
                assert!(plan.contains("Index Scan") && !plan.contains("Seq Scan"), "{tables}, {}:\n{plan}", sql.name);
            }
        };
        check("empty");
        data.user();
        check("new");
        data.sql(
            "INSERT INTO users (created_at, updated_at, id, bucket, email, username, password_hash)
             SELECT now(), now(), gen_random_uuid(), n % 4096, n || '@example.com', 'User', repeat('x', 90)
             FROM generate_series(1, 2000) AS n;
             INSERT INTO sessions (created_at, rotated_at, expires_at, id, user_id, bucket, seed)
             SELECT now(), now(), now(), id, gen_random_uuid(), bucket, decode(repeat('07', 16), 'hex') FROM users;
             ANALYZE users, sessions",
        );
        check("analysed");
    });
}

#[test]
fn statements_are_counted_under_their_own_names() {
    fn named<S: BatchedStatement>() -> (usize, &'static str) {
        (S::METRIC, S::NAME)
    }
    use jeday::postgres::statements::*;
    let known = [
        named::<Register>(),
        named::<register_once::RegisterOnce>(),
        named::<ExpireKeys>(),
        named::<FindCredentials>(),
        named::<FindSession>(),
        named::<FindRefresh>(),
        named::<list_sessions::ListSessions>(),
        named::<start_session::StartSession>(),
        named::<RotateSession>(),
        named::<end_session::EndSession>(),
        named::<end_all_sessions::EndAllSessions>(),
        named::<harden::Harden>(),
        named::<expire_sessions::ExpireSessions>(),
    ];
    assert_eq!(known.len(), NAMES.len());
    for (metric, name) in known {
        assert_eq!(NAMES[metric].name, name);
    }
}

#[test]
fn expired_keys_are_forgotten_in_steps() {
    on_shard(async {
        let data = Data::new().await;
        let link = data.link().await;
        let insert = |count: i64, age: &str| {
            data.sql(&format!(
                "INSERT INTO idempotency_keys (created_at, user_id, bucket, user_bucket, key_hash, fingerprint)
                 SELECT now() - interval '{age}', gen_random_uuid(), 0, 0, uuid_send(gen_random_uuid()), ''
                 FROM generate_series(1, {count})"
            ));
        };
        insert(EXPIRED_KEYS_PER_STEP + 1, "25 h");
        insert(3, "23 h");
        let left = || data.sql("SELECT count(*) FROM idempotency_keys");
        assert_eq!(run::<ExpireKeys>(&link, &[()]).await, [true]);
        assert_eq!(left(), "4");
        assert_eq!(run::<ExpireKeys>(&link, &[()]).await, [false]);
        assert_eq!(left(), "3");
    });
}
