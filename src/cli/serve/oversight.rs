//! What the process watches over itself for: shards and password cores that do not get on. Says all that is known of a
//! stalled shard, because nobody can ask it any more.

use crate::{
    hardening::{CoresWatch, PasswordCores},
    limits::SHARD_SILENCE_MAX,
    telemetry::Registry,
};
use shards::{BEAT_INTERVAL, Oversight, Stall};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const _: () = assert!(
    SHARD_SILENCE_MAX.as_millis() + 2 * BEAT_INTERVAL.as_millis() <= 5_000,
    "a shard that has stalled is found within 5 s: it has just beaten, and the looks before and after were just missed"
);

/// Watches over one process.
pub(super) struct Overseer {
    registry: Arc<Registry>,
    cores: CoresWatch,
}

impl Overseer {
    pub(super) fn new(registry: Arc<Registry>, cores: &PasswordCores) -> Overseer {
        Overseer { registry, cores: CoresWatch::new(cores.reporter()) }
    }
}

impl Oversight for Overseer {
    fn silence_max(&self) -> Duration {
        SHARD_SILENCE_MAX
    }

    fn stalled(&mut self, stall: &Stall) {
        let Stall { shard, cpu, silent, thread } = stall;
        let load = self.registry.load(*shard);
        tracing::error!(
            shard,
            cpu,
            silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX),
            connections = load.connections,
            queued = load.queued,
            waiters = load.waiters,
            last_request = load.last_request,
            thread = thread.id,
            thread_state = thread.state.map(tracing::field::display),
            thread_cpu_ms = thread.cpu_ns.map(|cpu_ns| cpu_ns / 1_000_000),
            waits_in = thread.waits_in,
            kernel_stack = thread.kernel_stack,
            "a shard shows no sign of life: the process ends, so that it can be started again"
        );
    }

    fn look(&mut self, now: Instant) -> Option<String> {
        self.cores.look(now)
    }
}
