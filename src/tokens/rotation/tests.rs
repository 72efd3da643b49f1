//! A model of clients that refresh in parallel, against the decision and the tokens themselves.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::account::SessionId;
use crate::keys::{KeyKind, Keys};
use crate::simulation::{Random, by_seed};
use crate::tokens::{RefreshToken, RefreshTokens};

const GRACE_MS: i64 = 10_000;
const SEED: [u8; 16] = [3; 16];
const CLIENTS: usize = 4;

#[test]
fn each_generation_has_its_answer() {
    use RefreshDecision::*;
    for (presented, rotated_ms_ago, decision) in [
        (8, 0, NotIssued),
        (u32::MAX, 0, NotIssued),
        (7, 0, Rotate),
        (7, i64::MAX, Rotate),
        (6, -5, SameSuccessor),
        (6, GRACE_MS - 1, SameSuccessor),
        (6, GRACE_MS, Theft),
        (6, i64::MAX, Theft),
        (5, 0, Theft),
        (0, 0, Theft),
    ] {
        assert_eq!(decide(presented, 7, rotated_ms_ago, GRACE_MS), decision, "{presented}, {rotated_ms_ago}");
    }
    assert_eq!(decide(6, 7, 0, 0), Theft, "no grace at all");
}

/// The row of a session, as the database has it.
#[derive(Clone, Copy)]
struct Row {
    generation: u32,
    rotated_at_ms: i64,
    ended: bool,
}

/// A client between its look at the row and what it does about it.
#[derive(Clone, Copy)]
struct Looked {
    presented: u32,
    row: Row,
    at_ms: i64,
}

#[derive(Clone, Debug)]
enum Step {
    Wait(i64),
    /// A client presents any of the tokens issued so far, and the row is looked at.
    Look(usize, Index),
    /// What the look led to is carried out, however long ago it was.
    Act(usize),
}

struct Model {
    now_ms: i64,
    row: Row,
    tokens: RefreshTokens,
    session: SessionId,
    issued: Vec<String>,
    /// The texts that a token of each generation was exchanged for.
    successors: HashMap<u32, String>,
    clients: [Option<Looked>; CLIENTS],
}

impl Model {
    fn new() -> Self {
        let key = Keys::from_value(KeyKind::Refresh, &"A".repeat(43)).unwrap();
        let tokens = RefreshTokens::new(&key).unwrap();
        let session = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f".parse().unwrap();
        let issued = vec![tokens.issue(&session, 0, &SEED)];
        let row = Row { generation: 0, rotated_at_ms: 0, ended: false };
        Self { now_ms: 0, row, tokens, session, issued, successors: HashMap::new(), clients: [None; CLIENTS] }
    }

    fn look(&self, token: &str) -> Looked {
        let token = RefreshToken::parse(token).unwrap();
        assert!(self.tokens.issued(&token) && token.proves(&SEED));
        Looked { presented: token.generation(), row: self.row, at_ms: self.now_ms }
    }

    /// Carries out what a look led to, and gives the answer to the client: a token, or none.
    fn act(&mut self, looked: Looked) -> Option<String> {
        let Looked { presented, row, at_ms } = looked;
        if row.ended || self.row.ended {
            return None;
        }
        let ago_ms = at_ms - row.rotated_at_ms;
        match decide(presented, row.generation, ago_ms, GRACE_MS) {
            RefreshDecision::Rotate if self.row.generation != presented => {
                let again = Looked { row: self.row, at_ms: self.now_ms, ..looked };
                return self.act(again);
            }
            RefreshDecision::Rotate => {
                self.row = Row { generation: presented + 1, rotated_at_ms: self.now_ms, ended: false };
            }
            RefreshDecision::SameSuccessor => {
                assert!(presented + 1 == row.generation && ago_ms < GRACE_MS, "a replay after the grace");
            }
            RefreshDecision::Theft => {
                assert!(presented + 1 < row.generation || ago_ms >= GRACE_MS, "a retry taken for theft");
                self.row.ended = true;
                return None;
            }
            RefreshDecision::NotIssued => panic!("generation {presented} was issued"),
        }
        let successor = self.tokens.issue(&self.session, presented + 1, &SEED);
        let first = self.successors.entry(presented).or_insert_with(|| successor.clone());
        assert_eq!(*first, successor, "two successors of one token");
        self.issued.push(successor.clone());
        Some(successor)
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Wait(ms) => self.now_ms += ms,
            Step::Look(client, which) => self.clients[*client] = Some(self.look(which.get::<String>(&self.issued))),
            Step::Act(client) => {
                if let Some(looked) = self.clients[*client].take() {
                    self.act(looked);
                }
            }
        }
    }

    fn assert_one_live_token(&self) {
        let live = (0..=self.row.generation + 1)
            .filter(|presented| decide(*presented, self.row.generation, 0, GRACE_MS) == RefreshDecision::Rotate);
        assert_eq!(live.collect::<Vec<_>>(), [self.row.generation]);
        assert!(self.issued.iter().all(|token| self.look(token).presented <= self.row.generation));
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0..2 * GRACE_MS).prop_map(Step::Wait),
        1 => (0i64..50).prop_map(Step::Wait),
        3 => (0..CLIENTS, any::<Index>()).prop_map(|(client, which)| Step::Look(client, which)),
        3 => (0..CLIENTS).prop_map(Step::Act),
    ]
}

