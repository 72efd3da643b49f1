//! CPU profiles of the running process. Samples are unwound on a thread of the profiler's own as they come; names are
//! looked up once at the end, and no shard waits for either.

mod flame_graph;
mod functions;
mod pprof;
mod unwind;

use crate::{
    clock,
    limits::{PROFILE_HZ, PROFILE_STACKS_MAX, PROFILE_TAKE_INTERVAL},
};
use rustix::thread::{gettid, sched_getaffinity, sched_setaffinity};
use shards::{Sampler, SamplerError};
use std::{
    collections::HashMap,
    fs, io, process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use unwind::Unwinder;

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ProfileError {
    #[error("another profile is being taken")]
    Running,
    #[error("cannot take a profile: {0}")]
    System(#[from] io::Error),
    /// Nothing used the CPU for long enough.
    #[error("no sample was taken: the process was idle")]
    Empty,
    #[error("cannot draw the flame graph: {0}")]
    Drawing(io::Error),
    #[error("the profiler's thread has failed")]
    Failed,
}

impl From<SamplerError> for ProfileError {
    fn from(error: SamplerError) -> ProfileError {
        match error {
            SamplerError::Running => ProfileError::Running,
            SamplerError::System(error) => ProfileError::System(error),
        }
    }
}

/// Addresses of a stack, the innermost first; those of callers are where they go on.
type Addresses = Box<[u64]>;

/// What was seen, and how often.
#[derive(Debug)]
pub struct Profile {
    /// By the name of the thread and the stack.
    samples: HashMap<(Arc<str>, Addresses), u64>,
    began_unix_ms: u64,
    lasted: Duration,
    /// Samples that are missing because there were too many.
    missed: u64,
}

impl Profile {
    /// The profile as `go tool pprof` and its like take it: protobuf under gzip.
    ///
    /// # Errors
    /// [`ProfileError::Empty`].
    pub fn pprof(&self) -> Result<Vec<u8>, ProfileError> {
        self.not_empty()?;
        Ok(pprof::encode(self))
    }

    /// The profile as a picture: an SVG that can be searched and zoomed in a browser.
    ///
    /// # Errors
    /// [`ProfileError::Empty`], [`ProfileError::Drawing`].
    pub fn flame_graph(&self) -> Result<Vec<u8>, ProfileError> {
        self.not_empty()?;
        flame_graph::draw(self).map_err(ProfileError::Drawing)
    }

    fn not_empty(&self) -> Result<(), ProfileError> {
        if self.samples.is_empty() { Err(ProfileError::Empty) } else { Ok(()) }
    }
}

/// A profile that is being taken. Dropping it ends that, and nothing comes of it.
#[derive(Debug)]
pub struct Profiling {
    state: Arc<State>,
    thread: Option<JoinHandle<Result<Vec<u8>, ProfileError>>>,
}

/// What the profiler's thread is told.
#[derive(Debug, Default)]
struct State {
    ends: AtomicBool,
    /// Nobody wants it any more.
    abandoned: AtomicBool,
}

impl Profiling {
    /// Begins, and lets `render` make of the profile what is wanted once it has ended, on the profiler's thread. Takes
    /// some milliseconds for reading how the program's stacks are laid out: for a thread that may block.
    ///
    /// # Errors
    /// [`ProfileError::Running`] while another is being taken, [`ProfileError::System`].
    pub fn start(render: fn(&Profile) -> Result<Vec<u8>, ProfileError>) -> Result<Profiling, ProfileError> {
        // In this order, or the profile begins with its own preparation.
        let unwinder = Unwinder::of_this_process()?;
        let sampler = Sampler::start(PROFILE_HZ)?;
        let state = Arc::new(State::default());
        let told = state.clone();
        let work = move || {
            leave_the_shards_cpu();
            let profile = collect(sampler, unwinder, &told.ends);
            if told.abandoned.load(Ordering::Acquire) { Err(ProfileError::Empty) } else { render(&profile) }
        };
        let thread = thread::Builder::new().name("profiler".to_owned()).spawn(work)?;
        Ok(Profiling { state, thread: Some(thread) })
    }

    /// Takes no more samples, and does not wait for what is made of them.
    pub fn end(&self) {
        self.state.ends.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// Whether all is done.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// What `render` has made; waits for it where it is not there yet.
    ///
    /// # Errors
    /// Those of `render`; [`ProfileError::Failed`] when the profiler panicked.
    pub fn finish(mut self) -> Result<Vec<u8>, ProfileError> {
        self.end();
        let thread = self.thread.take().ok_or(ProfileError::Failed)?;
        thread.join().map_err(|_| ProfileError::Failed)?
    }
}

impl Drop for Profiling {
    fn drop(&mut self) {
        self.state.abandoned.store(true, Ordering::Release);
        self.end();
    }
}

/// A thread starts on the CPUs of the one that started it, which may be a single shard's.
fn leave_the_shards_cpu() {
    let main = rustix::process::Pid::from_raw(process::id().cast_signed());
    // Where it may not, it shares the shard's CPU: slower, and no reason to fail.
    if let Ok(cpus) = sched_getaffinity(main) {
        let _ = sched_setaffinity(None, &cpus);
    }
}

fn collect(mut sampler: Sampler, mut unwinder: Unwinder, ends: &AtomicBool) -> Profile {
    let (began, began_unix_ms) = (Instant::now(), clock::unix_ms());
    let own = gettid().as_raw_nonzero().get().cast_unsigned();
    let mut names: HashMap<u32, Arc<str>> = HashMap::new();
    let mut samples: HashMap<(Arc<str>, Addresses), u64> = HashMap::new();
    let mut left_out = 0;
    loop {
        let is_last = ends.load(Ordering::Acquire);
        if is_last {
            sampler.stop();
        }
        sampler.take(|sample| {
            if sample.thread == own {
                return;
            }
            let name = names.entry(sample.thread).or_insert_with(|| thread_name(sample.thread));
            let stack = (name.clone(), unwinder.addresses(sample));
            if samples.len() < PROFILE_STACKS_MAX || samples.contains_key(&stack) {
                *samples.entry(stack).or_default() += 1;
            } else {
                left_out += 1;
            }
        });
        if is_last {
            break;
        }
        thread::park_timeout(PROFILE_TAKE_INTERVAL);
    }
    Profile { samples, began_unix_ms, lasted: began.elapsed(), missed: sampler.missed() + left_out }
}

/// As the kernel knows it; its number when it has ended meanwhile.
fn thread_name(thread: u32) -> Arc<str> {
    match fs::read_to_string(format!("/proc/self/task/{thread}/comm")) {
        Ok(name) => name.trim_end().into(),
        Err(_) => thread.to_string().into(),
    }
}
