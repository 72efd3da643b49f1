//! How a fleet of shards ends: in order, by failures that are all told, and never by hanging.
#![allow(clippy::unwrap_used)]

use shards::{Fleet, FleetError, Oversight, Shard, ShardSpec, Stall, launch};
use std::{
    future::pending,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// For whatever must happen some time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes down what it is told, and has nothing to say but what it is given.
#[derive(Default)]
struct Witness {
    stalls: Vec<Stall>,
    complaint: Option<&'static str>,
}

impl Oversight for Witness {
    fn silence_max(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn stalled(&mut self, stall: &Stall) {
        self.stalls.push(stall.clone());
    }

    fn look(&mut self, _: Instant) -> Option<String> {
        self.complaint.map(str::to_owned)
    }
}

fn specs(count: usize) -> Vec<ShardSpec> {
    (0..count).map(|index| ShardSpec { index, cpu: None }).collect()
}

fn fleet<F: Future<Output = Result<(), String>> + 'static>(
    count: usize,
    main: impl Fn(Shard) -> F + Send + Sync + 'static,
) -> Fleet {
    launch(&specs(count), main).unwrap()
}

/// Waits on another thread, so that a fleet that hangs fails its test.
fn end(fleet: Fleet, drain: Duration) -> Result<(), FleetError> {
    end_before(Witness::default(), fleet, drain).0
}

fn end_before(mut witness: Witness, fleet: Fleet, drain: Duration) -> (Result<(), FleetError>, Witness) {
    let (told, outcome) = std::sync::mpsc::channel();
    thread::spawn(move || told.send((fleet.wait(drain, &mut witness), witness)));
    outcome.recv_timeout(PATIENCE).expect("the fleet ends")
}

fn failures(outcome: Result<(), FleetError>) -> Vec<(usize, String)> {
    match outcome {
        Err(FleetError::Failed(failures)) => {
            let mut failures: Vec<_> = failures.into_iter().map(|failure| (failure.shard, failure.reason)).collect();
            failures.sort();
            failures
        }
        other => panic!("no failure is told: {other:?}"),
    }
}

#[test]
fn shards_drain_when_they_are_told_to() {
    let fleet = fleet(3, |shard| async move {
        shard.stop.wait().await;
        Ok(())
    });
    fleet.controller().stop();
    end(fleet, PATIENCE).unwrap();
}

#[test]
fn panic_of_one_shard_drains_the_others_and_is_told() {
    static DRAINED: AtomicUsize = AtomicUsize::new(0);
    let fleet = fleet(3, |shard| async move {
        if shard.index == 1 {
            panic!("a fault of {}", "ours");
        }
        shard.stop.wait().await;
        DRAINED.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    assert_eq!(failures(end(fleet, PATIENCE)), [(1, "panicked: a fault of ours".to_owned())]);
    assert_eq!(DRAINED.load(Ordering::Relaxed), 2);
}

#[test]
fn every_failure_is_told() {
    let fleet = fleet(3, |shard| async move {
        match shard.index {
            0 => Err("no luck".to_owned()),
            1 => {
                shard.stop.wait().await;
                panic!("while draining")
            }
            _ => {
                shard.stop.wait().await;
                Ok(())
            }
        }
    });
    let expected = [(0, "no luck".to_owned()), (1, "panicked: while draining".to_owned())];
    assert_eq!(failures(end(fleet, PATIENCE)), expected);
}

#[test]
fn panic_of_a_detached_task_ends_its_shard() {
    let fleet = fleet(2, |shard| async move {
        if shard.index == 0 {
            // As the task of one client's connection is: nobody waits for it.
            shards::spawn(async {
                shards::yield_now().await;
                panic!("in a task")
            })
            .detach();
            pending::<()>().await;
        }
        shard.stop.wait().await;
        Ok(())
    });
    assert_eq!(failures(end(fleet, PATIENCE)), [(0, "panicked: in a task".to_owned())]);
}

#[test]
fn panic_of_a_task_that_was_woken_by_a_timer_ends_its_shard() {
    let fleet = fleet(1, |_| async move {
        shards::spawn(async {
            shards::sleep(Duration::from_millis(5)).await;
            panic!("after a while")
        })
        .detach();
        pending().await
    });
    assert_eq!(failures(end(fleet, PATIENCE)), [(0, "panicked: after a while".to_owned())]);
}

#[test]
fn shard_that_ends_unasked_is_a_failure() {
    let fleet = fleet(2, |shard| async move {
        if shard.index == 0 {
            shard.stop.wait().await;
        }
        Ok(())
    });
    assert_eq!(failures(end(fleet, PATIENCE)), [(1, "ended without being asked to".to_owned())]);
}

#[test]
fn busy_shard_is_left_behind_at_the_drain_deadline() {
    let fleet = fleet(2, |shard| async move {
        shard.stop.wait().await;
        if shard.index == 0 {
            pending::<()>().await;
        }
        Ok(())
    });
    fleet.controller().stop();
    assert!(matches!(end(fleet, Duration::from_millis(50)), Err(FleetError::DrainDeadline(1))));
}

#[test]
fn second_request_to_stop_ends_at_once() {
    let fleet = fleet(1, |_| pending());
    fleet.controller().stop();
    fleet.controller().stop();
    assert!(matches!(end(fleet, PATIENCE), Err(FleetError::Aborted)));
}

#[test]
fn shard_that_blocks_ends_the_fleet_and_the_others_drain() {
    static DRAINED: AtomicUsize = AtomicUsize::new(0);
    let fleet = fleet(3, |shard| async move {
        if shard.index == 1 {
            loop {
                thread::park();
            }
        }
        shard.stop.wait().await;
        DRAINED.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let (outcome, witness) = end_before(Witness::default(), fleet, PATIENCE);
    assert!(matches!(&outcome, Err(FleetError::Stalled(reason)) if reason.starts_with("shard 1 ")), "{outcome:?}");
    assert_eq!(DRAINED.load(Ordering::Relaxed), 2);
    let [stall] = &witness.stalls[..] else { panic!("one has stalled: {:?}", witness.stalls) };
    assert_eq!((stall.shard, stall.cpu, stall.silent), (1, None, Duration::from_secs(3)));
    assert_eq!(stall.thread.state, Some('S'), "it waits for something");
}

#[test]
fn shard_that_never_yields_ends_the_fleet_even_while_it_drains() {
    let fleet = fleet(1, |shard| async move {
        shard.stop.wait().await;
        loop {
            std::hint::spin_loop();
        }
    });
    fleet.controller().stop();
    let (outcome, witness) = end_before(Witness::default(), fleet, PATIENCE);
    assert!(matches!(outcome, Err(FleetError::Stalled(_))), "{outcome:?}");
    assert_eq!(witness.stalls[0].thread.state, Some('R'), "it computes");
}

#[test]
fn fault_elsewhere_that_is_told_at_a_look_ends_the_fleet() {
    let fleet = fleet(2, |shard| async move {
        shard.stop.wait().await;
        Ok(())
    });
    let witness = Witness { complaint: Some("the cellar is flooded"), ..Witness::default() };
    let (outcome, witness) = end_before(witness, fleet, PATIENCE);
    assert!(matches!(&outcome, Err(FleetError::Stalled(reason)) if reason == "the cellar is flooded"), "{outcome:?}");
    assert_eq!(witness.stalls, []);
}

#[test]
fn shard_that_cannot_be_pinned_is_told() {
    let specs = [ShardSpec { index: 0, cpu: None }, ShardSpec { index: 1, cpu: Some(1_000_000) }];
    let (told, outcome) = std::sync::mpsc::channel();
    thread::spawn(move || {
        // glommio may refuse to make the executor, or panic at it.
        let outcome = launch(&specs, |shard: Shard| async move {
            shard.stop.wait().await;
            Ok::<_, String>(())
        });
        told.send(outcome.map_err(|error| error.shard).and_then(|fleet| {
            let failures = failures(fleet.wait(PATIENCE, &mut Witness::default()));
            Err(failures[0].0)
        }))
    });
    assert_eq!(outcome.recv_timeout(PATIENCE).expect("the launch ends"), Err::<(), _>(1));
}
