//! How many connections an address has open, over all shards and without locks; in IPv6 a whole /64 is one. Never keeps
//! an address, and never forgets a connection before it ends.
//!
//! What holds exactly
//! - Of those that an address opens at once, as many get in as it may have, and no more.
//! - The table has a set of seven cells for each connection that the process may have, so that nearly always an address
//!   finds one: when every connection is from an address of its own, one set in a hundred thousand is full. Who finds
//!   none is not counted, and let in. Sets are chosen by a hash under a random key, so nobody can bring that about.

use super::hash::{HASH_KEY_BYTES, Hasher};
use super::sets::{Key, Sets, TAG_BITS, Unchanged, Words, tag_of, tagged};
use std::net::IpAddr;

/// Behind the tag: how often the cell was free, and how many connections are open.
const USES_BITS: u32 = 24;
const COUNT_BITS: u32 = 16;

const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;
const USES_MASK: u64 = ((1 << USES_BITS) - 1) << COUNT_BITS;
const ONE_USE: u64 = 1 << COUNT_BITS;

const _: () = assert!(TAG_BITS + USES_BITS + COUNT_BITS == u64::BITS, "a count is one word");

/// The bound on connections of one address.
pub struct ConnectionLimit {
    hasher: Hasher,
    sets: Sets,
    per_address_max: u64,
}

/// An open connection that is counted until this is dropped.
#[must_use = "the connection is counted until this is dropped"]
pub struct OpenConnection<'l> {
    limit: &'l ConnectionLimit,
    /// None when there was no cell for its address.
    key: Option<Key>,
}

/// Counts of open connections: only a cell without any is free for another address.
///
/// A free cell tells how often it was free, so that it never looks as it did before.
struct Counts;

impl Words for Counts {
    fn weight(&self, word: u64) -> Option<(u32, u32)> {
        (tag_of(word) == 0).then_some((0, 0))
    }

    fn first(&self, tag: u32, replaced: u64) -> u64 {
        tagged(tag) | (replaced & USES_MASK) | 1
    }
}

impl ConnectionLimit {
    /// The same with a key drawn from the system.
    ///
    /// # Errors
    /// When the system has no random bytes to give.
    pub fn keyed_at_random(per_address_max: usize, connections_max: usize) -> Result<Self, getrandom::Error> {
        let mut hash_key = [0; HASH_KEY_BYTES];
        getrandom::fill(&mut hash_key)?;
        Ok(Self::new(per_address_max, connections_max, &hash_key))
    }

    /// Nobody is connected yet. At most `per_address_max` connections of one address are let in, 65,535 if it is more,
    /// and the process has `connections_max` at most: each takes 64 bytes. `hash_key` is random and made for this
    /// process: who knows it can fill the set of another.
    pub fn new(per_address_max: usize, connections_max: usize, hash_key: &[u8; HASH_KEY_BYTES]) -> Self {
        Self {
            hasher: Hasher::new(hash_key),
            sets: Sets::new(connections_max.next_power_of_two().ilog2()),
            per_address_max: (per_address_max as u64).min(COUNT_MASK),
        }
    }

    /// Counts a connection; none when its address has as many as it may.
    pub fn open(&self, address: IpAddr) -> Option<OpenConnection<'_>> {
        let hash = self.hasher.address(address);
        let key = Key::new(hash, hash);
        let more = |word: u64| if word & COUNT_MASK < self.per_address_max { Ok(word + 1) } else { Err(()) };
        match self.sets.change_or_insert(key, &Counts, more) {
            Ok(()) => Some(OpenConnection { limit: self, key: Some(key) }),
            Err(Unchanged::Full) => Some(OpenConnection { limit: self, key: None }),
            Err(Unchanged::Refused(())) => None,
        }
    }
}

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        let fewer = |word: u64| match word & COUNT_MASK {
            0 | 1 => (word & USES_MASK).wrapping_add(ONE_USE) & USES_MASK,
            _ => word - 1,
        };
        if let Some(key) = self.key {
            self.limit.sets.change(key, fewer);
        }
    }
}

#[cfg(test)]
mod tests;
