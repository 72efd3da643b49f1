//! The thread-per-core runtime: pinned executors, listeners, streams, time and shutdown.
//! Knows no HTTP, no SQL, no password; it is the only crate that names glommio.
//!
//! Everything here but [`launch`] and [`Controller`] belongs to one shard and stays on its thread.

mod deadline;
mod launch;
mod listener;
pub mod offload;
pub mod preflight;
mod pulse;
mod readiness;
mod sampler;
mod stop;
mod stream;
mod task;
mod tokio_io;
pub mod topology;
mod watchdog;

pub use deadline::{Deadlines, Expired, Watch};
pub use launch::{Controller, Failure, Fleet, FleetError, LaunchError, Oversight, Shard, ShardSpec, Stall, launch};
pub use listener::{Acceptor, Listener, ListenerConfig};
pub use pulse::{BEAT_INTERVAL, ThreadState};
pub use sampler::{Registers, Sample, Sampler, SamplerError};
pub use stop::Stop;
pub use stream::Stream;
pub use task::{
    Elapsed, Task, block_on, blocking, sleep, spawn, thread_cpu_time, timeout, yield_now, yield_to_sockets,
};
pub use watchdog::{Finding, Sign, Watchdog};
