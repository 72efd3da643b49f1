//! What shards and workers of one pool share: the two queues, who sleeps, and how the pool is to end.
//! Lock-free; a submitting shard at most makes the system call that wakes a sleeping worker.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use crossbeam_queue::ArrayQueue;

use super::{
    Bounds, Load, Refused, Report, Urgency, WorkerReport, WorkerSpec,
    home::{Home, Reply, Unanswered},
};

/// Whether the pool goes on. Only ever grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Course {
    Open = 0,
    Finish = 1,
    Discard = 2,
}

/// A job with its way home. Dropping it in whatever way tells the waiter, so no job can be lost in silence.
pub(super) struct Envelope<J, A> {
    job: Option<J>,
    home: Arc<Home<A>>,
    slot: usize,
    answered: bool,
}

impl<J, A> Envelope<J, A> {
    pub(super) fn new(job: J, home: Arc<Home<A>>, slot: usize) -> Self {
        Self { job: Some(job), home, slot, answered: false }
    }

    pub(super) fn take_job(&mut self) -> Option<J> {
        self.job.take()
    }

    pub(super) fn answer(mut self, reply: Reply<A>) {
        self.answered = true;
        self.home.deliver(self.slot, reply);
    }

    /// Undoes a submission that was refused: nobody waits, nobody is told.
    fn recall(mut self) -> J {
        self.answered = true;
        self.job.take().expect("only a worker takes the job out, and none has had this envelope")
    }
}

impl<J, A> Drop for Envelope<J, A> {
    fn drop(&mut self) {
        if !self.answered {
            self.home.deliver(self.slot, Err(Unanswered::Stopped));
        }
    }
}

/// A worker's place: how to wake it, and what it has done.
struct Seat {
    spec: WorkerSpec,
    thread: OnceLock<Thread>,
    asleep: AtomicBool,
    working: AtomicBool,
    jobs_done: AtomicU64,
    jobs_panicked: AtomicU64,
    busy_ns: AtomicU64,
}

pub(super) struct Queues<J, A> {
    urgent: ArrayQueue<Envelope<J, A>>,
    background: ArrayQueue<Envelope<J, A>>,
    ending: AtomicU8,
    /// Workers that have not ended. At 0 nobody will take a job any more.
    live: AtomicUsize,
    seats: Box<[Seat]>,
}

