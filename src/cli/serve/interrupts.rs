//! SIGTERM and SIGINT: the first drains, the second ends at once. During start-up the first gives the start up.
//! SIGHUP has read again what can be, unless it is a terminal's last word.

use crate::cli::CliError;
use shards::Controller;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
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
    reload: Arc<Mutex<Reload>>,
}

#[derive(Default)]
enum Reload {
    #[default]
    NotYet,
    /// A signal came before there was anything to read again.
    Wanted,
    By(Box<dyn Fn() + Send>),
}

impl Interrupts {
    /// Takes the signals over, on a thread of its own; SIGHUP, which else ends the process, if `hangup` says so.
    pub(super) fn watch(hangup: bool) -> Result<Interrupts, CliError> {
        let interrupts = Interrupts::default();
        let taken = [SIGTERM, SIGINT].into_iter().chain(hangup.then_some(SIGHUP));
        let mut signals = Signals::new(taken).map_err(|error| CliError::failed(&error))?;
        let watching = interrupts.clone();
        let watch = move || {
            for signal in &mut signals {
                match signal {
                    SIGHUP => watching.read_again(),
                    _ => watching.interrupt(signal),
                }
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

    /// From now on SIGHUP does this, on the thread of the signals; one that has come already does so now.
    pub(super) fn reload_by(&self, reload: impl Fn() + Send + 'static) {
        let mut slot = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*slot, Reload::Wanted) {
            reload();
        }
        *slot = Reload::By(Box::new(reload));
    }

    fn read_again(&self) {
        let mut slot = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Reload::By(reload) => reload(),
            Reload::NotYet | Reload::Wanted => *slot = Reload::Wanted,
        }
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
