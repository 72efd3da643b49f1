//! The door: no key gets two cells, and nobody waits for a thread that has stopped in it.

use super::*;
use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

const THREADS: usize = 8;

/// Counts up to ten behind the tag; the one that has counted least makes room.
struct Counts;

impl Words for Counts {
    fn weight(&self, word: u64) -> Option<(u32, u32)> {
        Some(((word & 0xff) as u32, 0))
    }

    fn first(&self, tag: u32, _: u64) -> u64 {
        tagged(tag) | 1
    }
}

fn count(sets: &Sets, key: Key) -> bool {
    let more = |word| if word & 0xff < 10 { Ok(word + 1) } else { Err(()) };
    sets.change_or_insert(key, &Counts, more).is_ok()
}

/// How often it may count until it may no more.
fn counts_left(sets: &Sets, key: Key) -> usize {
    (0..100).take_while(|_| count(sets, key)).count()
}

fn key(number: u64) -> Key {
    Key::new(0, (number + 1) << 40)
}

#[test]
fn no_key_ever_has_two_cells_however_they_push_each_other_out() {
    for round in 0..1_000 {
        let (sets, start) = (Sets::new(0), Barrier::new(THREADS));
        thread::scope(|scope| {
            for number in 0..THREADS as u64 {
                let (sets, start) = (&sets, &start);
                scope.spawn(move || {
                    start.wait();
                    for step in 0..40_u64 {
                        let key = key((step * (number % 3 + 3)) % 11);
                        count(sets, key);
                        match step % 5 {
                            0 => sets.change(key, |word| if word & 0xff > 0 { word - 1 } else { word }),
                            1 => sets.change(key, |word| word & !0xff),
                            _ => {}
                        }
                    }
                });
            }
        });
        let set = &sets.0[0];
        let tags: Vec<u32> = set.cells.iter().map(|cell| tag_of(cell.load(Acquire))).collect();
        assert_eq!(tags.iter().collect::<BTreeSet<_>>().len(), CELLS_PER_SET, "round {round}: {tags:?}");
        assert!(!Door(set.door.load(Acquire)).is_taken());
    }
}

#[test]
fn a_key_left_in_the_door_is_helped_in() {
    let sets = Sets::new(0);
    let set = &sets.0[0];
    let (stuck, other) = (key(1), key(2));
    // As a thread leaves it that was stopped right after it had taken the door, with its first one counted.
    let taken = Door(0).taken(3, stuck.tag);
    set.door.store(taken.0, Relaxed);
    assert_eq!(counts_left(&sets, other), 10);
    assert_eq!(counts_left(&sets, stuck), 9);
    // It wakes up: neither is its key put in again, nor is the cell of another taken, should it have one.
    set.help(taken, &Counts);
    assert!(!count(&sets, stuck));
    set.cells[3].store(Counts.first(key(3).tag, 0), Relaxed);
    set.help(taken, &Counts);
    assert_eq!(counts_left(&sets, key(3)), 9);
}