impl<J, A> Queues<J, A> {
    pub(super) fn new(bounds: Bounds, workers: &[WorkerSpec]) -> Self {
        let seats = workers.iter().map(|&spec| Seat {
            spec,
            thread: OnceLock::new(),
            asleep: AtomicBool::new(false),
            working: AtomicBool::new(false),
            jobs_done: AtomicU64::new(0),
            jobs_panicked: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
        });
        Self {
            urgent: ArrayQueue::new(bounds.urgent),
            background: ArrayQueue::new(bounds.background),
            ending: AtomicU8::new(Course::Open as u8),
            live: AtomicUsize::new(workers.len()),
            seats: seats.collect(),
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

    fn wake_one(&self, urgency: Urgency) {
        let sleeper = self.seats.iter().find(|seat| {
            seat.spec.serves.takes(urgency)
                && seat.asleep.load(Ordering::SeqCst)
                && seat.asleep.swap(false, Ordering::SeqCst)
        });
        if let Some(thread) = sleeper.and_then(|seat| seat.thread.get()) {
            thread.unpark();
        }
    }

    /// Refuses new jobs from now on and makes every worker notice.
    pub(super) fn close(&self, course: Course) {
        self.ending.fetch_max(course as u8, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        for thread in self.seats.iter().filter_map(|seat| seat.thread.get()) {
            thread.unpark();
        }
    }

    pub(super) fn report(&self) -> Report {
        let workers = self.seats.iter().map(|seat| WorkerReport {
            spec: seat.spec,
            jobs_done: seat.jobs_done.load(Ordering::Relaxed),
            jobs_panicked: seat.jobs_panicked.load(Ordering::Relaxed),
            busy: Duration::from_nanos(seat.busy_ns.load(Ordering::Relaxed)),
            working: seat.working.load(Ordering::Relaxed),
        });
        Report {
            urgent_waiting: self.urgent.len(),
            background_waiting: self.background.len(),
            workers: workers.collect(),
        }
    }

    pub(super) fn load(&self, urgency: Urgency) -> Load {
        let seats = || self.seats.iter().filter(|seat| seat.spec.serves.takes(urgency));
        Load {
            waiting: self.queue(urgency).len(),
            workers: seats().count(),
            working: seats().filter(|seat| seat.working.load(Ordering::Relaxed)).count(),
        }
    }

    fn queue(&self, urgency: Urgency) -> &ArrayQueue<Envelope<J, A>> {
        match urgency {
            Urgency::Urgent => &self.urgent,
            Urgency::Background => &self.background,
        }
    }

    /// Tells everyone who waits in vain.
    fn discard(&self) {
        while self.urgent.pop().is_some() {}
        while self.background.pop().is_some() {}
    }
}

/// What a worker is to do next.
pub(super) enum Next<J, A> {
    Job(Envelope<J, A>),
    /// No job has come within the time given.
    Rest,
    End,
}

/// A worker's hold on its place, for as long as it lives; however the thread ends, nobody is left waiting.
pub(super) struct Occupied<J, A> {
    queues: Arc<Queues<J, A>>,
    index: usize,
}

impl<J, A> Occupied<J, A> {
    pub(super) fn new(queues: Arc<Queues<J, A>>, index: usize) -> Self {
        Self { queues, index }
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn spec(&self) -> WorkerSpec {
        self.seat().spec
    }

    /// Names the calling thread as the one to wake.
    pub(super) fn take_seat(&self) {
        // Each seat has one thread, which calls this once.
        let _ = self.seat().thread.set(thread::current());
    }

    /// Blocks until there is a job, the worker is to end, or `patience` is used up.
    pub(super) fn next(&self, patience: Option<Duration>) -> Next<J, A> {
        let until = patience.map(|patience| Instant::now() + patience);
        loop {
            let ending = self.queues.ending.load(Ordering::SeqCst);
            if ending == Course::Discard as u8 {
                return Next::End;
            }
            if let Some(envelope) = self.pop() {
                return Next::Job(envelope);
            }
            if ending == Course::Finish as u8 {
                return Next::End;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Next::Rest;
            }
            self.sleep(left);
        }
    }

    pub(super) fn begin(&self) {
        self.seat().working.store(true, Ordering::Relaxed);
    }

    /// Counts a job that has ended. The worker alone writes these, so a load and a store would do; the additions
    /// cost nothing beside a job.
    pub(super) fn end(&self, busy: Duration, panicked: bool) {
        let seat = self.seat();
        let ended = if panicked { &seat.jobs_panicked } else { &seat.jobs_done };
        ended.fetch_add(1, Ordering::Relaxed);
        seat.busy_ns.fetch_add(u64::try_from(busy.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        seat.working.store(false, Ordering::Relaxed);
    }

    fn seat(&self) -> &Seat {
        &self.queues.seats[self.index]
    }

    fn pop(&self) -> Option<Envelope<J, A>> {
        let envelope = self.duties().find_map(|urgency| self.queues.queue(urgency).pop())?;
        // A wake-up meant for a job still queued may have been spent on this thread while it was getting up for
        // another one.
        if let Some(urgency) = self.duties().find(|&urgency| !self.queues.queue(urgency).is_empty()) {
            self.queues.wake_one(urgency);
        }
        Some(envelope)
    }

    /// What this worker takes, in order of precedence.
    fn duties(&self) -> impl Iterator<Item = Urgency> {
        let serves = self.spec().serves;
        [Urgency::Urgent, Urgency::Background].into_iter().filter(move |&urgency| serves.takes(urgency))
    }

    fn sleep(&self, at_most: Option<Duration>) {
        let asleep = &self.seat().asleep;
        asleep.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if self.duties().all(|urgency| self.queues.queue(urgency).is_empty()) && self.queues.is_open() {
            // Returns at once if an `unpark` came in between, and may return for nothing: `next` looks again.
            match at_most {
                Some(at_most) => thread::park_timeout(at_most),
                None => thread::park(),
            }
        }
        // A swap, not a store: it makes the job of whoever cleared the flag first visible to `pop`.
        asleep.swap(false, Ordering::SeqCst);
    }
}

impl<J, A> Drop for Occupied<J, A> {
    fn drop(&mut self) {
        // A pool that has lost a worker to a panic of its own machinery, not of a job, is not one to go on with.
        if thread::panicking() {
            self.queues.close(Course::Discard);
        }
        if self.queues.live.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.queues.ending.fetch_max(Course::Finish as u8, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            self.queues.discard();
        }
    }
}
