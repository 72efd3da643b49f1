//! The limit: what a pinned core can hash with nothing else to do, on the server's own engine and parameters.

use crate::{options::Options, support::Outcome};
use jeday::hardening::{HashMemory, Params, self_test};
use rustix::thread::{CpuSet, sched_setaffinity};
use serde::Serialize;
use std::{
    hint::black_box,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// What cores can hash.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Raw {
    /// Hashes per second of one core while the others rest.
    pub(crate) alone_per_s: f64,
    /// Of each core, while all password cores hash: they share caches and the memory bus.
    pub(crate) together_per_s: f64,
}

impl Raw {
    /// The mean of what was measured before something and after it.
    pub(crate) fn and(&self, after: &Raw) -> Raw {
        Raw {
            alone_per_s: f64::midpoint(self.alone_per_s, after.alone_per_s),
            together_per_s: f64::midpoint(self.together_per_s, after.together_per_s),
        }
    }
}

/// Measures for about this long.
pub(crate) fn measure(options: &Options, cpus: &[usize], length: Duration) -> Outcome<Raw> {
    let Options { memory_kib, passes, lanes, .. } = *options;
    let params = Params::new(memory_kib, passes, lanes, true)?;
    match cpus {
        [] => Err("there is no password core".into()),
        [one] => {
            let alone_per_s = hash(params, &[*one], length)?;
            Ok(Raw { alone_per_s, together_per_s: alone_per_s })
        }
        [first, ..] => Ok(Raw {
            alone_per_s: hash(params, &[*first], length / 2)?,
            together_per_s: hash(params, cpus, length / 2)?,
        }),
    }
}

/// Hashes per second and core.
fn hash(params: Params, cpus: &[usize], length: Duration) -> Outcome<f64> {
    let ready = Barrier::new(cpus.len());
    let rates = thread::scope(|scope| {
        let ready = &ready;
        let workers: Vec<_> = cpus.iter().map(|cpu| scope.spawn(move || work(params, *cpu, length, ready))).collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined
            .map(|rate| rate.unwrap_or_else(|_| Err("a hashing thread panicked".into())))
            .collect::<Outcome<Vec<f64>>>()
    })?;
    Ok(rates.iter().sum::<f64>() / rates.len() as f64)
}

fn work(params: Params, cpu: usize, length: Duration, ready: &Barrier) -> Outcome<f64> {
    let prepared = prepare(params, cpu);
    // Also when that has failed: the others wait.
    ready.wait();
    let mut memory = prepared?;
    let (start, mut hashes) = (Instant::now(), 0u32);
    loop {
        let mut tag = [0; 32];
        memory.hash(params, black_box(&[7; 32]), black_box(&[8; 16]), &mut tag)?;
        black_box(tag);
        hashes += 1;
        let elapsed = start.elapsed();
        if elapsed >= length {
            return Ok(f64::from(hashes) / elapsed.as_secs_f64());
        }
    }
}

/// Memory that the kernel has given already, to a thread that stays where it is.
fn prepare(params: Params, cpu: usize) -> Outcome<HashMemory> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set)?;
    let mut memory = HashMemory::new(self_test::choose(params)?, params)?;
    memory.wipe();
    Ok(memory)
}
