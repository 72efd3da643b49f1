//! Coarse deadlines for the many tasks of a shard: setting one costs two stores, where a timer would cost a tree
//! insertion and removal per request. One sweep per tick finds what has expired. Never early, late by up to a tick.

use slab::Slab;
use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

/// Sweeps are this far apart: fine against timeouts of seconds, and next to no work while all is idle.
const TICK: Duration = Duration::from_millis(250);

/// The watched deadline has passed, or everything was told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline has passed")]
pub struct Expired;

#[derive(Default)]
struct Entry {
    deadline: Cell<Option<Instant>>,
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
}

/// All deadlines of one shard.
#[derive(Clone, Default)]
pub struct Deadlines(Rc<Registry>);

impl Deadlines {
    /// Watches over one task; dropping the watch ends it.
    pub fn watch(&self) -> Watch {
        let entry = Rc::new(Entry::default());
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
        let now = Instant::now();
        let entries = registry.entries.borrow();
        if entries.is_empty() {
            // No timer runs while nobody is connected; the next watch starts another sweep.
            registry.sweeping.set(false);
            return;
        }
        for (_, entry) in entries.iter() {
            if entry.deadline.get().is_some_and(|at| at <= now) {
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
    /// Sets the deadline of what is waited for next; forgets an earlier expiry.
    pub fn set(&self, deadline: Option<Instant>) {
        self.entry.expired.set(false);
        self.entry.idle.set(false);
        self.entry.deadline.set(deadline);
    }

    /// As [`Watch::set`], and lets draining end the wait.
    pub fn set_idle(&self, deadline: Instant) {
        self.set(Some(deadline));
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
        self.registry.entries.borrow_mut().remove(self.key);
    }
}
