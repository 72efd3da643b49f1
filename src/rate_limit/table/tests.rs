//! The table under many threads, and what it gives up when it is full.

use super::super::cell::FREE_MAX;
use super::*;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

const THREADS: usize = 8;

fn rule(free: usize) -> Rule {
    let hour = Duration::from_secs(3_600);
    Rule::growing(free, hour, Duration::from_secs(1), hour)
}

fn now() -> Tick {
    Tick::of_ms(1_000_000)
}

fn key(set: u64, number: u64) -> Key {
    Key::new(set, (number + 1) << 40)
}

/// Runs the same on all threads, all at once.
fn in_parallel(work: impl Fn(usize) + Sync) {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                start.wait();
                work(number);
            });
        }
    });
}

fn admitted(table: &Table, key: Key) -> usize {
    (0..FREE_MAX).take_while(|_| table.reserve(key, now()).is_ok()).count()
}

#[test]
fn of_ten_allowed_guesses_ten_get_through_whichever_threads_they_come_from() {
    for round in 0..500 {
        let table = Table::new(0, rule(10));
        // Two keys, so that they also meet at the door.
        let through = [AtomicUsize::new(0), AtomicUsize::new(0)];
        in_parallel(|thread| {
            for guess in 0..20 {
                let number = (thread + guess) % 2;
                if table.reserve(key(0, number as u64), now()).is_ok() {
                    through[number].fetch_add(1, Relaxed);
                }
            }
        });
        assert_eq!(through.map(AtomicUsize::into_inner), [10, 10], "round {round}");
    }
}

#[test]
fn the_key_with_the_fewest_failures_makes_room_and_then_the_oldest() {
    let table = Table::new(0, rule(10));
    for number in 0..7 {
        for _ in 0..=number {
            table.reserve(key(0, number), now()).unwrap();
        }
    }
    let later = Tick::of_ms(1_010_000);
    table.reserve(key(0, 7), now()).unwrap();
    assert!(!table.remembers(key(0, 0), now()));
    table.reserve(key(0, 8), later).unwrap();
    assert!(!table.remembers(key(0, 7), later) && table.remembers(key(0, 8), later));
    assert!((1..7).all(|number| table.remembers(key(0, number), later)));
    // A flood of keys with one failure each changes nothing for the others.
    (10..1_000).for_each(|number| table.reserve(key(0, number), later).unwrap());
    assert_eq!(admitted(&table, key(0, 6)), 3);
}

#[test]
fn what_lost_its_cell_has_nothing_to_take_back() {
    let table = Table::new(0, rule(10));
    table.reserve(key(0, 1), now()).unwrap();
    table.refund(key(0, 2));
    table.clear(key(0, 2));
    assert_eq!(admitted(&table, key(0, 1)), 9);
    assert_eq!(admitted(&table, key(0, 2)), 10);
}

#[test]
fn sets_are_apart() {
    let table = Table::new(4, rule(2));
    for set in 0..16 {
        assert_eq!(admitted(&table, key(set, 1)), 2);
    }
    assert_eq!(admitted(&table, key(16, 1)), 0);
}
