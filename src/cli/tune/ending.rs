//! Ends a child process in order, and by force when it does not go.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    io,
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};

/// Between two looks at a process that should end soon.
const LOOK: Duration = Duration::from_millis(5);

/// Sends `signal`, and kills the process when it has not ended `patience` later; tells how it ended.
pub(crate) fn end(child: &mut Child, signal: Signal, patience: Duration) -> io::Result<ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    kill_process(Pid::from_child(child), signal)?;
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(LOOK);
    }
    child.kill()?;
    child.wait()
}
