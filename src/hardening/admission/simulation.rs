//! Crowds at the door of some workers, in a time of their own: bursts, workers that are stuck for a while, hashes that
//! become slower or faster, and clients that come back when they were told to.

use super::*;
use crate::{
    hardening::job::MovingMean,
    simulation::{Random, by_seed},
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

const STEPS: u64 = 60_000;
/// The mean of hashes that all take the same time is settled after so many, to a few nanoseconds each.
const SETTLED: u32 = 150;
const IMPRECISION: Duration = Duration::from_micros(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    /// A client that was refused in quiet times; nobody has come since.
    Return,
    Hashed {
        began: Duration,
    },
    Change,
}

struct World {
    random: Random,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, Event)>>,
    /// Times by which each has to begin, and the number of disturbances when it was let in in quiet times.
    waiting: VecDeque<(Duration, Option<u64>)>,
    waiting_max: usize,
    workers: usize,
    working: usize,
    deadline: Duration,
    hash: Duration,
    mean: MovingMean,
    /// Hashes since the last that took another time than this one.
    alike: u32,
    /// How often a hash took another time than the one before.
    disturbances: u64,
    nobody_comes_until: Duration,
    admitted: u64,
    begun: u64,
    late: u64,
}

impl World {
    fn at(&mut self, pause: Duration, event: Event) {
        self.events.push(Reverse((self.now + pause, event)));
    }

    fn micros_below(&self, bound: Duration) -> Duration {
        Duration::from_micros(self.random.below(bound.as_micros() as u64 + 1))
    }

    fn is_quiet(&self) -> bool {
        self.alike >= SETTLED
    }

    fn disturb(&mut self) {
        self.alike = 0;
        self.disturbances += 1;
    }

    fn pressure(&self) -> Pressure {
        let World { waiting_max, workers, working, .. } = *self;
        Pressure { waiting: self.waiting.len(), waiting_max, workers, working, hash: self.mean.get() }
    }

    fn arrive(&mut self, returns: bool) {
        let pressure = self.pressure();
        match pressure.decide(self.deadline) {
            Admission::Admit => {
                self.admitted += 1;
                let quiet = self.is_quiet().then_some(self.disturbances);
                self.waiting.push_back((self.now + self.deadline, quiet));
                assert!(self.waiting.len() <= self.waiting_max, "the queue has no bound");
                self.begin();
            }
            Admission::Busy { retry_after_s } => {
                assert!(self.working == self.workers || !self.waiting.is_empty(), "refused at an idle worker");
                assert!(!returns || !self.is_quiet(), "came when told to, and was refused: {pressure:?}");
                let may_be_held_to_it = self.is_quiet() && retry_after_s < limits::PASSWORD_RETRY_AFTER_S_MAX;
                if may_be_held_to_it && self.now > self.nobody_comes_until && self.random.percent(20) {
                    self.nobody_comes_until = self.now + Duration::from_secs(retry_after_s);
                    self.at(Duration::from_secs(retry_after_s), Event::Return);
                }
            }
        }
    }

    /// Gives idle workers what waits.
    fn begin(&mut self) {
        while self.working < self.workers
            && let Some((deadline, quiet)) = self.waiting.pop_front()
        {
            if self.now > deadline {
                let by = self.now - deadline;
                let was_quiet = quiet == Some(self.disturbances);
                assert!(!was_quiet || by < IMPRECISION, "let in, and {by:?} late in quiet times");
                self.late += 1;
                continue;
            }
            self.working += 1;
            self.begun += 1;
            // Now and then one is stuck: swapped out, or its CPU taken away.
            let is_stuck = self.random.below(2_000) == 0;
            let takes = if is_stuck { self.hash * (2 + self.random.below(20) as u32) } else { self.hash };
            if is_stuck {
                self.disturb();
            }
            let began = self.now;
            self.at(takes, Event::Hashed { began });
        }
    }

    fn hashed(&mut self, began: Duration) {
        let took = self.now - began;
        self.working -= 1;
        self.mean.observe(took);
        if took == self.hash {
            self.alike += 1;
        } else {
            self.disturb();
        }
        self.begin();
    }

    fn change(&mut self) {
        if self.random.percent(50) {
            self.hash = Duration::from_micros(500 + self.random.below(40_000));
            self.disturb();
        }
        let lasts = Duration::from_secs(1 + self.random.below(60));
        self.at(lasts, Event::Change);
    }

    fn arrival(&mut self) {
        if self.now > self.nobody_comes_until {
            let crowd = if self.random.percent(2) { self.random.below(200) } else { 1 };
            (0..crowd).for_each(|_| self.arrive(false));
        }
        // From half of what the workers can do to twice as much.
        let mean = self.hash / self.workers as u32 * 2;
        let pause = self.micros_below(mean * (1 + self.random.below(4) as u32) / 2);
        self.at(pause, Event::Arrival);
    }
}

fn simulate(seed: u64) -> u64 {
    let random = Random::new(seed);
    let workers = 1 + random.below(8) as usize;
    let mut world = World {
        waiting_max: workers * (1 + random.below(64) as usize),
        deadline: Duration::from_millis(random.below(3_000)),
        hash: Duration::from_micros(500 + random.below(40_000)),
        random,
        now: Duration::ZERO,
        events: BinaryHeap::new(),
        waiting: VecDeque::new(),
        workers,
        working: 0,
        mean: MovingMean::default(),
        alike: 0,
        disturbances: 0,
        nobody_comes_until: Duration::ZERO,
        admitted: 0,
        begun: 0,
        late: 0,
    };
    world.at(Duration::ZERO, Event::Change);
    world.at(Duration::ZERO, Event::Arrival);
    for _ in 0..STEPS {
        let Reverse((now, event)) = world.events.pop().expect("clients always come");
        world.now = now;
        match event {
            Event::Arrival => world.arrival(),
            Event::Return => world.arrive(true),
            Event::Hashed { began } => world.hashed(began),
            Event::Change => world.change(),
        }
        assert_eq!(world.admitted, world.begun + world.late + world.waiting.len() as u64, "somebody was forgotten");
        assert!(world.waiting.is_empty() || world.working == world.workers, "a worker idles while somebody waits");
    }
    world.late
}

#[test]
fn whoever_is_let_in_begins_in_time_and_whoever_is_not_is_told_when_to_come() {
    let late = by_seed(0..10, 20, simulate);
    assert!(late.is_none_or(|late| late > 0), "nothing went wrong, so nothing was shown");
}
