//! Starts one pinned executor per shard and watches over them: the first that fails brings the whole fleet down,
//! with every failure reported, and so does one that shows no sign of life any more. Never restarts a shard: state that
//! paniced is not state to go on with.

use crate::{
    pulse::{BEAT_INTERVAL, Pulse, ThreadState},
    readiness,
    stop::{Stop, StopFlag},
    watchdog::{Finding, Sign, Watchdog},
};
use glommio::{LocalExecutor, LocalExecutorBuilder, Placement, PoolPlacement};
use std::{
    any::Any,
    fmt::{self, Display},
    future::Future,
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// Submission entries per ring: more than a loop turn of a busy shard submits, so that a turn costs one system call.
const RING_ENTRIES: usize = 1024;

/// glommio registers this much for direct file I/O, which is never done here; 64 KiB is its least.
const FILE_IO_BYTES: usize = 64 << 10;

/// How long the healthy shards may drain once another has failed.
const DRAIN_AFTER_FAILURE: Duration = Duration::from_secs(2);

/// Where a shard is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardSpec {
    /// Position among the shards, from 0.
    pub index: usize,
    /// The CPU to pin to; `None` leaves the choice to the kernel.
    pub cpu: Option<usize>,
}

/// What a shard's main future is given.
pub struct Shard {
    /// Position among the shards, from 0.
    pub index: usize,
    /// The CPU this shard is pinned to, if any.
    pub cpu: Option<usize>,
    /// Becomes true when the fleet is to drain.
    pub stop: Stop,
}

/// An executor could not be started.
#[derive(Debug, thiserror::Error)]
#[error("shard {shard} could not start its io_uring executor: {reason}")]
pub struct LaunchError {
    /// The shard's index.
    pub shard: usize,
    /// The runtime's own words.
    pub reason: String,
}

/// How one shard came to its end before it was asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The shard's index.
    pub shard: usize,
    /// Its error, or the panic's message.
    pub reason: String,
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {}: {}", self.shard, self.reason)
    }
}

/// A shard that has shown no sign of life for too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// The shard's index.
    pub shard: usize,
    /// The CPU it is pinned to, if any.
    pub cpu: Option<usize>,
    /// Since when, as far as it was watched.
    pub silent: Duration,
    /// What the kernel says of its thread.
    pub thread: ThreadState,
}

/// What the one who waits for a fleet has in mind, and is asked for. Called on the waiting thread.
pub trait Oversight {
    /// The longest time without a sign of life that a shard is allowed.
    fn silence_max(&self) -> Duration;

    /// A shard has stalled. The fleet ends.
    fn stalled(&mut self, stall: &Stall);

    /// Once a second: a reason to end the fleet for, if something beside the shards has stalled.
    fn look(&mut self, now: Instant) -> Option<String>;
}

/// Why the fleet did not end in good order.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// One or more shards failed; all of them are listed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Failed(Vec<Failure>),
    /// Something does not get on any more; what else there was has been drained as far as it would.
    #[error("{0}")]
    Stalled(String),
    /// Shards were still busy when the drain deadline passed.
    #[error("{0} shards were still busy when the drain deadline passed")]
    DrainDeadline(usize),
    /// A second request to stop came while draining.
    #[error("stopped at once, on request")]
    Aborted,
}

enum Event {
    Stop(Option<Failure>),
    Ended { shard: usize, outcome: Result<(), String> },
}

/// Asks the fleet to stop, from any thread.
#[derive(Clone)]
pub struct Controller(Sender<Event>);

impl Controller {
    /// First call: drain. Second call: end at once.
    pub fn stop(&self) {
        // A fleet that is gone needs no stopping.
        let _ = self.0.send(Event::Stop(None));
    }

    /// Drains because of a fault outside the shards; the fleet then ends with it as its failure.
    pub fn fail(&self, shard: usize, reason: String) {
        let _ = self.0.send(Event::Stop(Some(Failure { shard, reason })));
    }
}

/// The running shards.
pub struct Fleet {
    events: Receiver<Event>,
    controller: Controller,
    flag: Arc<StopFlag>,
    running: usize,
    pulses: Pulses,
}

