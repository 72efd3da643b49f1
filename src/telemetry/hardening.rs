//! Figures of password hashing. No shard counts them: whoever renders a page asks for them.

use std::time::Duration;

/// What the password cores and the queue of weak records are like now.
#[derive(Clone, Debug, Default)]
pub struct HardeningFigures {
    /// What computes the hashes.
    pub engine: &'static str,
    /// One entry for each worker of a password core.
    pub workers: Vec<WorkerFigures>,
    /// Hashes that somebody waits for.
    pub foreground_waiting: u64,
    /// Hashes that nobody waits for.
    pub background_waiting: u64,
    /// Jobs whose time had passed when their turn came.
    pub late: u64,
    /// Jobs for which there was no memory.
    pub no_memory: u64,
    /// Stored records that could not be read, each answered as a wrong password.
    pub unreadable: u64,
    /// Workers for the foreground that do not come to the end of a hash, and have not been replaced.
    pub stuck: u64,
    /// Workers that did not, and have been.
    pub replaced: u64,
    /// The queue of weak records, if it has been looked at.
    pub backlog: Option<BacklogFigures>,
}

/// What one worker has done since it started.
#[derive(Clone, Copy, Debug)]
pub struct WorkerFigures {
    /// The CPU it is pinned to.
    pub cpu: Option<usize>,
    /// `foreground`, `background` or `both`.
    pub serves: &'static str,
    /// Jobs that came to their end.
    pub hashes: u64,
    /// Jobs that panicked.
    pub panicked: u64,
    /// Time spent hashing; its rate is the worker's utilisation.
    pub busy: Duration,
}

/// The queue of weak records.
#[derive(Clone, Copy, Debug)]
pub struct BacklogFigures {
    /// Records that wait, counted up to a bound.
    pub weak: u64,
    /// Age of the oldest, in milliseconds; 0 when there is none.
    pub oldest_age_ms: u64,
    /// Whether that is more than is configured, although password cores were free.
    pub overdue: bool,
}
