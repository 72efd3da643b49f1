//! One count in 64 bits, and how it changes: pure functions of the cell, the time and the rule. Knows no table and no
//! clock.
//!
//! Invariant of an admission: `level < free`, or `since + delay(level - free) <= now`.

use super::sets::{TAG_BITS, tag_of, tagged};
use std::time::Duration;

/// Bits of the level and the time, behind the tag. The level holds every number of free failures that can be set; the
/// time goes round in 97 days, after which a cell that nobody touched meanwhile looks new once more: it costs one
/// delay.
const LEVEL_BITS: u32 = 14;
const TICK_BITS: u32 = 26;

/// Ticks in a second: a delay is told in whole seconds, so an eighth is fine enough.
const TICKS_PER_SECOND: u64 = 8;

const LEVEL_MAX: u32 = (1 << LEVEL_BITS) - 1;
const TICK_MASK: u32 = (1 << TICK_BITS) - 1;

/// Shards read their clocks one after the other, and a thread may be held up between that and its count: what lies
/// behind by at most a minute is now. More would be mistaken for it once the time has gone round.
const TICKS_BEHIND_MAX: u32 = 60 * TICKS_PER_SECOND as u32;

/// The longest that a rule can remember.
const TICKS_MAX: u32 = TICK_MASK - TICKS_BEHIND_MAX;

/// The most that can be free, so that delays have room to grow above it.
pub(super) const FREE_MAX: usize = 10_000;

const _: () = assert!(TAG_BITS + LEVEL_BITS + TICK_BITS == u64::BITS, "a cell is one word");
const _: () = assert!(FREE_MAX + 1_000 < LEVEL_MAX as usize, "a level above what is free goes on counting");

/// A moment, in eighths of a second, modulo 97 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tick(u32);

impl Tick {
    pub(super) fn of_ms(now_ms: u64) -> Self {
        let ticks = now_ms.wrapping_mul(TICKS_PER_SECOND) / 1_000;
        Self(ticks as u32 & TICK_MASK)
    }

    /// Ticks from `self` to `now`; 0 when `now` lies a little before.
    fn elapsed(self, now: Self) -> u32 {
        let ticks = now.0.wrapping_sub(self.0) & TICK_MASK;
        if ticks <= TICKS_MAX { ticks } else { 0 }
    }

    /// `now`, unless it lies a little before: time that was counted once is not counted again.
    fn no_earlier(self, now: Self) -> Self {
        if self.elapsed(now) > 0 { now } else { self }
    }

    fn plus(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks) & TICK_MASK)
    }
}

/// How much is admitted: `free` at once, then one more whenever a delay has passed that doubles with each. What was
/// counted is forgotten one by one.
///
/// Invariant: no delay is longer than `forget`, so that whoever has waited for it is admitted, whatever is forgotten.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    free: u32,
    forget: u32,
    delay_first: u32,
    delay_max: u32,
}

impl Rule {
    /// A rule whose delays grow from `delay_first` to `delay_max`. Times are rounded up to a tick.
    pub(super) fn growing(free: usize, forget: Duration, delay_first: Duration, delay_max: Duration) -> Self {
        let forget = ticks(forget);
        let delay_max = ticks(delay_max).min(forget);
        Self { free: free.min(FREE_MAX) as u32, forget, delay_first: ticks(delay_first).min(delay_max), delay_max }
    }

    /// A bucket of `free` tokens of which one comes back in each `refill`.
    pub(super) fn bucket(free: usize, refill: Duration) -> Self {
        Self::growing(free, refill, refill, refill)
    }

    fn delay(&self, above: u32) -> u32 {
        let doubled = u64::from(self.delay_first) << above.min(u32::BITS - 1);
        u32::try_from(doubled).map_or(self.delay_max, |delay| delay.min(self.delay_max))
    }
}

/// At least one, and within what the time of a cell can tell.
fn ticks(time: Duration) -> u32 {
    let ticks = (time.as_millis() * u128::from(TICKS_PER_SECOND)).div_ceil(1_000);
    u32::try_from(ticks).unwrap_or(u32::MAX).clamp(1, TICKS_MAX)
}

/// A count: whose it is, how much was counted, and since when one of it waits to be forgotten. Above what is free that
/// is the time of the last admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    tag: u32,
    level: u32,
    since: Tick,
}

/// How long until the next is admitted, when nothing else happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    ticks: u32,
}

impl Wait {
    /// In whole seconds, rounded up.
    pub(super) fn seconds(self) -> u64 {
        u64::from(self.ticks).div_ceil(TICKS_PER_SECOND)
    }
}

impl Cell {
    /// The first of its kind, admitted without looking: every rule admits one.
    pub(super) fn first(tag: u32, now: Tick) -> Self {
        Self { tag, level: 1, since: now }
    }

    /// The tag of what never was written is 0, which no key has.
    pub(super) fn decode(word: u64) -> Self {
        Self { tag: tag_of(word), level: (word >> TICK_BITS) as u32 & LEVEL_MAX, since: Tick(word as u32 & TICK_MASK) }
    }

    pub(super) fn encode(self) -> u64 {
        tagged(self.tag) | u64::from(self.level) << TICK_BITS | u64::from(self.since.0)
    }

    pub(super) fn tag(self) -> u32 {
        self.tag
    }

    /// The cell with what is forgotten by now taken off.
    fn settled(self, now: Tick, rule: &Rule) -> Self {
        let steps = self.since.elapsed(now) / rule.forget;
        Self { level: self.level.saturating_sub(steps), since: self.since.plus(steps * rule.forget), ..self }
    }

    /// Counts one, if it is admitted.
    pub(super) fn reserve(self, now: Tick, rule: &Rule) -> Result<Self, Wait> {
        let settled = self.settled(now, rule);
        if let Some(above) = settled.level.checked_sub(rule.free) {
            // By the level before anything was forgotten: `since` has moved on with it, and waiting for longer must
            // not be worse than waiting for the delay.
            let unsettled_above = above + (self.level - settled.level);
            let wait = rule.delay(unsettled_above).saturating_sub(self.since.elapsed(now));
            if wait > 0 {
                return Err(Wait { ticks: wait });
            }
        }
        let level = (settled.level + 1).min(LEVEL_MAX);
        let starts_waiting = settled.level == 0 || level >= rule.free;
        Ok(Self { level, since: if starts_waiting { settled.since.no_earlier(now) } else { settled.since }, ..self })
    }

    /// Takes one back.
    pub(super) fn refund(self) -> Self {
        Self { level: self.level.saturating_sub(1), ..self }
    }

    /// Forgets all.
    pub(super) fn clear(self) -> Self {
        Self { level: 0, ..self }
    }

    /// Whether anything is left that was counted.
    pub(super) fn remembers(self, now: Tick, rule: &Rule) -> bool {
        self.settled(now, rule).level > 0
    }

    /// What makes one cell matter more than another: its level, then how new it is. Larger matters more.
    pub(super) fn weight(self, now: Tick, rule: &Rule) -> (u32, u32) {
        if self.tag == 0 {
            return (0, 0);
        }
        let settled = self.settled(now, rule);
        (settled.level, TICKS_MAX - settled.since.elapsed(now))
    }
}

#[cfg(test)]
mod tests;
