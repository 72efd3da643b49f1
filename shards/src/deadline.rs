//! Coarse deadlines for the many tasks of a shard: setting one costs two stores, where a timer would cost a tree
//! insertion and removal per request. One sweep per tick finds what has expired. Never early, late by up to a tick.

use rustix::time::{ClockId, clock_gettime};
use slab::Slab;
use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

/// Sweeps are at least this far apart: fine against timeouts of seconds.
const TICK_MS: u64 = 250;

/// The sweep looks again after an hour, whatever happens.
const SLEEP_MS_MAX: u64 = 3_600_000;

/// A deadline that does not come.
const NEVER: u64 = u64::MAX;

/// The kernel's coarse clock: some milliseconds behind, at a quarter of the cost of the exact one, and deadlines are
/// set several times in each request.
fn coarse_now_ms() -> u64 {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    now.tv_sec.unsigned_abs() * 1000 + now.tv_nsec.unsigned_abs() / 1_000_000
}

/// The watched deadline has passed, or everything was told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline has passed")]
pub struct Expired;

#[derive(Default)]
struct Entry {
    /// Milliseconds of the coarse clock; `NEVER` when nothing is waited for.
    deadline_ms: Cell<u64>,
    /// Whether draining may end this task without more ado.
    idle: Cell<bool>,
    expired: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Entry {
    fn expire(&self) {
        self.expired.set(true);
        self.deadline_ms.set(NEVER);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[derive(Default)]
struct Registry {
    entries: RefCell<Slab<Rc<Entry>>>,
    sweeping: Cell<bool>,
    /// When the sweep is due: at the earliest deadline, so that a shard full of idle connections sleeps.
    due_ms: Cell<u64>,
    /// The sweep while it sleeps.
    sweeper: RefCell<Option<Waker>>,
    /// Whoever waits for the last watch to end.
    drained: RefCell<Option<Waker>>,
}

/// All deadlines of one shard.
#[derive(Clone, Default)]
pub struct Deadlines(Rc<Registry>);

impl Deadlines {
    /// Watches over one task; dropping the watch ends it.
    pub fn watch(&self) -> Watch {
        let entry = Rc::new(Entry { deadline_ms: Cell::new(NEVER), ..Entry::default() });
        let key = self.0.entries.borrow_mut().insert(entry.clone());
        if !self.0.sweeping.replace(true) {
            crate::spawn(sweep(self.0.clone())).detach();
        }
        Watch { registry: self.0.clone(), entry, key }
    }

    /// How many tasks are watched.
    pub fn len(&self) -> usize {
        self.0.entries.borrow().len()
    }

    /// Whether no task is watched.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Expires all that wait for nothing in particular (see [`Watch::set_idle`]), as draining does.
    pub fn expire_idle(&self) {
        for (_, entry) in self.0.entries.borrow().iter() {
            if entry.idle.get() {
                entry.expire();
            }
        }
    }

    /// Resolves when no task is watched any more.
    pub async fn drained(&self) {
        poll_fn(|cx| {
            if self.is_empty() {
                return Poll::Ready(());
            }
            self.0.drained.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Expires everything.
    pub fn expire_all(&self) {
        for (_, entry) in self.0.entries.borrow().iter() {
            entry.expire();
        }
    }
}

async fn sweep(registry: Rc<Registry>) {
    loop {
        let now_ms = coarse_now_ms();
        let mut due_ms = NEVER;
        {
            let entries = registry.entries.borrow();
            if entries.is_empty() {
                // No timer runs while nobody is connected; the next watch starts another sweep.
                registry.sweeping.set(false);
                return;
            }
            for (_, entry) in entries.iter() {
                if entry.deadline_ms.get() <= now_ms {
                    entry.expire();
                } else {
                    due_ms = due_ms.min(entry.deadline_ms.get());
                }
            }
        }
        registry.due_ms.set(due_ms);
        registry.sleep(now_ms.saturating_add(TICK_MS)).await;
    }
}

impl Registry {
    /// Sleeps until the sweep is due, which may become sooner meanwhile, but not before `earliest_ms`.
    async fn sleep(&self, earliest_ms: u64) {
        let end_ms = coarse_now_ms() + SLEEP_MS_MAX;
        loop {
            let due_ms = self.due_ms.get();
            let now_ms = coarse_now_ms();
            let until_ms = due_ms.max(earliest_ms).min(end_ms);
            if until_ms <= now_ms {
                return;
            }
            let sooner = poll_fn(|cx| {
                if self.due_ms.get() < due_ms {
                    return Poll::Ready(());
                }
                self.sweeper.replace(Some(cx.waker().clone()));
                Poll::Pending
            });
            futures_lite::future::or(crate::sleep(Duration::from_millis(until_ms - now_ms)), sooner).await;
        }
    }

    fn expect(&self, deadline_ms: u64) {
        if deadline_ms < self.due_ms.get() {
            self.due_ms.set(deadline_ms);
            if let Some(sweeper) = self.sweeper.take() {
                sweeper.wake();
            }
        }
    }
}

/// One task's place among the [`Deadlines`].
pub struct Watch {
    registry: Rc<Registry>,
    entry: Rc<Entry>,
    key: usize,
}

impl Watch {
    /// Gives what is waited for next so much time from now; forgets an earlier expiry.
    pub fn set(&self, limit: Duration) {
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(NEVER);
        self.entry.expired.set(false);
        self.entry.idle.set(false);
        let deadline_ms = coarse_now_ms().saturating_add(limit_ms);
        self.entry.deadline_ms.set(deadline_ms);
        self.registry.expect(deadline_ms);
    }

    /// As [`Watch::set`], and lets draining end the wait.
    pub fn set_idle(&self, limit: Duration) {
        self.set(limit);
        self.entry.idle.set(true);
    }

    /// Waits for `work` until the deadline.
    ///
    /// # Errors
    /// [`Expired`] when the deadline came first; `work` is then dropped.
    pub async fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, Expired> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            if self.entry.expired.get() {
                return Poll::Ready(Err(Expired));
            }
            let mut waker = self.entry.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut entries = self.registry.entries.borrow_mut();
        entries.remove(self.key);
        if entries.is_empty()
            && let Some(waker) = self.registry.drained.take()
        {
            waker.wake();
        }
    }
}
