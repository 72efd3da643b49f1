//! SIGTERM and SIGINT: the first drains, the second ends at once. During start-up the first gives the start up.

use crate::cli::CliError;
use shards::Controller;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// What a signal does at this moment.
#[derive(Clone, Default)]
pub(super) struct Interrupts {
    cancelled: Arc<AtomicBool>,
    fleet: Arc<Mutex<Option<Controller>>>,
}

impl Interrupts {
    /// Takes the signals over, on a thread of its own.
    pub(super) fn watch() -> Result<Interrupts, CliError> {
        let interrupts = Interrupts::default();
        let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(|error| CliError::failed(&error))?;
        let watching = interrupts.clone();
        let watch = move || {
            for signal in &mut signals {
                watching.interrupt(signal);
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(watch).map_err(|error| CliError::failed(&error))?;
        Ok(interrupts)
    }

    /// True once a signal came before there was a fleet to stop.
    pub(super) fn cancelled(&self) -> &Arc<AtomicBool> {
        &self.cancelled
    }

    /// From now on signals stop the fleet; one that has come already does so now.
    pub(super) fn hand_over(&self, fleet: Controller) {
        let mut slot = self.fleet.lock().unwrap_or_else(PoisonError::into_inner);
        if self.cancelled.load(Ordering::Relaxed) {
            fleet.stop();
        }
        *slot = Some(fleet);
    }

    fn interrupt(&self, signal: i32) {
        let fleet = self.fleet.lock().unwrap_or_else(PoisonError::into_inner);
        self.cancelled.store(true, Ordering::Relaxed);
        if let Some(fleet) = &*fleet {
            let name = if signal == SIGTERM { "SIGTERM" } else { "SIGINT" };
            tracing::info!(signal = name, "stopping: what is under way is answered; once more to end at once");
            fleet.stop();
        }
    }
}
