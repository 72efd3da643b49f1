//! What shards and workers of one pool share: the two queues, the workers' seats, and how the pool is to end.
//! Lock-free; a submitting shard at most makes the system call that wakes a sleeping worker.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicUsize, Ordering, fence},
};

use crossbeam_queue::ArrayQueue;

use super::{
    Bounds, Load, Refused, Report, Urgency, WorkerSpec,
    home::{Home, Reply, Unanswered},
    seat::Seat,
};

/// Whether the pool goes on. Only ever grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Course {
    Open = 0,
    Finish = 1,
    Discard = 2,
}

/// A job with its way home.
pub(super) struct Envelope<J, A> {
    job: J,
    way: WayHome<A>,
}

impl<J, A> Envelope<J, A> {
    pub(super) fn new(job: J, home: Arc<Home<A>>, slot: usize) -> Self {
        Self { job, way: WayHome { home, slot, answered: false } }
    }

    pub(super) fn open(self) -> (J, WayHome<A>) {
        (self.job, self.way)
    }

    /// Undoes a submission that was refused: nobody waits, nobody is told.
    fn recall(mut self) -> J {
        self.way.answered = true;
        self.job
    }
}

/// Where one answer is waited for. Dropping it in whatever way tells the waiter, so no job can be lost in silence.
pub(super) struct WayHome<A> {
    home: Arc<Home<A>>,
    slot: usize,
    answered: bool,
}

impl<A> WayHome<A> {
    pub(super) fn answer(mut self, reply: Reply<A>) {
        self.answered = true;
        self.home.deliver(self.slot, reply);
    }
}

impl<A> Drop for WayHome<A> {
    fn drop(&mut self) {
        if !self.answered {
            self.home.deliver(self.slot, Err(Unanswered::Stopped));
        }
    }
}

pub(super) struct Queues<J, A> {
    urgent: ArrayQueue<Envelope<J, A>>,
    background: ArrayQueue<Envelope<J, A>>,
    ending: AtomicU8,
    /// Seats with somebody in them. At 0 nobody will take a job any more.
    pub(super) live: AtomicUsize,
    pub(super) seats: Box<[Seat<A>]>,
    /// Of those who may still take somebody's seat.
    pub(super) replacements_left: AtomicUsize,
}

impl<J, A> Queues<J, A> {
    pub(super) fn new(bounds: Bounds, workers: &[WorkerSpec]) -> Self {
        let seats = workers.iter().map(|&spec| Seat::new(spec, bounds.replacements));
        Self {
            urgent: ArrayQueue::new(bounds.urgent),
            background: ArrayQueue::new(bounds.background),
            ending: AtomicU8::new(Course::Open as u8),
            live: AtomicUsize::new(workers.len()),
            seats: seats.collect(),
            replacements_left: AtomicUsize::new(bounds.replacements),
        }
    }

    /// The most jobs that can be in the pool, waiting or worked on.
    pub(super) fn capacity(&self) -> usize {
        self.urgent.capacity() + self.background.capacity() + self.seats.len()
    }

    pub(super) fn is_open(&self) -> bool {
        self.ending.load(Ordering::SeqCst) == Course::Open as u8
    }

    /// Called by shards.
    pub(super) fn submit(&self, urgency: Urgency, envelope: Envelope<J, A>) -> Result<(), Refused<J>> {
        if !self.is_open() {
            return Err(Refused::Stopped(envelope.recall()));
        }
        if let Err(envelope) = self.queue(urgency).push(envelope) {
            return Err(Refused::Full(envelope.recall()));
        }
        // Pairs with the fences in `sleep` and `Occupied::drop`: either this thread sees that the worker sleeps (has
        // ended), or the worker sees the job.
        fence(Ordering::SeqCst);
        if self.live.load(Ordering::SeqCst) == 0 {
            self.discard();
        }
        self.wake_one(urgency);
        Ok(())
    }

    pub(super) fn wake_one(&self, urgency: Urgency) {
        let sleeper = self.seats.iter().find(|seat| seat.spec.serves.takes(urgency) && seat.rouse());
        if let Some(seat) = sleeper {
            seat.unpark();
        }
    }

    pub(super) fn course(&self) -> u8 {
        self.ending.load(Ordering::SeqCst)
    }

    /// Refuses new jobs from now on and makes every worker notice.
    pub(super) fn close(&self, course: Course) {
        self.ending.fetch_max(course as u8, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.seats.iter().for_each(Seat::unpark);
    }

    pub(super) fn report(&self) -> Report {
        Report {
            urgent_waiting: self.urgent.len(),
            background_waiting: self.background.len(),
            workers: self.seats.iter().map(Seat::report).collect(),
        }
    }

    pub(super) fn load(&self, urgency: Urgency) -> Load {
        let seats = || self.seats.iter().filter(|seat| seat.spec.serves.takes(urgency));
        let stuck = seats().filter(|seat| seat.is_stuck()).count();
        Load {
            waiting: self.queue(urgency).len(),
            workers: seats().count() - stuck,
            working: seats().filter(|seat| seat.is_working() && !seat.is_stuck()).count(),
            stuck,
        }
    }

    pub(super) fn queue(&self, urgency: Urgency) -> &ArrayQueue<Envelope<J, A>> {
        match urgency {
            Urgency::Urgent => &self.urgent,
            Urgency::Background => &self.background,
        }
    }

    /// Nobody is left to take a job: refuses new ones, and tells everyone who waits in vain.
    pub(super) fn forsake(&self) {
        self.ending.fetch_max(Course::Finish as u8, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.discard();
    }

    fn discard(&self) {
        while self.urgent.pop().is_some() {}
        while self.background.pop().is_some() {}
    }
}
