//! A worker's seat in its pool, and who is in it. Whoever does not come to the end of a job is replaced: a thread
//! cannot be ended, so it keeps running, but its seat, the answer that it owes and its queue are another's.
//!
//! Shards read what is atomic here, and never lock; workers and who watches over them do, around whole jobs.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use super::{
    Urgency, WorkerReport, WorkerSpec,
    home::{Reply, Unanswered},
    queues::{Course, Envelope, Queues, WayHome},
};

/// How to wake who is in it, and what has been done there.
pub(super) struct Seat<A> {
    pub(super) spec: WorkerSpec,
    /// One for each who has been in it; the last is in it now.
    threads: Box<[OnceLock<Thread>]>,
    /// How often it has changed hands. Written under `holding`.
    successions: AtomicUsize,
    /// Of the job under way, if there is one.
    holding: Mutex<Option<WayHome<A>>>,
    asleep: AtomicBool,
    working: AtomicBool,
    stuck: AtomicBool,
    jobs_done: AtomicU64,
    jobs_panicked: AtomicU64,
    busy_ns: AtomicU64,
}

impl<A> Seat<A> {
    pub(super) fn new(spec: WorkerSpec, replacements: usize) -> Self {
        Self {
            spec,
            threads: (0..=replacements).map(|_| OnceLock::new()).collect(),
            successions: AtomicUsize::new(0),
            holding: Mutex::new(None),
            asleep: AtomicBool::new(false),
            working: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
            jobs_done: AtomicU64::new(0),
            jobs_panicked: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
        }
    }

