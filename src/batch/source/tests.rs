//! What is done with a batch, whatever its execution says.

use super::*;
use crate::{
    batch::{
        intake::{Answer, Limits, Senders},
        window::Window,
    },
    postgres::link::Refusal,
};
use std::{
    cell::{Cell, RefCell},
    cmp::Ordering,
    rc::Rc,
};

/// A statement that a test executes itself.
pub(in crate::batch) struct Fake;

/// What the test statement is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::batch) struct Item {
    pub(in crate::batch) id: u64,
    pub(in crate::batch) key: u64,
}

impl BatchedStatement for Fake {
    type Item = Item;
    type Outcome = bool;

    const NAME: &'static str = "fake";
    const METRIC: usize = 0;
    const PREPARED: &'static [&'static Sql] = &[];

    fn lock_order(a: &Item, b: &Item) -> Ordering {
        a.key.cmp(&b.key)
    }

    fn outcome_metric(created: &bool) -> usize {
        usize::from(!created)
    }

    async fn execute(_: &Link, _: &[Sent<'_, Item>], _: Instant) -> Result<Vec<bool>, LinkError> {
        unreachable!("tests bring their own")
    }
}

pub(in crate::batch) fn source(limits: Limits, senders: &Rc<Senders>) -> Rc<StatementSource<Fake>> {
    let metrics = Recorder::detached();
    Rc::new(StatementSource {
        intake: Intake::new(limits, senders.clone(), metrics.clone(), 0),
        metrics,
        statement_deadline: limits.answer_within * 6 / 10,
        complaints: RateLimited::new(Duration::from_secs(3600)),
    })
}

fn within(answer_within: Duration) -> Rc<StatementSource<Fake>> {
    let window = Window { length_max: 100, wait: Duration::ZERO };
    source(Limits { window, capacity: 1000, answer_within }, &Rc::default())
}

fn submit(source: &StatementSource<Fake>, count: u64) -> Vec<Answer<Item, bool>> {
    (0..count).map(|id| source.intake.submit(Item { id, key: id }).unwrap()).collect()
}

fn take(source: &StatementSource<Fake>, count: usize) -> Vec<Queued<Item>> {
    let mut batch = Vec::new();
    source.intake.take(count, &mut batch);
    batch
}

pub(in crate::batch) fn refused(code: &str) -> LinkError {
    LinkError::Refused(Refusal::of(code, "", None))
}

pub(in crate::batch) fn lost() -> Lost {
    Lost::Connection(String::new())
}

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn what_happened_decides_what_becomes_of_a_batch() {
    use Action::*;
    let table = [
        (LinkError::NotSent(lost()), PutBack { uncertain: false }),
        (LinkError::NotSent(Lost::Deadline), PutBack { uncertain: false }),
        (LinkError::Unknown(lost()), PutBack { uncertain: true }),
        (LinkError::Unknown(Lost::Deadline), PutBack { uncertain: true }),
        (LinkError::NotSent(Lost::Parameters(String::new())), Split),
        (refused("22021"), Split),
        (refused("23514"), Split),
        (refused("40P01"), Again),
        (refused("40003"), PutBack { uncertain: true }),
        (refused("25006"), PutBack { uncertain: false }),
        (refused("26000"), PutBack { uncertain: false }),
        (refused("57014"), Fail(Unanswered::Unavailable)),
        (refused("53100"), Fail(Unanswered::Unavailable)),
        (refused("42P01"), Fail(Unanswered::Unavailable)),
        (refused("XX000"), Fail(Unanswered::Unavailable)),
    ];
    for (error, action) in table {
        assert_eq!(judge(&error, 2, 0), action, "{error}");
    }
    assert_eq!(judge(&refused("22021"), 1, 0), Fail(Unanswered::Refused));
    assert_eq!(judge(&refused("40P01"), 2, BATCH_ATTEMPTS_MAX - 1), Fail(Unanswered::Unavailable));
}

#[test]
fn whatever_follows_an_effect_leaves_the_batch_uncertain() {
    let errors = [
        LinkError::NotSent(lost()),
        LinkError::NotSent(Lost::Deadline),
        LinkError::NotSent(Lost::Parameters(String::new())),
        LinkError::Unknown(lost()),
        refused("57014"),
        refused("25006"),
        refused("26000"),
        refused("22021"),
    ];
    for error in errors {
        let action = judge(&error.clone().after_an_effect(), 2, 0);
        assert_eq!(action, Action::PutBack { uncertain: true }, "{error}");
    }
}

