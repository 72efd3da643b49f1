//! Words of 64 bits under keys, in a table of fixed size that all shards write at once, without locks. What a word
//! counts, and which one may make room for another, is its owner's business.
//!
//! A set is one cache line: a door and seven cells. A word changes by compare-and-set of its cell. A key gets a cell
//! only through the door, one key at a time, so that no key ever has two cells and no count is ever split: whoever
//! finds the key in no cell puts it into the door, if nobody else has gone through since he looked. Whoever finds a key
//! in the door first helps it into its cell, so that nobody waits for a thread that does not run.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};

/// With the door, a line of 64 bytes.
const CELLS_PER_SET: usize = 7;

/// Bits of the tag, which tells 2^24 keys of one set apart: the first of every word.
pub(super) const TAG_BITS: u32 = 24;
pub(super) const TAG_MAX: u32 = (1 << TAG_BITS) - 1;

/// The tag of a word; 0, which no key has, when the cell is nobody's.
pub(super) fn tag_of(word: u64) -> u32 {
    (word >> (u64::BITS - TAG_BITS)) as u32
}

/// A word of this tag and nothing else.
pub(super) fn tagged(tag: u32) -> u64 {
    u64::from(tag) << (u64::BITS - TAG_BITS)
}

/// How a table's words are begun and replaced.
pub(super) trait Words {
    /// What makes one word matter more than another; none for a word that must not be replaced.
    fn weight(&self, word: u64) -> Option<(u32, u32)>;

    /// The first word of a key with this tag, in place of `replaced`.
    ///
    /// It must differ from every word that `replaced` was before, so that a thread which was held up cannot mistake
    /// what it sees for what it saw.
    fn first(&self, tag: u32, replaced: u64) -> u64;
}

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
        Self { set, tag: ((tag >> (u64::BITS - TAG_BITS)) as u32).max(1) }
    }
}

/// Why a key has not got a cell, or its cell has not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unchanged<E> {
    /// The change was refused.
    Refused(E),
    /// No word of the set may be replaced.
    Full,
}

/// The table.
pub(super) struct Sets(Box<[Set]>);

impl Sets {
    /// A table of 2^`sets_log2` sets, empty.
    pub(super) fn new(sets_log2: u32) -> Self {
        Self((0..1_usize << sets_log2).map(|_| Set::default()).collect())
    }

    fn set(&self, key: Key) -> &Set {
        &self.0[key.set as usize & (self.0.len() - 1)]
    }

    /// The key's word now, if it has a cell.
    pub(super) fn get(&self, key: Key) -> Option<u64> {
        self.set(key).find(key.tag).map(|(_, word)| word)
    }

    /// Changes the key's word, if it has a cell.
    pub(super) fn change(&self, key: Key, change: impl Fn(u64) -> u64) {
        while let Some((cell, word)) = self.set(key).find(key.tag) {
            if cell.compare_exchange(word, change(word), AcqRel, Acquire).is_ok() {
                return;
            }
        }
    }

    /// Changes the key's word. A key without a cell gets one, with its first word.
    pub(super) fn change_or_insert<E>(
        &self,
        key: Key,
        words: &impl Words,
        change: impl Fn(u64) -> Result<u64, E>,
    ) -> Result<(), Unchanged<E>> {
        let set = self.set(key);
        loop {
            // Before the look at the cells: a key that went through in between shows in the door.
            let door = Door(set.door.load(Acquire));
            if door.is_taken() {
                set.help(door, words);
                continue;
            }
            if let Some((cell, word)) = set.find(key.tag) {
                let changed = change(word).map_err(Unchanged::Refused)?;
                if cell.compare_exchange(word, changed, AcqRel, Acquire).is_ok() {
                    return Ok(());
                }
                continue;
            }
            let taken = door.taken(set.least(words).ok_or(Unchanged::Full)?, key.tag);
            if set.door.compare_exchange(door.0, taken.0, AcqRel, Acquire).is_ok() {
                set.help(taken, words);
                return Ok(());
            }
        }
    }
}

impl Set {
    fn find(&self, tag: u32) -> Option<(&AtomicU64, u64)> {
        self.cells.iter().map(|cell| (cell, cell.load(Acquire))).find(|(_, word)| tag_of(*word) == tag)
    }

    /// The index of the cell that matters least among those that may be replaced.
    fn least(&self, words: &impl Words) -> Option<usize> {
        let weight = |(index, cell): (usize, &AtomicU64)| Some((words.weight(cell.load(Acquire))?, index));
        self.cells.iter().enumerate().filter_map(weight).min().map(|(_, index)| index)
    }

    /// Puts the key in the door into its cell, unless somebody else has, and frees the door.
    fn help(&self, door: Door, words: &impl Words) {
        let cell = &self.cells[door.index()];
        loop {
            let word = cell.load(Acquire);
            if tag_of(word) == door.tag() {
                break;
            }
            // Once the key is in, the cell may be given to another: then the door is not this one any more. It can
            // change after this look too, but so has the cell, and the exchange fails.
            if self.door.load(Acquire) != door.0 {
                return;
            }
            if cell.compare_exchange(word, words.first(door.tag(), word), AcqRel, Acquire).is_ok() {
                break;
            }
        }
        // Fails when somebody else has freed it, which is as good.
        let _ = self.door.compare_exchange(door.0, door.free().0, AcqRel, Acquire);
    }
}

#[cfg(test)]
mod tests;
