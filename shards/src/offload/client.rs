//! One shard's side of a pool: submits jobs, keeps who waits for what. Stays on its shard; nothing here is shared.

use std::{
    cell::RefCell,
    fmt,
    future::Future,
    io,
    os::fd::OwnedFd,
    pin::Pin,
    rc::{Rc, Weak},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use glommio::io::PollableFd;
use slab::Slab;

use super::{
    Load, Refused, Report, Unanswered, Urgency,
    home::{Home, Reply},
    queues::{Envelope, Queues},
};

/// Pause before watching again after the kernel has refused to: memory for a poll is usually there again by then.
const RETRY: Duration = Duration::from_millis(10);

/// A shard's access to a pool; cheap to clone within the shard.
pub struct Client<J, A> {
    queues: Arc<Queues<J, A>>,
    desk: Rc<Desk<A>>,
}

impl<J, A> Clone for Client<J, A> {
    fn clone(&self) -> Self {
        Self { queues: self.queues.clone(), desk: self.desk.clone() }
    }
}

/// The answer to come. Dropping it does not stop the job, whose slot stays taken until the job has ended.
#[must_use = "the answer comes home only to one who waits for it"]
pub struct Pending<A> {
    desk: Rc<Desk<A>>,
    /// `None` once the answer has been given out.
    slot: Option<usize>,
}

/// Who waits for what. A slot is taken from submission until the worker's reply has been seen here.
struct Desk<A> {
    home: Arc<Home<A>>,
    slots: RefCell<Slab<Slot<A>>>,
}

enum Slot<A> {
    Waiting(Option<Waker>),
    Answered(Reply<A>),
    /// Nobody waits any more, but the job is still in the pool.
    Abandoned,
}

impl<J, A: 'static> Client<J, A> {
    pub(super) fn new(queues: Arc<Queues<J, A>>) -> io::Result<Self> {
        let home = Arc::new(Home::new(queues.capacity())?);
        let bell = PollableFd::new(home.bell()).map_err(io::Error::from)?;
        let desk = Rc::new(Desk { home: home.clone(), slots: RefCell::new(Slab::new()) });
        let owner = Rc::downgrade(&desk);
        glommio::spawn_local(async move {
            while let Err(error) = attend(&bell, &home, &owner).await {
                // The kernel refused a poll: out of memory, say. Answers wait rather than get lost.
                tracing::error!(%error, "a shard cannot watch for answers; trying again");
                glommio::timer::sleep(RETRY).await;
                Desk::collect(&home, &owner);
            }
        })
        .detach();
        Ok(Self { queues, desk })
    }

    /// Hands `job` over, or hands it back: never waits.
    ///
    /// # Errors
    /// [`Refused::Full`] when as many jobs of this urgency wait as may, or this shard has not yet collected the
    /// answers to as many jobs as the pool can hold; [`Refused::Stopped`] after the pool was stopped.
    pub fn try_submit(&self, urgency: Urgency, job: J) -> Result<Pending<A>, Refused<J>> {
        let mut slots = self.desk.slots.borrow_mut();
        if slots.len() >= self.desk.home.capacity() {
            return Err(if self.queues.is_open() { Refused::Full(job) } else { Refused::Stopped(job) });
        }
        let slot = slots.insert(Slot::Waiting(None));
        let envelope = Envelope::new(job, self.desk.home.clone(), slot);
        match self.queues.submit(urgency, envelope) {
            Ok(()) => Ok(Pending { desk: self.desk.clone(), slot: Some(slot) }),
            Err(refused) => {
                slots.remove(slot);
                Err(refused)
            }
        }
    }

    /// How much there is to do of this urgency, over all shards: for deciding whether another job would be too many.
    pub fn load(&self, urgency: Urgency) -> Load {
        self.queues.load(urgency)
    }

    /// What has been done and what waits.
    pub fn report(&self) -> Report {
        self.queues.report()
    }

    /// Jobs of this shard that are in the pool or whose answer has not been collected, abandoned ones included.
    pub fn in_flight(&self) -> usize {
        self.desk.slots.borrow().len()
    }
}

/// Delivers answers as they come, until the desk is gone.
async fn attend<A>(
    bell: &PollableFd<Arc<OwnedFd>>,
    home: &Home<A>,
    owner: &Weak<Desk<A>>,
) -> Result<(), glommio::GlommioError<()>> {
    loop {
        bell.readable().await?;
        if !Desk::collect(home, owner) {
            return Ok(());
        }
    }
}

impl<A> Desk<A> {
    /// Takes what has come home; false once nobody is left to take it.
    fn collect(home: &Home<A>, owner: &Weak<Self>) -> bool {
        let Some(desk) = owner.upgrade() else { return false };
        home.collect(|slot, reply| desk.settle(slot, reply));
        true
    }

    fn settle(&self, slot: usize, reply: Reply<A>) {
        let mut slots = self.slots.borrow_mut();
        let waiter = match slots.get_mut(slot) {
            Some(place @ Slot::Waiting(_)) => match std::mem::replace(place, Slot::Answered(reply)) {
                Slot::Waiting(waiter) => waiter,
                Slot::Answered(_) | Slot::Abandoned => None,
            },
            _ => {
                slots.try_remove(slot);
                None
            }
        };
        drop(slots);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

impl<A> Drop for Desk<A> {
    fn drop(&mut self) {
        // Lets the attending task see that nobody is left.
        self.home.ring();
    }
}

impl<A> Future for Pending<A> {
    type Output = Result<A, Unanswered>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let slot = self.slot.expect("an answer is given out once");
        let mut slots = self.desk.slots.borrow_mut();
        if let Slot::Waiting(waiter) = &mut slots[slot] {
            if waiter.as_ref().is_none_or(|known| !known.will_wake(cx.waker())) {
                *waiter = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        let reply = match slots.remove(slot) {
            Slot::Answered(reply) => reply,
            Slot::Waiting(_) | Slot::Abandoned => unreachable!("only dropping a waiter abandons its slot"),
        };
        drop(slots);
        self.slot = None;
        Poll::Ready(reply)
    }
}

impl<A> Drop for Pending<A> {
    fn drop(&mut self) {
        let Some(slot) = self.slot else { return };
        let mut slots = self.desk.slots.borrow_mut();
        let left = if matches!(slots[slot], Slot::Answered(_)) {
            slots.remove(slot)
        } else {
            std::mem::replace(&mut slots[slot], Slot::Abandoned)
        };
        // An answer's or waker's own destructor must find the desk free.
        drop(slots);
        drop(left);
    }
}

impl<A> fmt::Debug for Pending<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("slot", &self.slot).finish_non_exhaustive()
    }
}
