//! The pauses by themselves, and those of many connections to a database that comes and goes, in a time of their own.

use super::*;
use crate::simulation::{Random, by_seed};
use proptest::prelude::*;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

const FIRST: Duration = crate::limits::RECONNECT_PAUSE_FIRST;
const MOST: Duration = crate::limits::RECONNECT_PAUSE_MAX;

proptest! {
    #[test]
    fn pause_doubles_up_to_its_bound_and_starts_again(random in proptest::collection::vec(any::<u32>(), 40)) {
        let mut backoff = Backoff::new(FIRST, MOST);
        for (failures, random) in random.into_iter().enumerate() {
            let step = FIRST.saturating_mul(1 << failures.min(16)).min(MOST);
            let in_vain = Ended::Lost { has_served: false, was_up: Duration::ZERO };
            let pause = backoff.pause_after(if random % 2 == 0 { Ended::NeverUp } else { in_vain }, random).unwrap();
            prop_assert!(pause >= step / 2 && pause <= step);
        }
        prop_assert_eq!(backoff.pause_after(Ended::Lost { has_served: true, was_up: Duration::ZERO }, 0), None);
        prop_assert!(backoff.pause_after(Ended::NeverUp, u32::MAX).unwrap() <= FIRST);
    }
}

const CONNECTIONS: usize = 48;
const STEPS: u64 = 40_000;
/// For an attempt that nobody answers.
const TIMEOUT: Duration = Duration::from_secs(5);
/// In which attempts are counted that lead to nothing.
const WINDOW: Duration = Duration::from_secs(10);

/// What the database does with whoever comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Serves,
    Refuses,
    /// Nobody answers.
    Blackholed,
    /// It has room for so many.
    Full(usize),
    /// It lets everybody in and hangs up at the first statement.
    LetsInAndHangsUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    ModeEnds,
    /// An attempt begins.
    Attempt(usize),
    /// It is over, as it was decided when it began.
    TimedOut(usize),
    HungUp(usize),
}

struct Connection {
    backoff: Backoff,
    up_since: Option<Duration>,
    /// Attempts in a row that led to nothing, the latest [`WINDOW`] of them.
    in_vain: VecDeque<Duration>,
}

struct World {
    random: Random,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, Event)>>,
    mode: Mode,
    since: Duration,
    connections: Vec<Connection>,
}

impl World {
    fn at(&mut self, pause: Duration, event: Event) {
        self.events.push(Reverse((self.now + pause, event)));
    }

    fn up(&self) -> usize {
        self.connections.iter().filter(|connection| connection.up_since.is_some()).count()
    }

    fn attempt(&mut self, which: usize) {
        match self.mode {
            Mode::Full(room) if self.up() >= room => self.ended(which, Ended::NeverUp),
            Mode::Refuses => self.ended(which, Ended::NeverUp),
            Mode::Blackholed => self.at(TIMEOUT, Event::TimedOut(which)),
            Mode::LetsInAndHangsUp => {
                self.connections[which].up_since = Some(self.now);
                let soon = Duration::from_micros(self.random.below(50_000));
                self.at(soon, Event::HungUp(which));
            }
            Mode::Serves | Mode::Full(_) => self.connections[which].up_since = Some(self.now),
        }
    }

    fn ended(&mut self, which: usize, ended: Ended) {
        let now = self.now;
        let connection = &mut self.connections[which];
        connection.up_since = None;
        match connection.backoff.pause_after(ended, self.random.next() as u32) {
            Some(pause) => {
                let in_vain = &mut connection.in_vain;
                in_vain.push_back(now);
                while in_vain.front().is_some_and(|first| *first + WINDOW < now) {
                    in_vain.pop_front();
                }
                // Six steps to the longest pause, of which no less than a half is waited.
                let bound = 6 + 2 * WINDOW.as_millis() / MOST.as_millis() + 1;
                assert!(in_vain.len() as u128 <= bound, "{} attempts in {WINDOW:?} are a storm", in_vain.len());
                self.at(pause, Event::Attempt(which));
            }
            None => {
                connection.in_vain.clear();
                self.at(Duration::ZERO, Event::Attempt(which));
            }
        }
    }

    fn change_mode(&mut self) {
        if self.mode == Mode::Serves && self.now - self.since >= MOST + TIMEOUT {
            assert_eq!(self.up(), CONNECTIONS, "not everybody is back");
        }
        self.mode = match self.random.below(6) {
            0 => Mode::Refuses,
            1 => Mode::Blackholed,
            2 => Mode::Full(self.random.below(CONNECTIONS as u64) as usize),
            3 => Mode::LetsInAndHangsUp,
            _ => Mode::Serves,
        };
        self.since = self.now;
        let lasts = Duration::from_millis(1 + self.random.below(20_000));
        self.at(lasts, Event::ModeEnds);
        // Some are cut, whatever comes next: a restart, a failover, an operator.
        let cut = self.random.below(101);
        for which in 0..CONNECTIONS {
            if let Some(since) = self.connections[which].up_since.filter(|_| self.random.percent(cut)) {
                let has_served = self.random.percent(80);
                self.ended(which, Ended::Lost { has_served, was_up: self.now - since });
            }
        }
    }
}

fn simulate(seed: u64) -> u64 {
    let connection = || Connection { backoff: Backoff::new(FIRST, MOST), up_since: None, in_vain: VecDeque::new() };
    let mut world = World {
        random: Random::new(seed),
        now: Duration::ZERO,
        events: BinaryHeap::new(),
        mode: Mode::Serves,
        since: Duration::ZERO,
        connections: (0..CONNECTIONS).map(|_| connection()).collect(),
    };
    (0..CONNECTIONS).for_each(|which| world.at(Duration::ZERO, Event::Attempt(which)));
    world.at(Duration::ZERO, Event::ModeEnds);
    for _ in 0..STEPS {
        let Reverse((now, event)) = world.events.pop().expect("a mode always ends");
        world.now = now;
        match event {
            Event::ModeEnds => world.change_mode(),
            Event::Attempt(which) => world.attempt(which),
            Event::TimedOut(which) => world.ended(which, Ended::NeverUp),
            // It may have been cut before, and have come back since.
            Event::HungUp(which) => {
                if let Some(since) = world.connections[which].up_since {
                    world.ended(which, Ended::Lost { has_served: false, was_up: now - since });
                }
            }
        }
    }
    STEPS
}

#[test]
fn connections_come_back_soon_and_never_as_a_storm() {
    by_seed(0..10, 15, simulate);
}
