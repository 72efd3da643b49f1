//! Lowers the calling thread to idle priority. Never raises one.

#![allow(unsafe_code)]

use std::io;

/// From here on this thread runs only when no other wants its CPU (sched(7), `SCHED_IDLE`).
pub(super) fn lower_to_idle() -> io::Result<()> {
    // SAFETY: sched_param is plain integers, for which zero is a value.
    let parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live sched_param and only read; 0 means the calling thread.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
