//! Nodes with two workers each at one durable queue, in a time of their own: they are killed, hang, lose connections in
//! any statement, and have people who log in first; floods come. PostgreSQL does what it promises: a lock goes with its
//! transaction, and that with its connection or its time.

use super::*;
use crate::{
    limits::RECONNECT_PAUSE_MAX,
    simulation::{Random, by_seed},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

const STEPS: u64 = 40_000;
/// For one statement, when nothing is wrong.
const STATEMENT_MAX: Duration = Duration::from_millis(30);
/// How long it may take to work off what is left once nothing comes any more.
const DRAINED_WITHIN: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Registrations,
    /// These may be claimed from now on.
    Ripe(u64, u64),
    Starts(usize),
    /// What a worker does next, unless it is another one by now.
    Worker {
        node: usize,
        worker: usize,
        life: u64,
        step: Step,
    },
    /// PostgreSQL ends a transaction that has been idle for too long.
    Expires(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Claim,
    WriteBack,
}

/// A weak record.
struct Weak {
    registered: Duration,
    holder: Option<u64>,
    /// Free time of the cores, and disturbances, when it became ripe.
    since: Option<(Duration, u32)>,
    /// Free time of the cores when it was claimed last.
    claimed: Duration,
    hashed: u32,
    /// Claims that ended without writing it back.
    spoilt: u32,
}

#[derive(Clone, Default)]
struct Node {
    up: bool,
    hangs_until: Duration,
    /// What has been given to its cores keeps them until then.
    busy_until: Duration,
    hash: Duration,
    cores: u32,
    workers: [Worker; 2],
}

#[derive(Clone, Default)]
struct Worker {
    life: u64,
    doing: Doing,
    claim: Option<Claim>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Doing {
    /// It has no connection.
    #[default]
    Nothing,
    Rests,
    Works,
}

#[derive(Clone)]
struct Claim {
    transaction: u64,
    hashed: Vec<u64>,
    outcome: Outcome,
}

struct World {
    random: Random,
    pace: Pace,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, Event)>>,
    nodes: Vec<Node>,
    queue: BTreeMap<u64, Weak>,
    /// Those who registered, and the transactions begun.
    registered: u64,
    transactions: u64,
    /// Time in which some node had nothing to do.
    free: Duration,
    /// Faults, and claims that were not worked off for people.
    disturbances: u32,
    hardened: u64,
    /// In a thousand steps of each kind.
    faults: u64,
}

impl World {
    fn at(&mut self, pause: Duration, event: Event) {
        self.events.push(Reverse((self.now + pause, event)));
    }

    fn below(&self, bound: Duration) -> Duration {
        Duration::from_millis(self.random.below(bound.as_millis() as u64 + 1))
    }

    fn fails(&mut self) -> bool {
        let fails = self.random.below(1_000) < self.faults;
        self.disturbances += u32::from(fails);
        fails
    }

    /// Lets time go by, and counts how much of it some node was free.
    fn go_on(&mut self, until: Duration) {
        let idle = |node: &Node| {
            let any = |doing| node.workers.iter().any(|worker| worker.doing == doing);
            let may = node.up && !any(Doing::Works) && any(Doing::Rests);
            let from = self.now.max(node.busy_until).max(node.hangs_until);
            if may { until.saturating_sub(from) } else { Duration::ZERO }
        };
        self.free += self.nodes.iter().map(idle).max().unwrap_or_default();
        self.now = until;
    }

    fn register(&mut self) {
        let count = if self.random.below(300) == 0 { self.random.below(500) } else { 1 + self.random.below(3) };
        let first = self.registered;
        self.registered += count;
        for id in first..self.registered {
            let weak =
                Weak { registered: self.now, holder: None, since: None, claimed: self.free, hashed: 0, spoilt: 0 };
            self.queue.insert(id, weak);
        }
        self.at(CLAIM_AGE + Duration::from_millis(1), Event::Ripe(first, self.registered));
        let pause = self.below(Duration::from_millis(800));
        self.at(pause, Event::Registrations);
    }

    fn start(&mut self, node: usize) {
        self.nodes[node].up = true;
        for worker in 0..self.nodes[node].workers.len() {
            self.nodes[node].workers[worker].life += 1;
            let connecting = self.below(STATEMENT_MAX);
            self.next(node, worker, connecting, Step::Claim);
        }
    }

    /// Ends what it has been doing, and its transactions with it.
    fn kill(&mut self, node: usize) {
        self.nodes[node].up = false;
        self.nodes[node].busy_until = self.now;
        for worker in 0..self.nodes[node].workers.len() {
            let worker = &mut self.nodes[node].workers[worker];
            worker.life += 1;
            worker.doing = Doing::Nothing;
            if let Some(claim) = worker.claim.take() {
                self.release(claim.transaction);
            }
        }
        let pause = self.below(Duration::from_secs(5));
        self.at(pause, Event::Starts(node));
    }

    fn next(&mut self, node: usize, worker: usize, pause: Duration, step: Step) {
        let life = self.nodes[node].workers[worker].life;
        self.at(pause, Event::Worker { node, worker, life, step });
    }

    /// The connection is gone, and everything in it.
    fn reconnect(&mut self, node: usize, worker: usize) {
        self.nodes[node].workers[worker].doing = Doing::Nothing;
        if let Some(claim) = self.nodes[node].workers[worker].claim.take() {
            self.release(claim.transaction);
        }
        self.next(node, worker, RECONNECT_PAUSE_MAX, Step::Claim);
    }

    fn release(&mut self, transaction: u64) {
        for weak in self.queue.values_mut().filter(|weak| weak.holder == Some(transaction)) {
            weak.holder = None;
            weak.spoilt += 1;
        }
    }

    fn claim(&mut self, node: usize, worker: usize) {
        self.nodes[node].workers[worker].doing = Doing::Works;
        if self.fails() {
            return self.reconnect(node, worker);
        }
        let Node { hash, cores, .. } = self.nodes[node];
        let wanted = self.pace.wanted(self.now.as_millis() as u64, hash, cores as usize);
        let before = Duration::from_millis(wanted.before_unix_ms);
        self.transactions += 1;
        let transaction = self.transactions;
        let free = self.queue.iter_mut().filter(|(_, weak)| weak.holder.is_none() && weak.registered < before);
        let found: Vec<u64> = (free.take(wanted.most as usize))
            .map(|(id, weak)| {
                weak.holder = Some(transaction);
                weak.claimed = self.free;
                *id
            })
            .collect();
        self.at(wanted.held_max, Event::Expires(transaction));
        if self.random.percent(2) {
            // People come, and go first.
            let people = self.below(Duration::from_secs(6));
            self.nodes[node].busy_until = self.nodes[node].busy_until.max(self.now) + people;
        }
        let until = self.now + CLAIM_HELD_MAX;
        let given_up = until + self.pace.patience(hash);
        let mut end = self.now;
        let mut hashed = Vec::new();
        for id in &found {
            let begin = self.nodes[node].busy_until.max(self.now);
            if begin > until {
                end = given_up;
                continue;
            }
            self.nodes[node].busy_until = begin + hash / cores;
            self.queue.get_mut(id).expect("what is claimed is there").hashed += 1;
            end = end.max(self.nodes[node].busy_until.min(given_up));
            if self.nodes[node].busy_until <= given_up {
                hashed.push(*id);
            }
        }
        let left = found.len() - hashed.len();
        let outcome = Outcome { most: wanted.most as usize, found: found.len(), written: hashed.len(), left };
        self.nodes[node].workers[worker].claim = Some(Claim { transaction, hashed, outcome });
        let takes = end - self.now + self.below(STATEMENT_MAX);
        self.next(node, worker, takes, Step::WriteBack);
    }

    fn write_back(&mut self, node: usize, worker: usize) {
        let claim = self.nodes[node].workers[worker].claim.clone().expect("it has claimed");
        let own = |weak: &Weak| weak.holder == Some(claim.transaction);
        let is_open = claim.outcome.found == 0 || self.queue.values().any(own);
        let is_lost = self.fails();
        // The connection may die before the commit and after it.
        if !is_open || (is_lost && self.random.percent(50)) {
            return self.reconnect(node, worker);
        }
        for id in &claim.hashed {
            let weak = self.queue.remove(id).expect("what is written is in the queue, so it is written once");
            self.hardened += 1;
            self.judge(*id, &weak);
        }
        if is_lost {
            return self.reconnect(node, worker);
        }
        self.release(claim.transaction);
        self.nodes[node].workers[worker].claim = None;
        let pause = self.pace.pause(claim.outcome);
        self.disturbances += u32::from(claim.outcome.left > 0);
        self.nodes[node].workers[worker].doing = if pause.is_zero() { Doing::Works } else { Doing::Rests };
        let latency = if pause.is_zero() { self.below(STATEMENT_MAX) } else { Duration::ZERO };
        self.next(node, worker, pause + latency, Step::Claim);
    }

    /// Whether a record that has just been hardened had waited for longer than it may.
    fn judge(&self, id: u64, weak: &Weak) {
        assert!(weak.hashed <= 1 + weak.spoilt, "{id} was hashed {} times for {} claims", weak.hashed, weak.spoilt + 1);
        let (free, disturbances) = weak.since.expect("only what is ripe is claimed");
        let disturbances = self.disturbances - disturbances;
        let waited = weak.claimed - free;
        let may = longest_wait(self.pace, self.nodes.len() as u32, disturbances);
        assert!(waited <= may, "{id} waited for {waited:?} with cores free, after {disturbances} disturbances");
    }

    fn step(&mut self) {
        let Reverse((now, event)) = self.events.pop().expect("workers always go on");
        self.go_on(now);
        match event {
            Event::Registrations => {
                if self.faults > 0 {
                    self.register();
                }
            }
            Event::Ripe(first, end) => {
                let since = Some((self.free, self.disturbances));
                self.queue.range_mut(first..end).for_each(|(_, weak)| weak.since = since);
            }
            Event::Starts(node) => self.start(node),
            Event::Expires(transaction) => {
                let own = |worker: &Worker| worker.claim.as_ref().is_some_and(|claim| claim.transaction == transaction);
                if self.nodes.iter().any(|node| node.workers.iter().any(own)) {
                    self.release(transaction);
                }
            }
            Event::Worker { node, worker, life, step } => {
                if self.nodes[node].workers[worker].life != life {
                    return;
                }
                if self.nodes[node].hangs_until > now {
                    let later = self.nodes[node].hangs_until - now;
                    return self.next(node, worker, later, step);
                }
                if self.fails() {
                    return self.kill(node);
                }
                if self.fails() {
                    self.nodes[node].hangs_until = now + self.below(Duration::from_secs(20));
                    return self.next(node, worker, Duration::ZERO, step);
                }
                match step {
                    Step::Claim => self.claim(node, worker),
                    Step::WriteBack => self.write_back(node, worker),
                }
            }
        }
    }
}

/// How long a record may lie there ripe while some node has nothing to do: each node finds it, or so much else that it
/// is not free any more, within an interval. Whatever goes wrong holds it, or whoever would have found it, for as long
/// as a claim is held at most.
fn longest_wait(pace: Pace, nodes: u32, disturbances: u32) -> Duration {
    nodes * pace.interval + disturbances * (CLAIM_HELD_MAX + pace.deadline + pace.interval) + STATEMENT_MAX
}

fn simulate(seed: u64) -> u64 {
    let random = Random::new(seed);
    let interval = Duration::from_millis(10 + random.below(12_000));
    let node = |_| Node {
        hash: Duration::from_millis(5 + random.below(60)),
        cores: 1 + random.below(4) as u32,
        ..Node::default()
    };
    let nodes: Vec<_> = (0..1 + random.below(3)).map(node).collect();
    let mut world = World {
        pace: Pace {
            interval,
            claim_size: 1 + random.below(200) as usize,
            deadline: Duration::from_millis(500 + random.below(4_500)),
            weak_age_max: least(interval),
        },
        faults: 1 + random.below(20),
        random,
        now: Duration::from_secs(100),
        events: BinaryHeap::new(),
        nodes,
        queue: BTreeMap::new(),
        registered: 0,
        transactions: 0,
        free: Duration::ZERO,
        disturbances: 0,
        hardened: 0,
    };
    for node in 0..world.nodes.len() {
        world.at(Duration::ZERO, Event::Starts(node));
    }
    world.at(Duration::ZERO, Event::Registrations);
    for _ in 0..STEPS {
        world.step();
    }
    world.faults = 0;
    let until = world.now + DRAINED_WITHIN;
    while !world.queue.is_empty() {
        world.step();
        assert!(world.now < until, "{} are never hardened", world.queue.len());
    }
    assert_eq!(world.hardened, world.registered);
    u64::from(world.disturbances)
}

#[test]
fn nothing_waits_while_a_core_is_free_and_nothing_is_hardened_twice_whoever_crashes() {
    let disturbances = by_seed(0..10, 20, simulate);
    assert!(disturbances.is_none_or(|disturbances| disturbances > 0), "nothing went wrong, so nothing was shown");
}

#[test]
fn the_least_bound_that_is_accepted_leaves_room_for_a_fault() {
    for interval_ms in (10..60_000).step_by(10) {
        let interval = Duration::from_millis(interval_ms);
        let pace = Pace { interval, claim_size: 100, deadline: Duration::from_secs(5), weak_age_max: least(interval) };
        let oldest = CLAIM_AGE + longest_wait(pace, 1, 1);
        assert!(oldest <= pace.weak_age_max, "{oldest:?} with a look each {interval:?}");
    }
}

/// The least `hardening.weak_age_max` that is accepted with such an interval.
fn least(interval: Duration) -> Duration {
    (4 * interval).max(Duration::from_secs(45))
}