/// Starts one thread and executor per spec, pinned, each running `main`; returns once all are up.
///
/// # Errors
/// [`LaunchError`] of the first shard whose executor could not be made; the others are stopped.
pub fn launch<M, F, E>(specs: &[ShardSpec], main: M) -> Result<Fleet, LaunchError>
where
    M: Fn(Shard) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + 'static,
    E: Display + 'static,
{
    let main = Arc::new(main);
    let flag = Arc::new(StopFlag::default());
    let (events_in, events) = mpsc::channel();
    let (ready_in, ready) = mpsc::channel();
    let pulses = Pulses::new(specs);
    for (spec, pulse) in specs.iter().copied().zip(&pulses.pulses) {
        let (main, shard_flag, pulse) = (main.clone(), flag.clone(), pulse.clone());
        let (events_in, ready_in) = (events_in.clone(), ready_in.clone());
        let shard = move || {
            let ran = catch_unwind(AssertUnwindSafe(|| run(spec, &*main, shard_flag, &pulse, ready_in)));
            pulse.end();
            let outcome = ran.unwrap_or_else(|panic| Err(format!("panicked: {}", panic_text(&*panic))));
            let _ = events_in.send(Event::Ended { shard: spec.index, outcome });
        };
        if let Err(error) = thread::Builder::new().name(format!("shard-{}", spec.index)).spawn(shard) {
            flag.raise();
            return Err(LaunchError { shard: spec.index, reason: error.to_string() });
        }
    }
    drop(ready_in);
    for started in ready {
        if let Err(error) = started {
            flag.raise();
            return Err(error);
        }
    }
    Ok(Fleet { events, controller: Controller(events_in), flag, running: specs.len(), pulses })
}

/// One shard's life, on its own thread. Fails with its reason; `ready` hears first whether there is an executor.
fn run<F, E>(
    spec: ShardSpec,
    main: &impl Fn(Shard) -> F,
    flag: Arc<StopFlag>,
    pulse: &Arc<Pulse>,
    ready: Sender<Result<(), LaunchError>>,
) -> Result<(), String>
where
    F: Future<Output = Result<(), E>> + 'static,
    E: Display + 'static,
{
    let executor = match executor(spec.cpu) {
        Ok(executor) => ManuallyDrop::new(executor),
        Err(reason) => {
            let _ = ready.send(Err(LaunchError { shard: spec.index, reason: reason.clone() }));
            return Err(reason);
        }
    };
    // Never dropped: tasks of a shard that panicked may hold anything, and the process is about to end.
    let _ = ready.send(Ok(()));
    drop(ready);
    let pulse = pulse.clone();
    // What a shard leaves behind may have a last turn, and make a socket in it.
    let (ended, _installed) = executor.run(async {
        crate::spawn(async move { pulse.beat().await }).detach();
        let installed = readiness::install().map_err(|error| error.to_string())?;
        let shard = Shard { index: spec.index, cpu: spec.cpu, stop: Stop::follow(flag) };
        Ok::<_, String>((main(shard).await, installed))
    })?;
    ended.map_err(|error| error.to_string())
}

impl Fleet {
    /// A handle that stops this fleet from elsewhere.
    pub fn controller(&self) -> Controller {
        self.controller.clone()
    }

