//! Counts of attempts under one rule, in a table of fixed size. When a set is full, the count that matters least makes
//! room.

use super::cell::{Cell, Rule, Tick, Wait};
use super::sets::{Key, Sets, Unchanged, Words};

/// Counts of keys under one rule.
pub(super) struct Table {
    sets: Sets,
    rule: Rule,
}

/// Counts as they are at a moment. A count that made room for another does not come back as it was: its time and its
/// level would have to be the same.
struct Counts<'a> {
    rule: &'a Rule,
    now: Tick,
}

impl Words for Counts<'_> {
    fn weight(&self, word: u64) -> Option<(u32, u32)> {
        Some(Cell::decode(word).weight(self.now, self.rule))
    }

    fn first(&self, tag: u32, _: u64) -> u64 {
        Cell::first(tag, self.now).encode()
    }
}

impl Table {
    /// A table of 2^`sets_log2` sets, empty.
    pub(super) fn new(sets_log2: u32, rule: Rule) -> Self {
        Self { sets: Sets::new(sets_log2), rule }
    }

    /// Counts one, if it is admitted: exact, however many threads do so at once.
    pub(super) fn reserve(&self, key: Key, now: Tick) -> Result<(), Wait> {
        self.change_or_insert(key, now, |cell| cell.reserve(now, &self.rule))
    }

    /// What [`Self::reserve`] would say, without counting.
    pub(super) fn check(&self, key: Key, now: Tick) -> Result<(), Wait> {
        match self.sets.get(key) {
            Some(word) => Cell::decode(word).reserve(now, &self.rule).map(drop),
            None => Ok(()),
        }
    }

    /// Remembers the key from now on, as the first of its kind.
    pub(super) fn remember(&self, key: Key, now: Tick) {
        let _: Result<(), Wait> = self.change_or_insert(key, now, |cell| Ok(Cell::first(cell.tag(), now)));
    }

    /// Whether anything of the key is remembered.
    pub(super) fn remembers(&self, key: Key, now: Tick) -> bool {
        self.sets.get(key).is_some_and(|word| Cell::decode(word).remembers(now, &self.rule))
    }

    /// Takes one back. What has lost its cell meanwhile has nothing to take back.
    pub(super) fn refund(&self, key: Key) {
        self.sets.change(key, |word| Cell::decode(word).refund().encode());
    }

    /// Forgets the key's count.
    pub(super) fn clear(&self, key: Key) {
        self.sets.change(key, |word| Cell::decode(word).clear().encode());
    }

    fn change_or_insert(&self, key: Key, now: Tick, change: impl Fn(Cell) -> Result<Cell, Wait>) -> Result<(), Wait> {
        let counts = Counts { rule: &self.rule, now };
        let change = |word| change(Cell::decode(word)).map(Cell::encode);
        match self.sets.change_or_insert(key, &counts, change) {
            Ok(()) => Ok(()),
            Err(Unchanged::Refused(wait)) => Err(wait),
            Err(Unchanged::Full) => unreachable!("every count may make room for another"),
        }
    }
}

#[cfg(test)]
mod tests;
