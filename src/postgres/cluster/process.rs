//! One process by its descriptor (pidfd_open(2)): a signal can only reach the process that was meant, even when its
//! number has been given to another since, and its end can be waited for whether it is our child or not.

use super::error::ClusterError;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    process::Child,
    time::{Duration, Instant},
};

/// After SIGQUIT PostgreSQL gives its own processes 5 s and then kills them.
const QUIT_LIMIT: Duration = Duration::from_secs(10);

/// A killed process that is not gone by then hangs in the kernel.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// How PostgreSQL came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// In good order: all is in its place, the next start has nothing to recover.
    Cleanly,
    /// It was running no more.
    Before,
    /// It took too long and was ended: nothing is lost, the next start replays its log.
    Forcibly,
}

/// A postmaster.
#[derive(Debug)]
pub(super) struct Process {
    pub pid: u32,
    descriptor: OwnedFd,
    child: Option<Child>,
}

impl Process {
    /// A process that is not our child; `None` if there is none of that number.
    pub(super) fn find(pid: u32) -> io::Result<Option<Process>> {
        let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        match pidfd_open(number, PidfdFlags::empty()) {
            Ok(descriptor) => Ok(Some(Process { pid, descriptor, child: None })),
            Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Our child; while it has not been waited for its number is its own.
    pub(super) fn of(mut child: Child) -> io::Result<Process> {
        match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(descriptor) => Ok(Process { pid: child.id(), descriptor, child: Some(child) }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error.into())
            }
        }
    }

    /// A second descriptor, to wait on elsewhere.
    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.descriptor.try_clone()
    }

    /// Whether it ends within the time; with none, looks only.
    pub(super) fn ends_within(&self, limit: Duration) -> bool {
        ends_within(&self.descriptor, limit)
    }

    fn signal(&self, signal: Signal) {
        // It can only fail because the process has ended, which is what every caller wants.
        let _ = pidfd_send_signal(&self.descriptor, signal);
    }

    /// Takes leave of an ended child and says how it ended.
    pub(super) fn reap(&mut self) -> String {
        match self.child.as_mut().map(Child::wait) {
            Some(Ok(status)) => status.to_string(),
            Some(Err(error)) => format!("unknown ({error})"),
            None => "unknown".to_owned(),
        }
    }

    /// Stops it: cutting off its clients but in good order, after `deadline` at once, and at last by force.
    pub(super) fn stop(&mut self, deadline: Duration) -> Result<Stopped, ClusterError> {
        if self.ends_within(Duration::ZERO) {
            self.reap();
            return Ok(Stopped::Before);
        }
        let steps = [
            (Signal::INT, deadline, Stopped::Cleanly),
            (Signal::QUIT, QUIT_LIMIT, Stopped::Forcibly),
            (Signal::KILL, KILL_LIMIT, Stopped::Forcibly),
        ];
        for (signal, limit, stopped) in steps {
            self.signal(signal);
            if self.ends_within(limit) {
                self.reap();
                return Ok(stopped);
            }
        }
        Err(ClusterError::Unkillable(self.pid))
    }
}

/// Whether the process of this descriptor ends within the time.
pub(super) fn ends_within(descriptor: impl AsFd, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return false,
            Ok(_) => return true,
            // A signal of ours came: wait for the rest.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_that_ignores_being_asked_is_ended_by_force() {
        let stubborn = "trap '' INT QUIT; echo ready; while :; do sleep 0.05; done";
        let mut child = Command::new("sh").args(["-c", stubborn]).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut ready = [0; 6];
        io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        let mut process = Process::of(child).unwrap();
        assert!(!process.ends_within(Duration::from_millis(10)));
        // The step after SIGINT takes its own time, so go straight to the last.
        process.signal(Signal::QUIT);
        assert!(!process.ends_within(Duration::from_millis(100)));
        process.signal(Signal::KILL);
        assert!(process.ends_within(KILL_LIMIT));
        assert!(process.reap().contains("signal: 9"));
    }

    #[test]
    fn a_process_stops_when_asked_and_is_known_to_have_stopped_before() {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        let mut process = Process::of(child).unwrap();
        let mut found = Process::find(pid).unwrap().unwrap();
        assert_eq!(process.stop(Duration::from_secs(5)).unwrap(), Stopped::Cleanly);
        assert_eq!(found.stop(Duration::ZERO).unwrap(), Stopped::Before);
        assert!(Process::find(pid).unwrap().is_none());
        assert!(Process::find(0).unwrap().is_none());
    }
}
