//! A table of counts of fixed size that all shards write at once, without locks. When a set is full, the count that
//! matters least makes room.
//!
//! A set is one cache line: a door and seven cells. A count changes by compare-and-set of its cell. A key gets a cell
//! only through the door, one key at a time, so that no key ever has two cells and no count is ever split: whoever
//! finds the key in no cell puts it into the door, if nobody else has gone through since he looked. Whoever finds a key
//! in the door first helps it into its cell, so that nobody waits for a thread that does not run.

use super::cell::{Cell, Rule, TAG_MAX, Tick, Wait};
use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};

/// With the door, a line of 64 bytes.
const CELLS_PER_SET: usize = 7;

#[derive(Default)]
#[repr(align(64))]
struct Set {
    door: AtomicU64,
    cells: [AtomicU64; CELLS_PER_SET],
}

const _: () = assert!(size_of::<Set>() == 64, "a set is one cache line");

/// What the door of a set shows: how often it was used, and the key that is going through, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Door(u64);

impl Door {
    const USES_SHIFT: u32 = 32;
    const TAKEN: u64 = 1 << 31;
    const INDEX_SHIFT: u32 = 24;

    fn is_taken(self) -> bool {
        self.0 & Self::TAKEN != 0
    }

    /// Taken by a key for the cell with this index.
    fn taken(self, index: usize, tag: u32) -> Self {
        Self(self.free().0 | Self::TAKEN | (index as u64) << Self::INDEX_SHIFT | u64::from(tag))
    }

    /// Free again, and used once more.
    fn free(self) -> Self {
        Self(((self.0 >> Self::USES_SHIFT).wrapping_add(1)) << Self::USES_SHIFT)
    }

    fn index(self) -> usize {
        (self.0 >> Self::INDEX_SHIFT) as usize & 0x7
    }

    fn tag(self) -> u32 {
        self.0 as u32 & TAG_MAX
    }
}

const _: () = assert!(TAG_MAX < 1 << Door::INDEX_SHIFT && CELLS_PER_SET <= 8, "a door holds a tag and an index");

/// Where a key belongs: its set, and its tag in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    set: u64,
    tag: u32,
}

impl Key {
    /// From two hashes that nobody outside can compute: what fills one set on purpose must guess.
    pub(super) fn new(set: u64, tag: u64) -> Self {
        Self { set, tag: ((tag >> (u64::BITS - TAG_MAX.count_ones())) as u32).max(1) }
    }
}

/// Counts of keys under one rule.
pub(super) struct Table {
    sets: Box<[Set]>,
    rule: Rule,
}

impl Table {
    /// A table of 2^`sets_log2` sets, empty.
    pub(super) fn new(sets_log2: u32, rule: Rule) -> Self {
        Self { sets: (0..1_usize << sets_log2).map(|_| Set::default()).collect(), rule }
    }

    fn set(&self, key: Key) -> &Set {
        &self.sets[key.set as usize & (self.sets.len() - 1)]
    }

    /// Counts one, if it is admitted: exact, however many threads do so at once.
    pub(super) fn reserve(&self, key: Key, now: Tick) -> Result<(), Wait> {
        self.change_or_insert(key, now, |cell| cell.reserve(now, &self.rule))
    }

    /// What [`Self::reserve`] would say, without counting.
    pub(super) fn check(&self, key: Key, now: Tick) -> Result<(), Wait> {
        match self.set(key).find(key.tag) {
            Some((_, word)) => Cell::decode(word).reserve(now, &self.rule).map(drop),
            None => Ok(()),
        }
    }

    /// Remembers the key from now on, as the first of its kind.
    pub(super) fn remember(&self, key: Key, now: Tick) {
        let first = Cell::first(key.tag, now);
        let _: Result<(), Wait> = self.change_or_insert(key, now, |_| Ok(first));
    }

    /// Whether anything of the key is remembered.
    pub(super) fn remembers(&self, key: Key, now: Tick) -> bool {
        self.set(key).find(key.tag).is_some_and(|(_, word)| Cell::decode(word).remembers(now, &self.rule))
    }

    /// Takes one back. What has lost its cell meanwhile has nothing to take back.
    pub(super) fn refund(&self, key: Key) {
        self.change(key, Cell::refund);
    }

    /// Forgets the key's count.
    pub(super) fn clear(&self, key: Key) {
        self.change(key, Cell::clear);
    }

    fn change(&self, key: Key, change: impl Fn(Cell) -> Cell) {
        while let Some((cell, word)) = self.set(key).find(key.tag) {
            let changed = change(Cell::decode(word)).encode();
            if cell.compare_exchange(word, changed, AcqRel, Acquire).is_ok() {
                return;
            }
        }
    }

    /// Changes the key's cell. A key without one gets one that counts the first.
    fn change_or_insert(&self, key: Key, now: Tick, change: impl Fn(Cell) -> Result<Cell, Wait>) -> Result<(), Wait> {
        let set = self.set(key);
        loop {
            // Before the look at the cells: a key that went through in between shows in the door.
            let door = Door(set.door.load(Acquire));
            if door.is_taken() {
                set.help(door, now);
                continue;
            }
            if let Some((cell, word)) = set.find(key.tag) {
                let changed = change(Cell::decode(word))?.encode();
                if cell.compare_exchange(word, changed, AcqRel, Acquire).is_ok() {
                    return Ok(());
                }
                continue;
            }
            let taken = door.taken(set.least(now, &self.rule), key.tag);
            if set.door.compare_exchange(door.0, taken.0, AcqRel, Acquire).is_ok() {
                set.help(taken, now);
                return Ok(());
            }
        }
    }
}

impl Set {
    fn find(&self, tag: u32) -> Option<(&AtomicU64, u64)> {
        self.cells.iter().map(|cell| (cell, cell.load(Acquire))).find(|(_, word)| Cell::decode(*word).tag() == tag)
    }

    /// The index of the cell that matters least.
    fn least(&self, now: Tick, rule: &Rule) -> usize {
        let weight = |cell: &AtomicU64| Cell::decode(cell.load(Acquire)).weight(now, rule);
        let cells = self.cells.iter().map(weight).enumerate();
        cells.min_by_key(|(_, weight)| *weight).map_or(0, |(index, _)| index)
    }

    /// Puts the key in the door into its cell, unless somebody else has, and frees the door.
    fn help(&self, door: Door, now: Tick) {
        let cell = &self.cells[door.index()];
        let first = Cell::first(door.tag(), now).encode();
        loop {
            let word = cell.load(Acquire);
            if Cell::decode(word).tag() == door.tag() {
                break;
            }
            // Once the key is in, the cell may be given to another: then the door is not this one any more. It can
            // change after this look too, but so has the cell, and the exchange fails.
            if self.door.load(Acquire) != door.0 {
                return;
            }
            if cell.compare_exchange(word, first, AcqRel, Acquire).is_ok() {
                break;
            }
        }
        // Fails when somebody else has freed it, which is as good.
        let _ = self.door.compare_exchange(door.0, door.free().0, AcqRel, Acquire);
    }
}

#[cfg(test)]
mod tests;
