//! The two groups of connections of a shard.

use super::{data::*, *};
use jeday::{
    batch::{GroupBuilder, GroupConfig, Window},
    postgres::statements::{
        NAMES,
        find_session::{self, FindSession},
        rotate_session::RotateSession,
    },
    telemetry::{Names, Registry},
};
use std::sync::Arc;

#[test]
fn reading_and_writing_groups_serve_one_shard_and_are_counted_apart() {
    on_shard(async {
        let data = Data::new().await;
        let user = data.user();
        let session = data.session(&data.link().await, user).await;
        let registry = Registry::new(Names { routes: &[], statements: NAMES, parse_errors: &[] }, 1);
        let metrics = registry.claim(0);
        let config = |connections| GroupConfig {
            target: Arc::new(target(&data.url())),
            connect: ConnectOptions::default(),
            connections,
            answer_within: Duration::from_secs(10),
        };
        let window = Window { length_max: 100, wait: Duration::ZERO };
        let mut write = GroupBuilder::new(config(1), metrics.clone());
        let mut read = GroupBuilder::for_reads(config(2), metrics.clone());
        let rotations = write.statement::<RotateSession>(window, 100);
        let sessions = read.statement::<FindSession>(window, 100);
        let (write, read) = (write.start(), read.start());
        let rotated = rotations.submit(rotation(session, 0)).ok().unwrap().await;
        assert!(matches!(rotated, Ok(Some(_))));
        let found = sessions.submit(find_session::Item { session, user }).unwrap().await.unwrap();
        assert_eq!(found.unwrap().username, "User 0");
        eventually("all connections are up", || read.state().up == 2 && write.state().up == 1).await;
        let page = registry.render();
        for line in [
            "jeday_database_connections{shard=\"0\",group=\"write\"} 1",
            "jeday_database_connections{shard=\"0\",group=\"read\"} 2",
            "jeday_batch_items_total{statement=\"rotate_session\",outcome=\"rotated\"} 1",
            "jeday_batch_items_total{statement=\"find_session\",outcome=\"found\"} 1",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is missing");
        }
        write.drain().await;
        read.drain().await;
        assert_eq!((write.state().up, read.state().up), (0, 0));
    });
}
