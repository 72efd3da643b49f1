//! The bounded queue in front of one batched statement, with a waiter for each item.
//!
//! Invariant: an item that was taken in is answered exactly once: by its batch, or by its deadline while it still
//! waits here. A waiter that has gone away changes nothing for its item; one whose deadline passes while its item is
//! under way is told so and goes away.
//!
//! Invariant: the queue is in the order of time, so that its front is the item whose deadline comes first.

use crate::{
    batch::window::{Decision, Window},
    postgres::statements,
    telemetry::Recorder,
};
use slab::Slab;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// Why an item got no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// It was certainly not done: the database could not be reached in time, or said that it cannot serve now.
    #[error("the database is unavailable")]
    Unavailable,
    /// It may or may not have been done: the connection died after sending, and looking again did not work in time.
    #[error("the outcome is unknown")]
    Unknown,
    /// The database refused this very item, though its neighbours went through.
    #[error("the database refused the item")]
    Refused,
}

/// The queue is at its bound; the item comes back.
#[derive(Debug, PartialEq, Eq)]
pub struct Full<I>(pub I);

/// One item in the queue.
#[derive(Debug)]
pub(crate) struct Queued<I> {
    pub(crate) item: I,
    pub(crate) waiter: WaiterKey,
    pub(crate) since: Instant,
    pub(crate) deadline: Instant,
    /// An earlier attempt may have committed it: its outcome is to be looked up, not just done again.
    pub(crate) uncertain: bool,
}

/// The place of a waiter; opaque, so that it is only ever answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WaiterKey(usize);

enum Waiter<O> {
    Waiting(Option<Waker>),
    /// Its time is over while its item is under way; it has not looked yet.
    Late,
    Answered(Result<O, Unanswered>),
    Gone,
}

struct Inner<I, O> {
    queue: RefCell<VecDeque<Queued<I>>>,
    waiters: RefCell<Slab<Waiter<O>>>,
    /// Items without an answer.
    unanswered: Cell<usize>,
    limits: Limits,
    senders: Rc<Senders>,
    timekeeper: Cell<Option<Waker>>,
    /// When the timekeeper looks next by itself.
    next_look: Cell<Option<Instant>>,
    metrics: Recorder,
    /// The statement's place among the metrics.
    metric: usize,
}

/// Bounds of a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How a batch may grow.
    pub(crate) window: Window,
    /// Items that may wait to be sent. Those that come back from a lost connection are let in on top of it.
    pub(crate) capacity: usize,
    /// Within this time each item is answered.
    pub(crate) answer_within: Duration,
}

/// The free connections of a group. An item wakes one of them, which wakes the next if it leaves something.
#[derive(Default)]
pub(crate) struct Senders {
    free: RefCell<VecDeque<(u64, Waker)>>,
    next_ticket: Cell<u64>,
}

impl Senders {
    /// Waits as a free connection until there may be something to do. A connection that stops waiting for another
    /// reason is free no more: a wake-up that it took would be lost to those that are.
    pub(crate) async fn wait(&self, watch: impl Fn(&Context<'_>)) {
        let mut place = None;
        poll_fn(|cx| {
            if place.is_some() {
                return Poll::Ready(());
            }
            let ticket = self.next_ticket.get();
            self.next_ticket.set(ticket + 1);
            self.free.borrow_mut().push_back((ticket, cx.waker().clone()));
            place = Some(Place { senders: self, ticket });
            watch(cx);
            Poll::Pending
        })
        .await;
    }

    pub(crate) fn wake_one(&self) {
        let free = self.free.borrow_mut().pop_front();
        free.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

/// A free connection's place among the others.
struct Place<'s> {
    senders: &'s Senders,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.senders.free.borrow_mut().retain(|(ticket, _)| *ticket != self.ticket);
    }
}

/// The queue in front of one statement on one shard; clones share it.
pub struct Intake<I, O>(Rc<Inner<I, O>>);

impl<I, O> Clone for Intake<I, O> {
    fn clone(&self) -> Self {
        Intake(self.0.clone())
    }
}

impl<I, O> Intake<I, O> {
    /// An empty queue; `metric` is the statement's place among `metrics`.
    pub(crate) fn new(limits: Limits, senders: Rc<Senders>, metrics: Recorder, metric: usize) -> Self {
        Intake(Rc::new(Inner {
            queue: RefCell::new(VecDeque::with_capacity(limits.window.length_max.min(limits.capacity))),
            waiters: RefCell::default(),
            unanswered: Cell::new(0),
            limits,
            senders,
            timekeeper: Cell::new(None),
            next_look: Cell::new(None),
            metrics,
            metric,
        }))
    }

