//! The way home: answers from workers to one shard. Bounded by the shard's own slots, so a worker never waits.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crossbeam_queue::ArrayQueue;
use rustix::event::{EventfdFlags, eventfd};

/// Why a job that was taken has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The job panicked, or an earlier one did and the worker's state could not be built anew.
    #[error("the job panicked")]
    JobPanicked,
    /// The job does not come to its end, and its worker has been replaced.
    #[error("the job does not come to its end")]
    Stuck,
    /// The pool was stopped before the job began.
    #[error("the worker pool was stopped before the job began")]
    Stopped,
}

/// What comes home.
pub(super) type Reply<A> = Result<A, Unanswered>;

/// Where workers put the answers for one shard.
///
/// Invariant: replies queued <= slots in use by the client <= capacity of `replies`.
pub(super) struct Home<A> {
    replies: ArrayQueue<(usize, Reply<A>)>,
    /// Whether the bell has been rung since the shard last looked: one system call tells of many answers.
    rung: AtomicBool,
    bell: Arc<OwnedFd>,
}

impl<A> Home<A> {
    pub(super) fn new(capacity: usize) -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Self { replies: ArrayQueue::new(capacity), rung: AtomicBool::new(false), bell: Arc::new(bell) })
    }

    /// The descriptor that becomes readable when there is something to [`collect`](Self::collect).
    pub(super) fn bell(&self) -> Arc<OwnedFd> {
        self.bell.clone()
    }

    /// The client's number of slots.
    pub(super) fn capacity(&self) -> usize {
        self.replies.capacity()
    }

    /// Called by workers.
    pub(super) fn deliver(&self, slot: usize, reply: Reply<A>) {
        if self.replies.push((slot, reply)).is_err() {
            // Each slot has at most one reply under way, and there are as many places as slots.
            unreachable!("more replies than slots");
        }
        self.ring();
    }

    /// Makes the shard look.
    pub(super) fn ring(&self) {
        if !self.rung.swap(true, Ordering::SeqCst) {
            // Fails only when 2^64 rings are unread.
            let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        }
    }

    /// Called by the shard: silences the bell, then takes what is there.
    ///
    /// The swap reads what the last `ring` wrote and so sees every reply pushed before it; a reply pushed later
    /// finds `rung` false and rings again.
    pub(super) fn collect(&self, mut take: impl FnMut(usize, Reply<A>)) {
        let mut count = [0; 8];
        // Nothing to read is a spurious wake-up.
        let _ = rustix::io::read(&self.bell, &mut count);
        self.rung.swap(false, Ordering::SeqCst);
        while let Some((slot, reply)) = self.replies.pop() {
            take(slot, reply);
        }
    }
}