    /// Whether its worker was asleep; only one caller is told so.
    pub(super) fn rouse(&self) -> bool {
        self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst)
    }

    pub(super) fn unpark(&self) {
        if let Some(thread) = self.threads[self.successions.load(Ordering::SeqCst)].get() {
            thread.unpark();
        }
    }

    pub(super) fn is_working(&self) -> bool {
        self.working.load(Ordering::Relaxed)
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    pub(super) fn report(&self) -> WorkerReport {
        WorkerReport {
            spec: self.spec,
            jobs_done: self.jobs_done.load(Ordering::Relaxed),
            jobs_panicked: self.jobs_panicked.load(Ordering::Relaxed),
            busy: Duration::from_nanos(self.busy_ns.load(Ordering::Relaxed)),
            working: self.is_working(),
            stuck: self.is_stuck(),
            replaced: self.successions.load(Ordering::Relaxed),
        }
    }

    fn jobs_ended(&self) -> u64 {
        self.jobs_done.load(Ordering::Relaxed) + self.jobs_panicked.load(Ordering::Relaxed)
    }

    fn holding(&self) -> MutexGuard<'_, Option<WayHome<A>>> {
        self.holding.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a worker is to do next.
pub(super) enum Next<J, A> {
    Job(Envelope<J, A>),
    /// No job has come within the time given.
    Rest,
    End,
}

/// A worker's hold on its seat, for as long as it lives; however the thread ends, nobody is left waiting.
pub(super) struct Occupied<J, A> {
    queues: Arc<Queues<J, A>>,
    index: usize,
    /// Who it is of those who have been in the seat.
    succession: usize,
}

impl<J, A> Occupied<J, A> {
    pub(super) fn new(queues: Arc<Queues<J, A>>, index: usize) -> Self {
        Self { queues, index, succession: 0 }
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn spec(&self) -> WorkerSpec {
        self.seat().spec
    }

    /// Names the calling thread as the one to wake.
    pub(super) fn take_seat(&self) {
        // Each who is in the seat has one thread, which calls this once.
        let _ = self.seat().threads[self.succession].set(thread::current());
    }

    /// Blocks until there is a job, the worker is to end, or `patience` is used up.
    pub(super) fn next(&self, patience: Option<Duration>) -> Next<J, A> {
        let until = patience.map(|patience| Instant::now() + patience);
        loop {
            let ending = self.queues.course();
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

    /// Begins a job: leaves its way home in the seat, where a successor finds it.
    pub(super) fn begin(&self, envelope: Envelope<J, A>) -> J {
        let (job, way) = envelope.open();
        let seat = self.seat();
        *seat.holding() = Some(way);
        seat.working.store(true, Ordering::Relaxed);
        job
    }

    /// Counts a job that has ended, and answers it; false when this worker has been replaced meanwhile, and what it has
    /// to say is nobody's any more.
    pub(super) fn end(&self, busy: Duration, reply: Reply<A>) -> bool {
        let seat = self.seat();
        let mut holding = seat.holding();
        if self.is_replaced() {
            return false;
        }
        let way = holding.take();
        // Counted first, so that whoever has the answer finds the job in the report.
        let ended = if reply.is_err() { &seat.jobs_panicked } else { &seat.jobs_done };
        ended.fetch_add(1, Ordering::Relaxed);
        seat.busy_ns.fetch_add(u64::try_from(busy.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        seat.working.store(false, Ordering::Relaxed);
        seat.stuck.store(false, Ordering::Relaxed);
        drop(holding);
        if let Some(way) = way {
            way.answer(reply);
        }
        true
    }

    fn seat(&self) -> &Seat<A> {
        &self.queues.seats[self.index]
    }

    /// To be asked under `holding` where it matters.
    fn is_replaced(&self) -> bool {
        self.seat().successions.load(Ordering::SeqCst) != self.succession
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
        let seat = self.seat();
        let mut holding = seat.holding();
        if self.is_replaced() {
            return;
        }
        let unanswered = holding.take();
        drop(holding);
        drop(unanswered);
        // A pool that has lost a worker to a panic of its own machinery, not of a job, is not one to go on with.
        if thread::panicking() {
            self.queues.close(Course::Discard);
        }
        if self.queues.live.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.queues.forsake();
        }
    }
}

/// Whoever is to take a seat from one that does not come to the end of a job.
pub(super) struct Successor<J, A> {
    queues: Arc<Queues<J, A>>,
    index: usize,
    /// What it was like when it was found stuck: with one more of either, it is in that job no more.
    succession: usize,
    jobs_ended: u64,
}

impl<J, A> Successor<J, A> {
    /// Marks the seat as stuck; `None` when its worker has come to the end of the job since `jobs_ended` were counted.
    pub(super) fn find(queues: &Arc<Queues<J, A>>, index: usize, jobs_ended: u64) -> Option<Self> {
        let seat = &queues.seats[index];
        let holding = seat.holding();
        if holding.is_none() || seat.jobs_ended() != jobs_ended {
            return None;
        }
        seat.stuck.store(true, Ordering::Relaxed);
        let succession = seat.successions.load(Ordering::SeqCst);
        drop(holding);
        Some(Self { queues: queues.clone(), index, succession, jobs_ended })
    }

    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn spec(&self) -> WorkerSpec {
        self.queues.seats[self.index].spec
    }

    /// Takes the seat, and answers the job that is stuck in it; `None` when that has come to its end meanwhile.
    pub(super) fn take_over(self) -> Option<Occupied<J, A>> {
        let Self { queues, index, succession, jobs_ended } = self;
        let seat = &queues.seats[index];
        let mut holding = seat.holding();
        if seat.successions.load(Ordering::SeqCst) != succession || seat.jobs_ended() != jobs_ended {
            return None;
        }
        let way = holding.take()?;
        seat.successions.store(succession + 1, Ordering::SeqCst);
        seat.working.store(false, Ordering::Relaxed);
        seat.stuck.store(false, Ordering::Relaxed);
        drop(holding);
        way.answer(Err(Unanswered::Stuck));
        Some(Occupied { queues, index, succession: succession + 1 })
    }
}

#[cfg(test)]
mod tests;
