//! Starts one pinned executor per shard and watches over them: the first that fails brings the whole fleet down,
//! with every failure reported. Never restarts a shard: state that paniced is not state to go on with.

use crate::{
    readiness,
    stop::{Stop, StopFlag},
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

/// Why the fleet did not end in good order.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// One or more shards failed; all of them are listed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Failed(Vec<Failure>),
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
    for spec in specs.iter().copied() {
        let (main, shard_flag) = (main.clone(), flag.clone());
        let (events_in, ready_in) = (events_in.clone(), ready_in.clone());
        let shard = move || {
            let ran = catch_unwind(AssertUnwindSafe(|| run(spec, &*main, shard_flag, ready_in)));
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
    Ok(Fleet { events, controller: Controller(events_in), flag, running: specs.len() })
}

/// One shard's life, on its own thread. Fails with its reason; `ready` hears first whether there is an executor.
fn run<F, E>(
    spec: ShardSpec,
    main: &impl Fn(Shard) -> F,
    flag: Arc<StopFlag>,
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
    executor.run(async {
        let _installed = readiness::install().map_err(|error| error.to_string())?;
        let shard = Shard { index: spec.index, cpu: spec.cpu, stop: Stop::follow(flag) };
        main(shard).await.map_err(|error| error.to_string())
    })
}

impl Fleet {
    /// A handle that stops this fleet from elsewhere.
    pub fn controller(&self) -> Controller {
        self.controller.clone()
    }

    /// Blocks until every shard has ended: after a stop has been asked for and drained, or after a failure.
    ///
    /// # Errors
    /// [`FleetError`]: failures of shards, a drain that took longer than `drain`, or a second request to stop.
    pub fn wait(mut self, drain: Duration) -> Result<(), FleetError> {
        let mut failures = Vec::new();
        let mut deadline: Option<Instant> = None;
        while self.running > 0 {
            let event = match deadline {
                None => self.events.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => self.events.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match event {
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
                        let soon = Instant::now() + drain.min(DRAIN_AFTER_FAILURE);
                        deadline = Some(deadline.map_or(soon, |at| at.min(soon)));
                        self.flag.raise();
                    }
                }
                Err(_) if failures.is_empty() => return Err(FleetError::DrainDeadline(self.running)),
                Err(_) => break,
            }
        }
        if failures.is_empty() { Ok(()) } else { Err(FleetError::Failed(failures)) }
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
