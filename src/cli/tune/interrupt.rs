//! Ctrl-C and SIGTERM: noticed between two steps, so that what was started is ended in order and what was measured is
//! kept. A second one ends at once; the children then get their signal from the kernel.

use super::super::CliError;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// What a shell reports for a process that SIGINT has ended.
const INTERRUPTED_STATUS: i32 = 130;

/// Whether it is time to stop.
#[derive(Clone)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes the signals over. Called once, before anything is started.
    pub(super) fn watch() -> Result<Interrupt, CliError> {
        let interrupted: Arc<AtomicBool> = Arc::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset, and sets it.
            flag::register_conditional_shutdown(signal, INTERRUPTED_STATUS, interrupted.clone())
                .and_then(|_| flag::register(signal, interrupted.clone()))
                .map_err(|error| CliError::failed(&error))?;
        }
        Ok(Interrupt(interrupted))
    }

    pub(super) fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// For what looks at the flag by itself.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }

    /// Fails once it is time to stop.
    pub(super) fn check(&self) -> Result<(), CliError> {
        if self.is_requested() { Err(CliError::failure("interrupted")) } else { Ok(()) }
    }

    /// Sleeps for a moment unless it is time to stop.
    pub(super) fn pause(&self, moment: Duration) -> Result<(), CliError> {
        self.check()?;
        thread::sleep(moment);
        Ok(())
    }
}
