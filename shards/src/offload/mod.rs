//! Bounded hand-over of jobs from request shards to worker threads on other cores, the answers coming home.
//!
//! A worker is a plain thread, pinned, that sleeps while its queue is empty. A shard never locks and never waits on
//! the way there: a full queue hands the job back. On the way home the worker puts the answer into a queue of the
//! shard's own and rings an event descriptor that the shard's executor watches.
//!
//! No [`Waker`](std::task::Waker) of a task ever leaves its shard. glommio's may be woken from another thread, but
//! when a foreign thread drops the last reference it reads the task once more after giving the reference up, while
//! the owner may be freeing it; and a wake-up per answer would go through a lock common to all executors.
//!
//! A worker that does not come to the end of a job can be replaced: the thread stays, because it cannot be ended, but
//! its waiter is answered and another thread takes its jobs.
//!
//! Never looks into a job, never cancels one, never starts more threads than asked for.

mod client;
mod home;
mod priority;
mod queues;
mod seat;
mod worker;

use std::{
    convert::Infallible,
    fmt::{self, Display},
    io,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

pub use client::{Client, Pending};
pub use home::Unanswered;

use queues::{Course, Queues};
use seat::{Occupied, Successor};

/// How soon a job is wanted. Urgent jobs go strictly before background ones; a job that has begun is not interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody waits for the answer.
    Urgent,
    /// Nobody does.
    Background,
}

/// Which jobs a worker takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// Urgent ones first, background ones when there are none.
    Both,
    /// Only urgent ones.
    Urgent,
    /// Only background ones.
    Background,
}

impl Serves {
    /// Whether those of this urgency are among them.
    #[must_use]
    pub fn takes(self, urgency: Urgency) -> bool {
        match self {
            Serves::Both => true,
            Serves::Urgent => urgency == Urgency::Urgent,
            Serves::Background => urgency == Urgency::Background,
        }
    }
}

/// One worker thread.
///
/// On a CPU that also runs a shard use two: one for urgent jobs, and one for background jobs at idle priority. One
/// thread cannot do both: the kernel lets a thread lower itself to idle but, without CAP_SYS_NICE, not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerSpec {
    /// The CPU to pin to; `None` leaves the choice to the kernel.
    pub cpu: Option<usize>,
    /// Which jobs it takes.
    pub serves: Serves,
    /// Run only when nothing else wants the CPU (`SCHED_IDLE`).
    pub idle_priority: bool,
}

/// How much a pool takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Urgent jobs that may wait, over all shards; those being worked on are not counted. At least 1.
    pub urgent: usize,
    /// Background jobs, likewise.
    pub background: usize,
    /// Workers that may be replaced, each leaving a thread and its state behind that cannot be ended.
    pub replacements: usize,
}

/// What becomes of waiting jobs when the pool is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// They are done first.
    Finish,
    /// They are answered with [`Unanswered::Stopped`]; only jobs already begun are finished.
    Discard,
}

/// A job that was not taken, handed back.
#[derive(thiserror::Error)]
pub enum Refused<J> {
    /// Its queue is full.
    #[error("the queue is full")]
    Full(J),
    /// The pool has been stopped.
    #[error("the worker pool has been stopped")]
    Stopped(J),
}

impl<J> Refused<J> {
    /// The job.
    pub fn into_job(self) -> J {
        match self {
            Refused::Full(job) | Refused::Stopped(job) => job,
        }
    }
}

/// Without the job: it may hold what must not be written down.
impl<J> fmt::Debug for Refused<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Full(_) => "Full",
            Refused::Stopped(_) => "Stopped",
        })
    }
}

/// Why a pool could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No worker takes jobs of this urgency, so they would wait for ever.
    #[error("no worker takes {0:?} jobs")]
    NobodyServes(Urgency),
    /// A queue of length 0 takes no job.
    #[error("the queue for {0:?} jobs must hold at least 1")]
    EmptyQueue(Urgency),
    /// The thread could not be started.
    #[error("worker {worker} could not be started: {source}")]
    Spawn {
        /// Position among the specs.
        worker: usize,
        /// The cause.
        source: io::Error,
    },
    /// The thread could not be pinned.
    #[error("worker {worker} could not be pinned to CPU {cpu}: is it online and in the process's affinity mask?")]
    Pin {
        /// Position among the specs.
        worker: usize,
        /// The CPU.
        cpu: usize,
    },
    /// Its state could not be built.
    #[error("worker {worker} could not prepare its state: {reason}")]
    Build {
        /// Position among the specs.
        worker: usize,
        /// What the builder said.
        reason: String,
    },
}

