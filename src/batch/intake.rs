//! The bounded queue in front of one batched statement, with a waiter for each item.
//!
//! Invariant: an item that was taken in is answered exactly once: by its batch, or by its deadline while it still
//! waits here. A waiter that has gone away changes nothing for its item.

use crate::{
    batch::window::{Decision, Window},
    telemetry::{Batch, Recorder},
};
use slab::Slab;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::Future,
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
    Answered(Result<O, Unanswered>),
    Gone,
}

struct Inner<I, O> {
    queue: RefCell<VecDeque<Queued<I>>>,
    waiters: RefCell<Slab<Waiter<O>>>,
    window: Window,
    capacity: usize,
    answer_within: Duration,
    senders: Rc<Senders>,
    metrics: Recorder,
    /// The statement's place among the metrics.
    metric: usize,
    /// Whoever answers what waits too long, while there is nothing that could.
    timekeeper: Cell<Option<Waker>>,
}

/// The free connections of a group. An item wakes one of them, which wakes the next if it leaves something.
#[derive(Default)]
pub(crate) struct Senders(RefCell<VecDeque<Waker>>);

impl Senders {
    pub(crate) fn enter(&self, cx: &Context<'_>) {
        let mut free = self.0.borrow_mut();
        if !free.iter().any(|waker| waker.will_wake(cx.waker())) {
            free.push_back(cx.waker().clone());
        }
    }

    /// A connection that has found work is not free: the next item is to wake another.
    pub(crate) fn leave(&self, cx: &Context<'_>) {
        self.0.borrow_mut().retain(|waker| !waker.will_wake(cx.waker()));
    }

    pub(crate) fn wake_one(&self) {
        let free = self.0.borrow_mut().pop_front();
        free.into_iter().for_each(Waker::wake);
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
    /// An empty queue for at most `capacity` items, each of which is answered within `answer_within`. Its length is
    /// shown as the gauges of the statement that has the place `metric` among the metrics.
    pub(crate) fn new(
        window: Window,
        capacity: usize,
        answer_within: Duration,
        senders: Rc<Senders>,
        metrics: Recorder,
        metric: usize,
    ) -> Self {
        Intake(Rc::new(Inner {
            queue: RefCell::new(VecDeque::with_capacity(window.length_max.min(capacity))),
            waiters: RefCell::default(),
            window,
            capacity,
            answer_within,
            senders,
            metrics,
            metric,
            timekeeper: Cell::new(None),
        }))
    }

    /// A queue without connections, for measuring what stands in front of the database; see [`Intake::answer_batch`].
    #[must_use]
    pub fn detached(window: Window, capacity: usize, answer_within: Duration) -> Self {
        Intake::new(window, capacity, answer_within, Rc::default(), Recorder::detached(), 0)
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
        if queue.len() >= self.0.capacity {
            return Err(Full(item));
        }
        let waiter = WaiterKey(self.0.waiters.borrow_mut().insert(Waiter::Waiting(None)));
        let since = Instant::now();
        let deadline = since + self.0.answer_within;
        queue.push_back(Queued { item, waiter, since, deadline, uncertain: false });
        self.show_length(&queue);
        drop(queue);
        self.gauges().waiters.inc();
        if let Some(timekeeper) = self.0.timekeeper.take() {
            timekeeper.wake();
        }
        self.wake_sender();
        Ok(Answer { intake: self.clone(), waiter: Some(waiter) })
    }

    /// Items that wait to be sent.
    pub fn queued(&self) -> usize {
        self.0.queue.borrow().len()
    }

    pub(crate) fn decide(&self, now: Instant, free: usize) -> Decision {
        let queue = self.0.queue.borrow();
        self.0.window.decide(now, queue.len(), queue.front().map(|queued| queued.since), free)
    }

    /// Moves the oldest `count` items into `batch`.
    pub(crate) fn take(&self, count: usize, batch: &mut Vec<Queued<I>>) {
        let mut queue = self.0.queue.borrow_mut();
        let count = count.min(queue.len());
        batch.extend(queue.drain(..count));
        self.show_length(&queue);
    }

    /// Puts items whose outcome is open back at the front: they are the oldest, and already count in the bound.
    pub(crate) fn put_back(&self, batch: Vec<Queued<I>>) {
        let mut queue = self.0.queue.borrow_mut();
        batch.into_iter().rev().for_each(|queued| queue.push_front(queued));
        self.show_length(&queue);
        drop(queue);
        if let Some(timekeeper) = self.0.timekeeper.take() {
            timekeeper.wake();
        }
        self.wake_sender();
    }

    pub(crate) fn answer(&self, waiter: WaiterKey, answer: Result<O, Unanswered>) {
        let mut waiters = self.0.waiters.borrow_mut();
        let slot = waiters.get_mut(waiter.0).expect("a waiter stays until it is answered");
        match std::mem::replace(slot, Waiter::Answered(answer)) {
            Waiter::Waiting(waker) => {
                drop(waiters);
                self.gauges().waiters.dec();
                waker.into_iter().for_each(Waker::wake);
            }
            Waiter::Gone => drop(waiters.remove(waiter.0)),
            Waiter::Answered(_) => unreachable!("an item is answered once"),
        }
    }

    /// Answers what has waited in the queue past its deadline; says when to look next, if anything is left.
    pub(crate) fn expire(&self, now: Instant) -> Option<Instant> {
        loop {
            let mut queue = self.0.queue.borrow_mut();
            let oldest = queue.front()?;
            if oldest.deadline > now {
                return Some(oldest.deadline);
            }
            let expired = queue.pop_front().expect("the front was just looked at");
            self.show_length(&queue);
            drop(queue);
            let reason = if expired.uncertain { Unanswered::Unknown } else { Unanswered::Unavailable };
            self.answer(expired.waiter, Err(reason));
        }
    }

    /// Has the current task woken by the next item.
    pub(crate) fn watch_expiry(&self, cx: &Context<'_>) {
        self.0.timekeeper.set(Some(cx.waker().clone()));
    }

    /// Wakes one free connection, if anything is queued.
    pub(crate) fn wake_sender(&self) {
        if !self.0.queue.borrow().is_empty() {
            self.0.senders.wake_one();
        }
    }

    fn gauges(&self) -> &Batch {
        &self.0.metrics.batches[self.0.metric]
    }

    fn show_length(&self, queue: &VecDeque<Queued<I>>) {
        self.gauges().queued.set(queue.len() as u64);
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
        if let Waiter::Waiting(waker) = slot {
            if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        self.waiter = None;
        match waiters.remove(key.0) {
            Waiter::Answered(answer) => Poll::Ready(answer),
            Waiter::Waiting(_) | Waiter::Gone => unreachable!("only an answered waiter is fetched"),
        }
    }
}

impl<I, O> Drop for Answer<I, O> {
    fn drop(&mut self) {
        let Some(key) = self.waiter else { return };
        let mut waiters = self.intake.0.waiters.borrow_mut();
        match waiters.get_mut(key.0).expect("a waiter stays until its answer is fetched") {
            slot @ Waiter::Waiting(_) => {
                *slot = Waiter::Gone;
                self.intake.gauges().waiters.dec();
            }
            Waiter::Answered(_) => drop(waiters.remove(key.0)),
            Waiter::Gone => unreachable!("a waiter goes once"),
        }
    }
}
