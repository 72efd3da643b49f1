//! Counts of connections under many threads: exact while they are open, and gone once they are closed.

use super::*;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

const THREADS: usize = 8;

fn limit(per_address_max: usize, connections_max: usize) -> ConnectionLimit {
    ConnectionLimit::new(per_address_max, connections_max, &[7; HASH_KEY_BYTES])
}

fn v4(number: u32) -> IpAddr {
    IpAddr::V4(number.into())
}

/// How many more connections the address may open now; all of them are closed again.
fn room(limit: &ConnectionLimit, address: IpAddr) -> usize {
    std::iter::from_fn(|| limit.open(address)).collect::<Vec<_>>().len()
}

#[test]
fn an_address_has_as_many_as_it_may_and_its_network_counts_as_one() {
    let limit = limit(3, 64);
    let open: Vec<_> = (0..3).map(|_| limit.open(v4(1)).unwrap()).collect();
    assert!(limit.open(v4(1)).is_none());
    assert!(limit.open("::ffff:0.0.0.1".parse().unwrap()).is_none(), "the same address, written as IPv6");
    assert_eq!(room(&limit, v4(2)), 3);
    drop(open);
    assert_eq!(room(&limit, v4(1)), 3);
    let host = |text: &str| text.parse::<IpAddr>().unwrap();
    let open: Vec<_> = (1..=3).map(|number| limit.open(host(&format!("2001:db8::{number}"))).unwrap()).collect();
    assert!(limit.open(host("2001:db8::ffff")).is_none());
    assert_eq!(room(&limit, host("2001:db8:0:1::")), 3);
    drop(open);
}

#[test]
fn the_bound_is_exact_on_any_number_of_threads() {
    // One set, and more addresses than cells, so that they also meet at the door and wait for each other's cells.
    for addresses in [1, 2, 7] {
        let limit = limit(5, 1);
        let open: Vec<AtomicUsize> = (0..addresses).map(|_| AtomicUsize::new(0)).collect();
        let start = Barrier::new(THREADS);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (limit, open, start) = (&limit, &open, &start);
                scope.spawn(move || {
                    start.wait();
                    for step in 0..20_000 {
                        let address = (step * (thread % 3 + 1) + thread) % addresses;
                        let Some(connection) = limit.open(v4(address as u32)) else { continue };
                        let now = open[address].fetch_add(1, SeqCst) + 1;
                        assert!(now <= 5, "{now} of one address");
                        if step % 3 == 0 {
                            thread::yield_now();
                        }
                        // Before it is taken off: whoever gets in then must not be one too many.
                        open[address].fetch_sub(1, SeqCst);
                        drop(connection);
                    }
                });
            }
        });
        for address in 0..addresses {
            assert_eq!(room(&limit, v4(address as u32)), 5, "{addresses} addresses: a count was lost");
        }
    }
}

#[test]
fn of_many_that_come_at_once_as_many_get_in_as_may() {
    for round in 0..300 {
        let limit = limit(10, 1);
        let (inside, start) = (AtomicUsize::new(0), Barrier::new(THREADS));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    let open: Vec<_> = (0..4).filter_map(|_| limit.open(v4(1))).collect();
                    inside.fetch_add(open.len(), SeqCst);
                    start.wait();
                    drop(open);
                });
            }
        });
        assert_eq!((inside.into_inner(), room(&limit, v4(1))), (10, 10), "round {round}");
    }
}

#[test]
fn who_finds_no_cell_is_let_in_and_takes_nobody_elses() {
    let limit = limit(1, 1);
    let open: Vec<_> = (0..7).map(|number| limit.open(v4(number)).unwrap()).collect();
    let uncounted: Vec<_> = (0..20).map(|_| limit.open(v4(100)).unwrap()).collect();
    assert!((0..7).all(|number| limit.open(v4(number)).is_none()), "those inside keep their cells");
    drop(uncounted);
    assert!((0..7).all(|number| limit.open(v4(number)).is_none()));
    drop(open);
    assert_eq!(room(&limit, v4(100)), 1, "cells are free again");
}