/// What a pool has done and has to do; numbers of different workers are not of exactly the same instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Urgent jobs waiting.
    pub urgent_waiting: usize,
    /// Background jobs waiting.
    pub background_waiting: usize,
    /// One entry a worker, in the order of the specs.
    pub workers: Vec<WorkerReport>,
}

/// How much one kind of job there is at this moment, and who works on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Jobs waiting.
    pub waiting: usize,
    /// Workers that take such jobs and are not stuck.
    pub workers: usize,
    /// Those of them that are in a job, of whichever urgency.
    pub working: usize,
    /// Workers that take such jobs, were found stuck, and have not been replaced.
    pub stuck: usize,
}

/// What one worker has done since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerReport {
    /// Its spec.
    pub spec: WorkerSpec,
    /// Jobs that ran to their end.
    pub jobs_done: u64,
    /// Jobs that panicked.
    pub jobs_panicked: u64,
    /// Wall-clock time spent in jobs that have ended.
    pub busy: Duration,
    /// Whether it is in a job now.
    pub working: bool,
    /// Whether it was found stuck in that job.
    pub stuck: bool,
    /// How often its place has been taken by another thread.
    pub replaced: usize,
}

/// What has come of [`Handle::replace`].
#[derive(Debug)]
pub enum Replacement {
    /// Another thread gets ready to take its place; when it has, [`WorkerReport::replaced`] is one more.
    Begun,
    /// The worker has come to the end of the job.
    NotStuck,
    /// As many as may be have been replaced.
    NoneLeft,
    /// The thread could not be started.
    Failed(io::Error),
}

/// What a worker does once when it has had no job for a while, counted from its start or from its last job.
pub struct Rest<S> {
    /// How long it waits for a job before.
    pub after: Duration,
    /// What it does then with its state. A job that comes meanwhile waits for the end of it.
    pub act: fn(&mut S),
}

/// Running workers. Dropping it discards waiting jobs and lets the threads end by themselves.
pub struct Pool<J, A> {
    handle: Handle<J, A>,
    threads: usize,
    /// Hears nothing, until the last thread has ended.
    ended: Receiver<Infallible>,
}

/// Gives shards access to a pool; cheap to clone, may go to any thread.
pub struct Handle<J, A> {
    queues: Arc<Queues<J, A>>,
    hire: Arc<Hire<J, A>>,
}

/// Starts the thread of a successor.
type Hire<J, A> = dyn Fn(Successor<J, A>) -> io::Result<()> + Send + Sync;

impl<J, A> Clone for Handle<J, A> {
    fn clone(&self) -> Self {
        Self { queues: self.queues.clone(), hire: self.hire.clone() }
    }
}

