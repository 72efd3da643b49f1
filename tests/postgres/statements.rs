//! Preparing and running statements.

use super::*;
use jeday::postgres::{connect::Prepare, link::LinkError, sqlstate::Class};
use tokio_postgres::types::ToSql;

static NUMBERS: Sql =
    Sql { name: "numbers", text: "SELECT n, 'value ' || n FROM unnest($1::int[]) AS n", types: &[Type::INT4_ARRAY] };
static BROKEN: Sql = Sql { name: "broken", text: "SELECT * FROM nowhere", types: &[] };
static PREPARED: Sql = Sql { name: "prepared", text: "SELECT count(*) FROM pg_prepared_statements", types: &[] };

#[test]
fn statements_are_prepared_once() {
    let cluster = TestCluster::shared();
    on_shard(async {
        let link = link(&cluster.url("postgres")).await;
        link.prepare_all(&[&ADD, &NUMBERS, &WHO, &PREPARED], soon()).await.unwrap();
        link.prepare_all(&[&ADD, &NUMBERS], soon()).await.unwrap();
        for number in 0..5 {
            assert_eq!(add(&link, number).await, number + 1);
        }
        let rows = link.query(&PREPARED, &[], soon()).await.unwrap();
        assert_eq!(rows[0].get::<_, i64>(0), 4);
    });
}

#[test]
fn one_statement_that_cannot_be_prepared_is_told_and_spares_the_rest() {
    let cluster = TestCluster::shared();
    on_shard(async {
        let link = link(&cluster.url("postgres")).await;
        let error = link.prepare_all(&[&ADD, &BROKEN, &WHO], soon()).await.unwrap_err();
        assert!(matches!(&error, LinkError::Refused(refusal) if refusal.class() == Class::Schema), "{error}");
        let told = ConnectError::from(error);
        assert!(told.to_string().contains("jeday migrate up") && !told.may_pass(), "{told}");
        assert_eq!(add(&link, 1).await, 2);
    });
}

#[test]
fn batch_larger_than_every_buffer_comes_back_whole() {
    let cluster = TestCluster::shared();
    let numbers: Vec<i32> = (0..200_000).collect();
    for prepare in [Prepare::Auto, Prepare::Never] {
        on_shard(async {
            let options = ConnectOptions { prepare, ..ConnectOptions::default() };
            let link = connect(&target(&cluster.url("postgres")), &options).await.unwrap();
            let rows = link.query(&NUMBERS, &[&numbers], soon()).await.unwrap();
            assert_eq!(rows.len(), numbers.len());
            for (row, number) in rows.iter().zip(&numbers) {
                assert_eq!(row.get::<_, i32>(0), *number);
                assert_eq!(row.get::<_, &str>(1), format!("value {number}"));
            }
        });
    }
}

#[test]
fn calls_that_overlap_get_their_own_answers() {
    let cluster = TestCluster::shared();
    on_shard(async {
        let link = link(&cluster.url("postgres")).await;
        let one: &[&(dyn ToSql + Sync)] = &[&1];
        let two: &[&(dyn ToSql + Sync)] = &[&2];
        let both = futures_lite::future::zip(link.query(&ADD, one, soon()), link.query(&ADD, two, soon()));
        let (one, two) = both.await;
        assert_eq!((one.unwrap()[0].get::<_, i32>(0), two.unwrap()[0].get::<_, i32>(0)), (2, 3));
    });
}

#[test]
fn plan_made_stale_by_a_migration_is_prepared_again() {
    static READ: Sql = Sql { name: "read", text: "SELECT thing FROM things", types: &[] };
    let cluster = TestCluster::shared();
    let database = cluster.create_database();
    cluster.sql(&database, "CREATE TABLE things (thing int); INSERT INTO things VALUES (1)");
    on_shard(async {
        let link = link(&cluster.url(&database)).await;
        assert_eq!(link.query(&READ, &[], soon()).await.unwrap()[0].get::<_, i32>(0), 1);
        cluster.sql(&database, "ALTER TABLE things ALTER thing TYPE bigint");
        let error = link.query(&READ, &[], soon()).await.unwrap_err();
        assert!(matches!(&error, LinkError::Refused(refusal) if refusal.class() == Class::NotPrepared), "{error}");
        assert_eq!(link.query(&READ, &[], soon()).await.unwrap()[0].get::<_, i64>(0), 1);
    });
}

#[test]
fn unnamed_statements_leave_nothing_on_the_server() {
    let cluster = TestCluster::shared();
    on_shard(async {
        let options = ConnectOptions { prepare: Prepare::Never, ..ConnectOptions::default() };
        let link = connect(&target(&cluster.url("postgres")), &options).await.unwrap();
        assert!(!link.is_named());
        link.prepare_all(&[&ADD], soon()).await.unwrap();
        assert_eq!(add(&link, 1).await, 2);
        assert_eq!(link.query(&PREPARED, &[], soon()).await.unwrap()[0].get::<_, i64>(0), 0);
    });
}
