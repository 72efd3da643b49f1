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

/// Sweeps are this far apart: fine against timeouts of seconds, and next to no work while all is idle.
const TICK: Duration = Duration::from_millis(250);

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
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[derive(Default)]
struct Registry {
    entries: RefCell<Slab<Rc<Entry>>>,
    sweeping: Cell<bool>,
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
        crate::sleep(TICK).await;
        let now_ms = coarse_now_ms();
        let entries = registry.entries.borrow();
        if entries.is_empty() {
            // No timer runs while nobody is connected; the next watch starts another sweep.
            registry.sweeping.set(false);
            return;
        }
        for (_, entry) in entries.iter() {
            if entry.deadline_ms.get() <= now_ms {
                entry.expire();
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
        self.entry.deadline_ms.set(coarse_now_ms().saturating_add(limit_ms));
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