proptest! {
    #[test]
    fn parallel_refreshes_of_any_token_leave_one_successor(steps in prop::collection::vec(step(), 0..80)) {
        let mut model = Model::new();
        for step in &steps {
            model.step(step);
            model.assert_one_live_token();
        }
    }

    #[test]
    fn a_replay_after_the_grace_ends_the_session(steps in prop::collection::vec(step(), 0..40), which: Index) {
        let mut model = Model::new();
        steps.iter().for_each(|step| model.step(step));
        model.now_ms += GRACE_MS;
        let token = which.get(&model.issued).clone();
        let newest = model.look(&token).presented == model.row.generation;
        let ended = model.row.ended;
        let answer = model.act(model.look(&token));
        if newest {
            prop_assert_eq!(answer.is_some(), !ended);
        } else {
            prop_assert!(answer.is_none() && model.row.ended);
            let newest = model.tokens.issue(&model.session, model.row.generation, &SEED);
            prop_assert!(model.act(model.look(&newest)).is_none(), "the thief's token is dead too");
        }
    }

    /// One client that keeps what it gets and asks again when a reply is lost.
    #[test]
    fn lost_replies_never_log_a_client_out(
        refreshes in prop::collection::vec((0i64..1_000_000, prop::collection::vec(0..GRACE_MS / 4, 0..4)), 1..30),
    ) {
        let mut model = Model::new();
        let mut token = model.issued[0].clone();
        for (pause_ms, lost) in refreshes {
            model.now_ms += pause_ms;
            for retry_after_ms in lost {
                prop_assert!(model.act(model.look(&token)).is_some());
                model.now_ms += retry_after_ms;
            }
            token = model.act(model.look(&token)).unwrap();
        }
    }
}

/// Clients that hold what they were given, refresh when they like, and lose replies and patience; one of them may be a
/// thief's. Statements reach the row twice, late or not at all, and are done again by whoever was not answered.
fn simulate(seed: u64) -> u64 {
    let random = Random::new(seed);
    let mut model = Model::new();
    let mut held: Vec<String> = vec![model.issued[0].clone(); CLIENTS];
    let mut sessions = 0;
    let faults = random.below(30);
    for _ in 0..4_000 {
        model.now_ms += random.below(if random.percent(5) { 2 * GRACE_MS as u64 } else { 400 }) as i64;
        let client = random.below(CLIENTS as u64) as usize;
        let earlier = model.clients[client].take();
        let looked = earlier.unwrap_or_else(|| model.look(&held[client]));
        if random.percent(faults) {
            // Between the look and what it leads to: the server is killed, or just slow.
            model.clients[client] = random.percent(50).then_some(looked);
            continue;
        }
        let answer = model.act(looked);
        if random.percent(faults) {
            // Done, and nobody knows: as after a connection that died at the commit.
            // What was decided by a look of long ago may be too late to be asked for again.
            if answer.is_some() && earlier.is_none() {
                let again = model.act(model.look(&held[client]));
                assert_eq!(again, answer, "a lost reply has logged a client out");
            }
            continue;
        }
        held[client] = answer.unwrap_or_else(|| held[client].clone());
        model.assert_one_live_token();
        if model.row.ended {
            sessions += 1;
            model = Model::new();
            held = vec![model.issued[0].clone(); CLIENTS];
        }
        // Only the latest can still be asked for; the others would make the checks above long.
        let old = model.issued.len().saturating_sub(20);
        model.issued.drain(..old);
    }
    sessions
}

#[test]
fn one_live_token_is_left_whatever_is_lost_on_the_way() {
    let thefts = by_seed(0..10, 10, simulate);
    assert!(thefts.is_none_or(|thefts| thefts > 0), "no token was ever used twice");
}