    /// Blocks until every shard has ended: after a stop has been asked for and drained, or after a failure. Meanwhile
    /// it watches over them, also while they drain, and asks `oversight`.
    ///
    /// # Errors
    /// [`FleetError`]: failures of shards, a shard that has stalled, a drain that took longer than `drain`, or a second
    /// request to stop.
    pub fn wait(mut self, drain: Duration, oversight: &mut impl Oversight) -> Result<(), FleetError> {
        let mut failures = Vec::new();
        let mut stalled: Option<String> = None;
        let mut deadline: Option<Instant> = None;
        let mut look_at = Instant::now();
        let soon = |deadline: Option<Instant>| {
            let soon = Instant::now() + drain.min(DRAIN_AFTER_FAILURE);
            Some(deadline.map_or(soon, |at| at.min(soon)))
        };
        while self.running > 0 {
            let now = Instant::now();
            if stalled.is_none() && now >= look_at {
                look_at = now + BEAT_INTERVAL;
                stalled = self.pulses.look(now, oversight).or_else(|| oversight.look(now));
                if stalled.is_some() {
                    deadline = soon(deadline);
                    self.flag.raise();
                }
            }
            let until = deadline.map_or(look_at, |at| at.min(look_at));
            match self.events.recv_timeout(until.saturating_duration_since(now)) {
                Ok(Event::Stop(None)) if stalled.is_some() => break,
                Ok(Event::Stop(None)) if deadline.is_some() => return Err(FleetError::Aborted),
                Ok(Event::Stop(failure)) => {
                    failures.extend(failure);
                    deadline = Some(Instant::now() + drain);
                    self.flag.raise();
                }
                Ok(Event::Ended { shard, outcome }) => {
                    self.running -= 1;
                    let failure = match outcome {
                        Err(reason) => Some(Failure { shard, reason }),
                        Ok(()) if deadline.is_none() => {
                            Some(Failure { shard, reason: "ended without being asked to".into() })
                        }
                        Ok(()) => None,
                    };
                    if let Some(failure) = failure {
                        failures.push(failure);
                        deadline = soon(deadline);
                        self.flag.raise();
                    }
                }
                Err(RecvTimeoutError::Timeout) if deadline.is_none_or(|at| Instant::now() < at) => {}
                Err(_) if failures.is_empty() && stalled.is_none() => {
                    return Err(FleetError::DrainDeadline(self.running));
                }
                Err(_) => break,
            }
        }
        match stalled {
            Some(reason) => Err(FleetError::Stalled(reason)),
            None if failures.is_empty() => Ok(()),
            None => Err(FleetError::Failed(failures)),
        }
    }
}

/// The heartbeats of all shards, and who watches over them.
struct Pulses {
    specs: Vec<ShardSpec>,
    pulses: Vec<Arc<Pulse>>,
    watchdog: Watchdog,
    /// Of those that were silent at the last look.
    threads: Vec<Option<ThreadState>>,
}

impl Pulses {
    fn new(specs: &[ShardSpec]) -> Pulses {
        Pulses {
            specs: specs.to_vec(),
            pulses: specs.iter().map(|_| Arc::default()).collect(),
            watchdog: Watchdog::new(specs.len(), BEAT_INTERVAL),
            threads: vec![None; specs.len()],
        }
    }

    /// Looks at all of them; tells of those that have stalled, and returns a word on the first.
    fn look(&mut self, now: Instant, oversight: &mut impl Oversight) -> Option<String> {
        let signs: Vec<_> = (0..self.pulses.len()).map(|shard| (self.sign(shard), oversight.silence_max())).collect();
        let mut first = None;
        for finding in self.watchdog.look(now, &signs) {
            let Finding::Stalled { index, silent } = finding else { continue };
            let ShardSpec { index: shard, cpu } = self.specs[index];
            oversight.stalled(&Stall { shard, cpu, silent, thread: self.pulses[index].thread() });
            first.get_or_insert_with(|| format!("shard {shard} has shown no sign of life for {} s", silent.as_secs()));
        }
        first
    }

    fn sign(&mut self, shard: usize) -> Sign {
        let Some(beats) = self.pulses[shard].beats() else { return Sign::Idle };
        // The kernel is asked about the silent alone: it takes some 20 us.
        if !self.watchdog.is_silent(shard) {
            self.threads[shard] = None;
            return Sign::Progress(beats);
        }
        let thread = self.pulses[shard].thread();
        let starved = self.threads[shard].as_ref().is_some_and(|earlier| thread.has_starved_since(earlier));
        self.threads[shard] = Some(thread);
        if starved { Sign::Starved } else { Sign::Progress(beats) }
    }
}

/// An executor on this thread, pinned when a CPU is named.
pub(crate) fn executor(cpu: Option<usize>) -> Result<LocalExecutor, String> {
    LocalExecutorBuilder::new(cpu.map_or(Placement::Unbound, Placement::Fixed))
        .ring_depth(RING_ENTRIES)
        .io_memory(FILE_IO_BYTES)
        // Name look-ups must not take turns with the shard on its own core.
        .blocking_thread_pool_placement(PoolPlacement::Unbound(1))
        .make()
        .map_err(|error| error.to_string())
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