    /// A queue without connections, for measuring what stands in front of the database; see [`Intake::answer_batch`].
    #[must_use]
    pub fn detached(window: Window, capacity: usize, answer_within: Duration) -> Self {
        Intake::new(Limits { window, capacity, answer_within }, Rc::default(), Recorder::detached(), 0)
    }

    /// Answers the batch that a free connection would send now, by `outcome` in the database's stead. Returns its
    /// length, which is 0 when none is due.
    pub fn answer_batch(&self, now: Instant, mut outcome: impl FnMut(&I) -> O) -> usize {
        let Decision::Send(count) = self.decide(now, 1) else { return 0 };
        let mut batch = Vec::with_capacity(count);
        self.take(count, &mut batch);
        for queued in batch {
            let answer = outcome(&queued.item);
            self.answer(queued.waiter, Ok(answer));
        }
        count
    }

    /// Takes an item in; the answer comes through the returned future.
    ///
    /// # Errors
    /// [`Full`] with the item when the queue is at its bound.
    pub fn submit(&self, item: I) -> Result<Answer<I, O>, Full<I>> {
        let mut queue = self.0.queue.borrow_mut();
        if queue.len() >= self.0.limits.capacity {
            return Err(Full(item));
        }
        let waiter = WaiterKey(self.0.waiters.borrow_mut().insert(Waiter::Waiting(None)));
        let since = Instant::now();
        let deadline = since + self.0.limits.answer_within;
        queue.push_back(Queued { item, waiter, since, deadline, uncertain: false });
        drop(queue);
        self.0.unanswered.set(self.0.unanswered.get() + 1);
        self.count();
        self.wake_timekeeper(deadline);
        self.wake_sender();
        Ok(Answer { intake: self.clone(), waiter: Some(waiter) })
    }

    /// The statement's name among the metrics.
    pub fn name(&self) -> &'static str {
        statements::NAMES[self.0.metric].name
    }

    /// Items that wait to be sent.
    pub fn queued(&self) -> usize {
        self.0.queue.borrow().len()
    }

    /// Items that are not answered yet, in the queue or on their way.
    pub fn unanswered(&self) -> usize {
        self.0.unanswered.get()
    }

