//! What a scrape reads is what the shards wrote, also while they write.

use super::*;
use crate::telemetry::{CloseReason, ConnectionGroup, RouteName, StatementName};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

const NAMES: Names = Names {
    routes: &[RouteName { method: "POST", path: "/auth/register" }],
    statements: &[StatementName { name: "register", outcomes: &["created", "email_taken"] }],
    parse_errors: &["bad_head"],
};

fn on_shard(registry: &Registry, shard: usize, work: fn(&ShardMetrics)) {
    thread::scope(|scope| {
        scope.spawn(|| work(&registry.claim(shard)));
    });
}

#[test]
fn a_snapshot_adds_up_the_shards() {
    let registry = Registry::new(NAMES, 3);
    for shard in [0, 2] {
        on_shard(&registry, shard, |metrics| {
            metrics.requests.observe(0, 201, 60);
            metrics.requests.observe(0, 409, 3_000);
            metrics.connections.accepted.add(5);
            metrics.connections.closed(CloseReason::Idle);
            metrics.connections.refused.inc();
            metrics.connections.received_bytes.add(100);
            metrics.connections.sent_bytes.add(200);
            metrics.parse_errors.record(0);
            metrics.batches[0].queued.set(4);
            metrics.batches[0].waiters.set(9);
            metrics.batches[0].sent(7, 80);
            metrics.batches[0].committed(900);
            metrics.batches[0].outcome(0, 6);
            metrics.batches[0].outcome(1, 1);
            metrics.database.connections(ConnectionGroup::Write).set(2);
            metrics.database.reconnects.add(3);
        });
    }
    let snapshot = registry.snapshot();

    let route = &snapshot.routes[0];
    assert_eq!(route.statuses.iter().sum::<u64>(), 4);
    assert_eq!(route.latency.sum, 2 * 3_060);
    assert_eq!(route.latency.counts.iter().sum::<u64>(), 4);
    let statement = &snapshot.statements[0];
    assert_eq!((statement.size.sum, statement.wait.sum), (14, 160));
    assert_eq!((statement.commit.sum, statement.waiters), (1_800, 18));
    assert_eq!(statement.outcomes[..2], [12, 2]);
    assert_eq!((snapshot.refused, snapshot.closed[0]), (2, 2));
    assert_eq!((snapshot.received_bytes, snapshot.sent_bytes), (200, 400));
    assert_eq!((snapshot.parse_errors[0], snapshot.database.reconnects), (2, 6));

    let shards: Vec<usize> = snapshot.shards.iter().map(|figures| figures.shard).collect();
    assert_eq!(shards, [0, 2], "a shard that has not started is not shown");
    for figures in &snapshot.shards {
        assert_eq!((figures.requests, figures.accepted, figures.open), (2, 5, 4));
        assert_eq!((figures.database_connections, figures.queued[0]), ([2, 0], 4));
    }
}

#[test]
fn a_reader_never_sees_a_counter_go_back() {
    const ROUNDS: u64 = 200_000;
    let registry = Registry::new(NAMES, 2);
    let running = AtomicBool::new(true);
    thread::scope(|scope| {
        let writers = [0, 1].map(|shard| {
            let registry = &registry;
            scope.spawn(move || {
                let metrics = registry.claim(shard);
                for i in 0..ROUNDS {
                    metrics.requests.observe(0, 201, i);
                    metrics.connections.accepted.inc();
                    metrics.connections.closed(CloseReason::Peer);
                }
            })
        });
        scope.spawn(|| {
            let mut before = registry.snapshot();
            while running.load(Ordering::Relaxed) {
                let now = registry.snapshot();
                let (old, new) = (&before.routes[0], &now.routes[0]);
                assert!(old.latency.sum <= new.latency.sum);
                for (old, new) in old.latency.counts.iter().zip(&new.latency.counts) {
                    assert!(old <= new);
                }
                assert!(old.statuses.iter().sum::<u64>() <= new.statuses.iter().sum());
                assert!(before.closed[CloseReason::Peer as usize] <= now.closed[CloseReason::Peer as usize]);
                assert!(now.shards.iter().all(|figures| figures.open <= ROUNDS));
                before = now;
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        running.store(false, Ordering::Relaxed);
    });
    let total: u64 = registry.snapshot().routes[0].latency.counts.iter().sum();
    assert_eq!(total, 2 * ROUNDS, "no increment is lost");
}

#[test]
#[should_panic(expected = "have a writer")]
fn a_shard_has_one_writer() {
    let registry = Registry::new(NAMES, 1);
    let _first = registry.claim(0);
    let _second = registry.claim(0);
}

#[test]
#[should_panic(expected = "has no metrics")]
fn a_shard_out_of_range_is_refused() {
    Registry::new(NAMES, 1).claim(1);
}
