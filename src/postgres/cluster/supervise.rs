//! Watches over the running PostgreSQL from a thread of its own and starts it again when it has died, with growing
//! pauses. PostgreSQL replaces its own processes that die; this is for the one that all others hang on.

use super::{
    error::ClusterError,
    postmaster::Postmaster,
    process::{self, Process, Stopped},
};
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// First pause before starting again: none that a client's retry would notice.
const PAUSE_FIRST: Duration = Duration::from_millis(100);

/// Longest pause: a full disk that has been cleared is made use of soon.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// One that has run this long did not die of starting: pauses begin anew.
const PROVEN: Duration = Duration::from_secs(60);

/// How often the log's size is looked at: the only thing done while all is well.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// What happened to the private cluster; for the server's log and its health.
#[derive(Debug)]
pub enum ClusterEvent {
    /// PostgreSQL has ended by itself; it will be started again.
    Died {
        /// How: its exit status, or the signal that killed it.
        how: String,
    },
    /// It takes connections again.
    Restarted {
        /// Since it died.
        after: Duration,
    },
    /// It could not be started and will be tried again.
    NotRestarted {
        /// Why.
        error: ClusterError,
        /// The pause before the next attempt.
        pause: Duration,
    },
}

#[derive(Debug)]
struct State {
    /// None while it is dead.
    process: Option<Process>,
    stopping: bool,
}

/// The postmaster, shared by its owner and the thread that watches it.
#[derive(Debug)]
pub(super) struct Watched {
    postmaster: Postmaster,
    state: Mutex<State>,
    stop_asked: Condvar,
}

impl Watched {
    pub(super) fn new(postmaster: Postmaster, process: Process) -> Arc<Watched> {
        let state = Mutex::new(State { process: Some(process), stopping: false });
        Arc::new(Watched { postmaster, state, stop_asked: Condvar::new() })
    }

    pub(super) fn postmaster(&self) -> &Postmaster {
        &self.postmaster
    }

    /// The postmaster's process id while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.lock().process.as_ref().map(|process| process.pid)
    }

    /// From here on nothing is started any more; what runs is stopped.
    pub(super) fn stop(&self, deadline: Duration) -> Result<Stopped, ClusterError> {
        let process = {
            let mut state = self.lock();
            state.stopping = true;
            state.process.take()
        };
        self.stop_asked.notify_all();
        process.map_or(Ok(Stopped::Before), |mut process| process.stop(deadline))
    }

    /// The watching thread's life: until [`Watched::stop`].
    pub(super) fn watch(&self, tell: &dyn Fn(ClusterEvent)) {
        let mut pause = PAUSE_FIRST;
        loop {
            let since = Instant::now();
            let Some(how) = self.wait_for_death() else { return };
            if since.elapsed() >= PROVEN {
                pause = PAUSE_FIRST;
            }
            let died = Instant::now();
            tell(ClusterEvent::Died { how });
            loop {
                if self.pause(pause) {
                    return;
                }
                pause = (pause * 2).min(PAUSE_MAX);
                match self.start_again() {
                    Ok(true) => break,
                    Ok(false) => return,
                    Err(error) => tell(ClusterEvent::NotRestarted { error, pause }),
                }
            }
            tell(ClusterEvent::Restarted { after: died.elapsed() });
        }
    }

    /// How it died; `None` once it is to stop.
    fn wait_for_death(&self) -> Option<String> {
        // None when out of descriptors: then it is looked at from time to time instead.
        let descriptor = self.lock().process.as_ref()?.descriptor().ok();
        loop {
            let ended = match &descriptor {
                Some(descriptor) => process::ends_within(descriptor, LOG_INTERVAL),
                None => {
                    if self.pause(PAUSE_MAX) {
                        return None;
                    }
                    self.lock().process.as_ref()?.ends_within(Duration::ZERO)
                }
            };
            if ended {
                let mut state = self.lock();
                return state.process.take().map(|mut process| process.reap());
            }
            // A log that cannot be set aside now is tried again in a minute.
            let _ = self.postmaster.log.bound();
        }
    }

    /// Waits, unless it is to stop; says whether it is.
    fn pause(&self, pause: Duration) -> bool {
        let waited = self.stop_asked.wait_timeout_while(self.lock(), pause, |state| !state.stopping);
        waited.unwrap_or_else(PoisonError::into_inner).0.stopping
    }

    /// Whether it runs again; not if it was to stop meanwhile.
    fn start_again(&self) -> Result<bool, ClusterError> {
        let stopping = || self.lock().stopping;
        match self.postmaster.start(&stopping, &|_| {}) {
            Ok(mut process) => {
                let mut state = self.lock();
                if state.stopping {
                    drop(state);
                    process.stop(PAUSE_MAX)?;
                    return Ok(false);
                }
                state.process = Some(process);
                Ok(true)
            }
            Err(ClusterError::Cancelled) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds it leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