    /// Places of waiters that are in use.
    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.0.waiters.borrow().len()
    }

    pub(crate) fn decide(&self, now: Instant, free: usize) -> Decision {
        let queue = self.0.queue.borrow();
        self.0.limits.window.decide(now, queue.len(), queue.front().map(|queued| queued.since), free)
    }

    /// Moves the oldest `count` items into `batch`.
    pub(crate) fn take(&self, count: usize, batch: &mut Vec<Queued<I>>) {
        let mut queue = self.0.queue.borrow_mut();
        let count = count.min(queue.len());
        batch.extend(queue.drain(..count));
        drop(queue);
        self.count();
    }

    /// Puts items whose outcome is open back to where they were: another connection may have brought back younger ones.
    pub(crate) fn put_back(&self, batch: Vec<Queued<I>>) {
        let Some(first) = batch.iter().map(|queued| queued.deadline).min() else { return };
        let mut queue = self.0.queue.borrow_mut();
        batch.into_iter().rev().for_each(|queued| queue.push_front(queued));
        // Stable and fast on runs that are sorted, which these are.
        queue.make_contiguous().sort_by_key(|queued| queued.since);
        drop(queue);
        self.count();
        self.wake_timekeeper(first);
        self.wake_sender();
    }

    pub(crate) fn answer(&self, waiter: WaiterKey, answer: Result<O, Unanswered>) {
        let is_unknown = matches!(answer, Err(Unanswered::Unknown));
        let mut waiters = self.0.waiters.borrow_mut();
        let slot = waiters.get_mut(waiter.0).expect("a waiter stays until it is answered");
        match std::mem::replace(slot, Waiter::Answered(answer)) {
            Waiter::Waiting(waker) => {
                drop(waiters);
                self.0.metrics.database.unknown_unresolved.add(u64::from(is_unknown));
                waker.into_iter().for_each(Waker::wake);
            }
            Waiter::Late => drop(waiters),
            Waiter::Gone => drop(waiters.remove(waiter.0)),
            Waiter::Answered(_) => unreachable!("an item is answered once"),
        }
        self.0.unanswered.set(self.0.unanswered.get() - 1);
        self.count();
    }

    /// Tells a waiter that its time is over, though its item is under way and its batch goes on.
    pub(crate) fn give_up_waiting(&self, waiter: WaiterKey) {
        let mut waiters = self.0.waiters.borrow_mut();
        let slot = waiters.get_mut(waiter.0).expect("a waiter stays until it is answered");
        if matches!(slot, Waiter::Waiting(_))
            && let Waiter::Waiting(waker) = std::mem::replace(slot, Waiter::Late)
        {
            drop(waiters);
            self.0.metrics.database.unknown_unresolved.inc();
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// Answers what has waited in the queue past its deadline; says when to look next, if anything is left.
    pub(crate) fn expire(&self, now: Instant) -> Option<Instant> {
        loop {
            let mut queue = self.0.queue.borrow_mut();
            let next = queue.front().map(|oldest| oldest.deadline);
            self.0.next_look.set(next);
            if next? > now {
                return next;
            }
            let expired = queue.pop_front().expect("the front was just looked at");
            drop(queue);
            let reason = if expired.uncertain { Unanswered::Unknown } else { Unanswered::Unavailable };
            self.answer(expired.waiter, Err(reason));
        }
    }

    /// Has the current task woken by the next item whose deadline it would miss.
    pub(crate) fn watch_expiry(&self, cx: &Context<'_>) {
        self.0.timekeeper.set(Some(cx.waker().clone()));
    }

    fn wake_timekeeper(&self, deadline: Instant) {
        if self.0.next_look.get().is_none_or(|next| deadline < next)
            && let Some(timekeeper) = self.0.timekeeper.take()
        {
            timekeeper.wake();
        }
    }

    fn count(&self) {
        let counters = &self.0.metrics.batches[self.0.metric];
        counters.queued.set(self.queued() as u64);
        counters.waiters.set(self.unanswered() as u64);
    }

    /// Wakes one free connection, if anything is queued.
    pub(crate) fn wake_sender(&self) {
        if !self.0.queue.borrow().is_empty() {
            self.0.senders.wake_one();
        }
    }
}

/// The answer to one item, once its batch is through. Dropping it does not take the item back.
#[must_use = "the item is sent all the same, but nobody learns of its outcome"]
pub struct Answer<I, O> {
    intake: Intake<I, O>,
    waiter: Option<WaiterKey>,
}

impl<I, O> Future for Answer<I, O> {
    type Output = Result<O, Unanswered>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let key = self.waiter.expect("an answer is not polled after it was given");
        let intake = self.intake.clone();
        let mut waiters = intake.0.waiters.borrow_mut();
        let slot = waiters.get_mut(key.0).expect("a waiter stays until its answer is fetched");
        match slot {
            Waiter::Waiting(waker) => {
                if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                    *waker = Some(cx.waker().clone());
                }
                return Poll::Pending;
            }
            Waiter::Late => {
                *slot = Waiter::Gone;
                self.waiter = None;
                return Poll::Ready(Err(Unanswered::Unknown));
            }
            Waiter::Answered(_) | Waiter::Gone => {}
        }
        self.waiter = None;
        match waiters.remove(key.0) {
            Waiter::Answered(answer) => Poll::Ready(answer),
            _ => unreachable!("only an answered waiter is fetched"),
        }
    }
}

impl<I, O> Drop for Answer<I, O> {
    fn drop(&mut self) {
        let Some(key) = self.waiter else { return };
        let mut waiters = self.intake.0.waiters.borrow_mut();
        match waiters.get_mut(key.0).expect("a waiter stays until its answer is fetched") {
            slot @ (Waiter::Waiting(_) | Waiter::Late) => *slot = Waiter::Gone,
            Waiter::Answered(_) => drop(waiters.remove(key.0)),
            Waiter::Gone => unreachable!("a waiter goes once"),
        }
    }
}

#[cfg(test)]
mod tests;
