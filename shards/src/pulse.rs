//! The heartbeat of a shard, and what the kernel tells of its thread. Beats by a timer of the shard's own, once a
//! second, whatever there is to do: a request pays nothing for it.

use rustix::thread::gettid;
use std::{
    fs,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Between two beats, and between two looks at them.
pub const BEAT_INTERVAL: Duration = Duration::from_secs(1);

/// What one shard shows of its life, and the fleet sees.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    beats: AtomicU64,
    thread: OnceLock<i32>,
    ended: AtomicBool,
}

impl Pulse {
    /// Beats for as long as it is polled, on the shard's executor.
    pub(crate) async fn beat(&self) {
        // The executor's thread, and the only one that gets here.
        let _ = self.thread.set(gettid().as_raw_nonzero().get());
        loop {
            self.beats.fetch_add(1, Ordering::Relaxed);
            crate::sleep(BEAT_INTERVAL).await;
        }
    }

    /// Nothing more is to be expected.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// How often it has beaten; `None` before the first beat and after the end.
    pub(crate) fn beats(&self) -> Option<u64> {
        let beats = self.beats.load(Ordering::Relaxed);
        (beats > 0 && !self.ended.load(Ordering::Relaxed)).then_some(beats)
    }

    /// What the kernel says of the thread.
    pub(crate) fn thread(&self) -> ThreadState {
        self.thread.get().map(|&thread| ThreadState::read(thread)).unwrap_or_default()
    }
}

/// What the kernel tells of a thread; fields are `None` where it does not, or not to this user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThreadState {
    /// Its number, as `gdb --pid` and `perf --tid` take it.
    pub id: Option<i32>,
    /// `R` for running or waiting for a CPU, `S` and `D` for waiting for something else: proc(5).
    pub state: Option<char>,
    /// CPU time that it has used, in nanoseconds.
    pub cpu_ns: Option<u64>,
    /// The kernel's function that it waits in.
    pub waits_in: Option<String>,
    /// The kernel's functions that it is in, innermost first; root alone may see them.
    pub kernel_stack: Option<String>,
}

impl ThreadState {
    fn read(thread: i32) -> ThreadState {
        let file = |name: &str| fs::read_to_string(format!("/proc/self/task/{thread}/{name}")).ok();
        let waits_in = file("wchan").filter(|name| !name.is_empty() && name != "0");
        ThreadState {
            id: Some(thread),
            state: file("stat").as_deref().and_then(state_in),
            cpu_ns: file("schedstat").as_deref().and_then(|text| text.split(' ').next()?.parse().ok()),
            waits_in,
            kernel_stack: file("stack").as_deref().map(functions_in).filter(|functions| !functions.is_empty()),
        }
    }

    /// Whether it wants to run now and has not run since `earlier`.
    pub(crate) fn has_starved_since(&self, earlier: &ThreadState) -> bool {
        self.state == Some('R') && self.cpu_ns.is_some() && self.cpu_ns == earlier.cpu_ns
    }
}

/// The third field of `stat`; the second is a name that may hold anything, in brackets.
fn state_in(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

/// The names in lines like `[<0>] do_epoll_wait+0x1f/0x40`.
fn functions_in(stack: &str) -> String {
    let name = |line: &str| Some(line.split_once("] ")?.1.split('+').next()?.to_owned());
    stack.lines().filter_map(name).collect::<Vec<_>>().join(" < ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn thread_is_told_by_its_state_and_time() {
        let own = ThreadState::read(gettid().as_raw_nonzero().get());
        assert_eq!(own.state, Some('R'));
        assert_eq!(ThreadState::read(i32::MAX).state, None, "one that is gone");
    }

    #[test]
    fn kernel_files_are_read_whatever_the_thread_is_called() {
        assert_eq!(state_in("7 (a ) R b) S 1 2 3"), Some('S'));
        assert_eq!(state_in("7"), None);
        let stack = "[<0>] futex_wait+0xb1/0x150\n[<0>] do_futex+0x51/0xe0\n";
        assert_eq!(functions_in(stack), "futex_wait < do_futex");
    }

    #[test]
    fn thread_that_runs_or_waits_has_not_starved() {
        let at = |state, cpu_ns| ThreadState { state: Some(state), cpu_ns: Some(cpu_ns), ..ThreadState::default() };
        assert!(at('R', 5).has_starved_since(&at('S', 5)));
        assert!(!at('R', 6).has_starved_since(&at('R', 5)), "it runs");
        assert!(!at('D', 5).has_starved_since(&at('R', 5)), "it waits for something else");
        assert!(!ThreadState::default().has_starved_since(&ThreadState::default()), "nothing is known");
    }
}
