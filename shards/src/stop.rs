//! The request to drain: raised once on any thread, seen by every task of every shard. Never taken back.

use std::{
    cell::{Cell, RefCell},
    future::{Future, poll_fn},
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
};

/// The fleet's side, shared between threads.
#[derive(Default)]
pub(crate) struct StopFlag {
    raised: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl StopFlag {
    pub(crate) fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        let wakers = std::mem::take(&mut *self.lock());
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Locked once per shard at start and once at stop: never on a request's way.
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        self.wakers.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wait(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|cx| {
            let mut wakers = self.lock();
            if self.raised.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            wakers.push(cx.waker().clone());
            Poll::Pending
        })
    }
}

#[derive(Default)]
struct Local {
    raised: Cell<bool>,
    wakers: RefCell<Vec<Waker>>,
}

/// One shard's view of the request to stop; cheap to clone and to ask, never locks.
#[derive(Clone, Default)]
pub struct Stop(Rc<Local>);

impl Stop {
    /// Follows the fleet's flag from the current executor.
    pub(crate) fn follow(flag: Arc<StopFlag>) -> Stop {
        let stop = Stop::default();
        let local = stop.clone();
        crate::spawn(async move {
            flag.wait().await;
            local.raise();
        })
        .detach();
        stop
    }

    /// Raises it for this shard alone.
    pub fn raise(&self) {
        self.0.raised.set(true);
        let wakers = self.0.wakers.take();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether the shard is to drain.
    pub fn requested(&self) -> bool {
        self.0.raised.get()
    }

    /// Resolves when the shard is to drain.
    pub fn wait(&self) -> impl Future<Output = ()> + '_ {
        poll_fn(|cx| {
            if self.requested() {
                return Poll::Ready(());
            }
            let mut wakers = self.0.wakers.borrow_mut();
            if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                wakers.push(cx.waker().clone());
            }
            Poll::Pending
        })
    }
}