/// Starts one thread per spec, named `name-INDEX`, and returns once all are pinned and have built their state.
///
/// Each worker calls `build` with its position on its own thread after pinning, so that memory it touches first is
/// of its own NUMA node; then `run` for each job. A panic in `run` is answered with [`Unanswered::JobPanicked`], and
/// the state it may have left half changed is dropped and built anew. So is what a panic in `rest` may have left.
///
/// # Errors
/// See [`StartError`]; workers already started are ended.
pub fn start<S, J, A, B, R, E>(
    name: &str,
    workers: &[WorkerSpec],
    bounds: Bounds,
    build: B,
    run: R,
    rest: Option<Rest<S>>,
) -> Result<Pool<J, A>, StartError>
where
    S: 'static,
    J: Send + 'static,
    A: Send + 'static,
    B: Fn(usize) -> Result<S, E> + Send + Sync + 'static,
    R: Fn(&mut S, J) -> A + Send + Sync + 'static,
    E: Display,
{
    for (urgency, bound) in [(Urgency::Urgent, bounds.urgent), (Urgency::Background, bounds.background)] {
        if bound == 0 {
            return Err(StartError::EmptyQueue(urgency));
        }
        if !workers.iter().any(|worker| worker.serves.takes(urgency)) {
            return Err(StartError::NobodyServes(urgency));
        }
    }
    let queues = Arc::new(Queues::new(bounds, workers));
    let duty = Arc::new(worker::Duty { build, run, rest });
    // From here on an early return drops the pool, which ends the threads started so far.
    let (ending, ended) = mpsc::channel::<Infallible>();
    let ending = Arc::new(ending);
    let hire = {
        // Whoever waits for the end waits for threads alone.
        let (name, duty, ending) = (name.to_owned(), duty.clone(), Arc::downgrade(&ending));
        move |successor: Successor<J, A>| {
            let (duty, ending) = (duty.clone(), ending.upgrade());
            let thread = thread::Builder::new().name(format!("{name}-{}", successor.index()));
            let work = move || {
                let _ending = ending;
                worker::succeed(successor, &duty);
            };
            thread.spawn(work).map(drop)
        }
    };
    let mut pool = Pool { handle: Handle { queues: queues.clone(), hire: Arc::new(hire) }, threads: 0, ended };
    let (ready_in, ready) = mpsc::channel();
    for index in 0..workers.len() {
        let (queues, duty, ready_in, ending) = (queues.clone(), duty.clone(), ready_in.clone(), ending.clone());
        let seat = Occupied::new(queues, index);
        let work = move || {
            let _ending = ending;
            worker::main(&seat, &duty, ready_in);
        };
        thread::Builder::new()
            .name(format!("{name}-{index}"))
            .spawn(work)
            .map_err(|source| StartError::Spawn { worker: index, source })?;
        pool.threads += 1;
    }
    drop(ending);
    drop(ready_in);
    for started in ready {
        started?;
    }
    Ok(pool)
}

impl<J, A: 'static> Pool<J, A> {
    /// Access for shards.
    pub fn handle(&self) -> Handle<J, A> {
        self.handle.clone()
    }

    /// What has been done and what waits.
    pub fn report(&self) -> Report {
        self.handle.report()
    }

    /// Refuses new jobs, deals with the waiting ones and blocks until every worker has ended, or `patience` is used up:
    /// false then, and a worker that never ends is left behind. Not for a shard's thread: jobs under way can take long.
    pub fn stop(self, ending: Ending, patience: Duration) -> bool {
        self.handle.queues.close(match ending {
            Ending::Finish => Course::Finish,
            Ending::Discard => Course::Discard,
        });
        self.threads == 0 || matches!(self.ended.recv_timeout(patience), Err(RecvTimeoutError::Disconnected))
    }
}

impl<J, A> Drop for Pool<J, A> {
    fn drop(&mut self) {
        self.handle.queues.close(Course::Discard);
    }
}

impl<J, A: 'static> Handle<J, A> {
    /// Opens the current shard's access. Must be called on a shard's executor; the client stays on it.
    ///
    /// # Errors
    /// No event descriptor could be had: too many open files.
    ///
    /// # Panics
    /// When called outside an executor.
    pub fn attach(&self) -> io::Result<Client<J, A>> {
        Client::new(self.queues.clone())
    }

    /// What has been done and what waits.
    pub fn report(&self) -> Report {
        self.queues.report()
    }

    /// Takes a worker for stuck that is still in the job in which it was when it had ended `jobs_ended`, and has
    /// another thread take its place, with a state of its own: once that is ready, whoever waits for the job is told
    /// [`Unanswered::Stuck`]. The old thread ends when the job does, and what comes of that is dropped.
    ///
    /// # Panics
    /// When the pool has no such worker.
    pub fn replace(&self, worker: usize, jobs_ended: u64) -> Replacement {
        let Some(successor) = Successor::find(&self.queues, worker, jobs_ended) else { return Replacement::NotStuck };
        let take_one = |left: usize| left.checked_sub(1);
        let left = &self.queues.replacements_left;
        if !self.queues.is_open() || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one).is_err() {
            return Replacement::NoneLeft;
        }
        match (self.hire)(successor) {
            Ok(()) => Replacement::Begun,
            Err(error) => Replacement::Failed(error),
        }
    }
}

#[cfg(test)]
mod tests;