#[test]
fn items_that_come_back_are_queued_by_age_whichever_connection_fails_first() {
    let source = within(LONG);
    let _answers = submit(&source, 30);
    let (older, younger) = (take(&source, 10), take(&source, 10));
    source.put_back(older, Vec::new(), true);
    source.put_back(younger, Vec::new(), false);
    let queue = take(&source, 100);
    assert_eq!(queue.iter().map(|queued| queued.item.id).collect::<Vec<_>>(), (0..30).collect::<Vec<_>>());
    assert!(queue.iter().all(|queued| queued.uncertain == (queued.item.id < 10)));
}

#[test]
fn poison_item_fails_alone_and_halves_keep_their_order() {
    let source = within(LONG);
    let answers = submit(&source, 100);
    let batch = take(&source, 100);
    let execute = async |sent: &[Sent<'_, Item>], _: Instant| {
        if sent.iter().any(|sent| [17, 63].contains(&sent.item.id)) {
            return Err(refused("22021"));
        }
        Ok(sent.iter().map(|_| true).collect())
    };
    let fate = future::block_on(source.work_off(batch, execute));
    assert_eq!(fate, Fate::Keep);
    for (id, answer) in answers.into_iter().enumerate() {
        let expected = if [17, 63].contains(&id) { Err(Unanswered::Refused) } else { Ok(true) };
        assert_eq!(future::block_on(answer), expected, "{id}");
    }
    assert_eq!(source.intake.unanswered(), 0);
}

#[test]
fn parameters_that_cannot_be_written_spare_the_connection_and_the_neighbours() {
    let source = within(LONG);
    let answers = submit(&source, 8);
    let execute = async |sent: &[Sent<'_, Item>], _: Instant| match sent.iter().any(|sent| sent.item.id == 5) {
        true => Err(LinkError::NotSent(Lost::Parameters("too long".to_owned()))),
        false => Ok(sent.iter().map(|_| true).collect()),
    };
    assert_eq!(future::block_on(source.work_off(take(&source, 8), execute)), Fate::Keep);
    let failed = answers.into_iter().map(future::block_on).filter(|answer| answer.is_err()).collect::<Vec<_>>();
    assert_eq!(failed, [Err(Unanswered::Refused)]);
}

#[test]
fn connection_lost_among_halves_takes_no_item_with_it() {
    let source = within(LONG);
    let answers = submit(&source, 8);
    let calls = Cell::new(0);
    let execute = async |sent: &[Sent<'_, Item>], _: Instant| {
        calls.set(calls.get() + 1);
        match calls.get() {
            // The whole, then its first half, whose first half goes through before the connection goes.
            1 | 2 => Err(refused("22021")),
            3 => Ok(sent.iter().map(|_| true).collect()),
            _ => Err(LinkError::Unknown(lost())),
        }
    };
    assert_eq!(future::block_on(source.work_off(take(&source, 8), execute)), Fate::Reconnect);
    let left = take(&source, 100);
    let uncertain: Vec<_> = left.iter().map(|queued| (queued.item.id, queued.uncertain)).collect();
    assert_eq!(uncertain, [(2, true), (3, true), (4, false), (5, false), (6, false), (7, false)]);
    assert_eq!(source.intake.unanswered(), 6);
    drop(answers);
}

#[test]
fn deadlock_is_tried_again_a_bounded_number_of_times() {
    let source = within(LONG);
    let answers = submit(&source, 3);
    let calls = Cell::new(0);
    let execute = async |_: &[Sent<'_, Item>], _: Instant| {
        calls.set(calls.get() + 1);
        Err(refused("40P01"))
    };
    assert_eq!(future::block_on(source.work_off(take(&source, 3), execute)), Fate::Keep);
    assert_eq!(calls.get(), BATCH_ATTEMPTS_MAX);
    for answer in answers {
        assert_eq!(future::block_on(answer), Err(Unanswered::Unavailable));
    }
}

