//! Ctrl-C and SIGTERM: noticed between two steps, so that guards stop what was started. A second one ends at once;
//! the children then get their signal from the kernel (see [`super::process`]).

use super::Outcome;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};
use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long an interruption may go unnoticed; rare enough not to disturb what is measured.
const SLICE: Duration = Duration::from_millis(50);

/// What a shell reports for a process that SIGINT has ended.
const INTERRUPTED_STATUS: i32 = 130;

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Takes the signals over. Called once, before anything is started.
pub(crate) fn watch() -> io::Result<()> {
    let interrupted = INTERRUPTED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset, and sets it.
        flag::register_conditional_shutdown(signal, INTERRUPTED_STATUS, interrupted.clone())?;
        flag::register(signal, interrupted.clone())?;
    }
    Ok(())
}

/// Whether it is time to stop.
pub(crate) fn requested() -> bool {
    INTERRUPTED.get().is_some_and(|interrupted| interrupted.load(Ordering::Relaxed))
}

/// Fails once it is time to stop.
pub(crate) fn check() -> Outcome<()> {
    if requested() { Err("interrupted".into()) } else { Ok(()) }
}

/// Sleeps unless it is time to stop.
pub(crate) fn pause(length: Duration) -> Outcome<()> {
    let end = Instant::now() + length;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(SLICE));
    }
}