#[test]
fn waiter_is_told_at_its_deadline_though_its_batch_is_under_way() {
    shards::block_on(async {
        let source = within(Duration::from_secs(1));
        let answers = submit(&source, 2);
        // It has waited for so much of its time before it is sent that the statement's own deadline comes later.
        shards::sleep(Duration::from_millis(500)).await;
        let finish = Rc::new(Cell::new(false));
        let batch = take(&source, 2);
        let working = shards::spawn({
            let (source, finish) = (source.clone(), finish.clone());
            async move {
                let execute = async |sent: &[Sent<'_, Item>], _: Instant| {
                    while !finish.get() {
                        shards::sleep(Duration::from_millis(1)).await;
                    }
                    Ok(sent.iter().map(|_| true).collect())
                };
                source.work_off(batch, execute).await
            }
        });
        for answer in answers {
            assert_eq!(answer.await, Err(Unanswered::Unknown), "the batch may still go through");
        }
        assert_eq!(source.intake.unanswered(), 2, "items go on without their waiters");
        finish.set(true);
        assert_eq!(working.await, Fate::Keep);
        assert_eq!(source.intake.unanswered(), 0);
        assert_eq!(source.metrics.batches[0].waiters.get(), 0);
        assert_eq!(source.metrics.database.unknown_unresolved.get(), 2);
    })
    .unwrap();
}

#[test]
fn halves_that_nobody_waits_for_any_more_are_not_sent() {
    shards::block_on(async {
        let source = within(Duration::from_millis(20));
        let answers = submit(&source, 64);
        let calls = Cell::new(0);
        let execute = async |_: &[Sent<'_, Item>], _: Instant| {
            calls.set(calls.get() + 1);
            shards::sleep(Duration::from_millis(30)).await;
            Err(refused("22021"))
        };
        assert_eq!(source.work_off(take(&source, 64), execute).await, Fate::Keep);
        assert_eq!(calls.get(), 1);
        for answer in answers {
            assert_eq!(answer.await, Err(Unanswered::Unavailable), "nobody had looked, and it is known by now");
        }
        assert_eq!((source.intake.unanswered(), source.intake.queued()), (0, 0));
    })
    .unwrap();
}

#[test]
fn gauges_follow_the_queue_without_a_connection() {
    let source = within(LONG);
    let answers = submit(&source, 5);
    let gauges = &source.metrics.batches[0];
    assert_eq!((gauges.queued.get(), gauges.waiters.get()), (5, 5));
    let batch = take(&source, 5);
    assert_eq!((gauges.queued.get(), gauges.waiters.get()), (0, 5));
    let execute = async |sent: &[Sent<'_, Item>], _: Instant| Ok(sent.iter().map(|_| true).collect());
    future::block_on(source.work_off(batch, execute));
    assert_eq!((gauges.queued.get(), gauges.waiters.get()), (0, 0), "answered, though not fetched yet");
    drop(answers);
}

#[test]
fn unknown_outcome_is_never_called_undone() {
    let source = within(LONG);
    let answers = submit(&source, 2);
    let lose = async |_: &[Sent<'_, Item>], _: Instant| Err(LinkError::Unknown(lost()));
    future::block_on(source.work_off(take(&source, 1), lose));
    let refuse = async |_: &[Sent<'_, Item>], _: Instant| Err(refused("53100"));
    future::block_on(source.work_off(take(&source, 2), refuse));
    let answers: Vec<_> = answers.into_iter().map(future::block_on).collect();
    assert_eq!(answers, [Err(Unanswered::Unknown), Err(Unanswered::Unavailable)]);
}

#[test]
fn first_of_two_equal_keys_is_sent_first() {
    let source = within(LONG);
    let seen = RefCell::new(Vec::new());
    let answers: Vec<_> =
        [(0, 7), (1, 3), (2, 7), (3, 1)].map(|(id, key)| source.intake.submit(Item { id, key }).unwrap()).into();
    let execute = async |sent: &[Sent<'_, Item>], _: Instant| {
        seen.borrow_mut().extend(sent.iter().map(|sent| sent.item.id));
        Ok(sent.iter().map(|sent| sent.item.id != 2).collect())
    };
    future::block_on(source.work_off(take(&source, 4), execute));
    assert_eq!(*seen.borrow(), [3, 1, 0, 2]);
    let answers: Vec<_> = answers.into_iter().map(|answer| future::block_on(answer).unwrap()).collect();
    assert_eq!(answers, [true, true, false, true], "each waiter gets the outcome of its own item");
}
