//! Working off a backlog: weak passwords that nobody waits for, and a server that has nothing else to do.

use crate::{
    accounts,
    bench::Bench,
    raw::Raw,
    support::{
        Outcome,
        client::Console,
        interrupt,
        usage::{Meter, Usage},
        users::Users,
    },
};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Older than what may still be on its way through memory.
const AGE: Duration = Duration::from_secs(60);

/// Not counted: connecting, the first claim, memory that the kernel gives for the first time.
const WARM_UP: Duration = Duration::from_secs(3);

/// Between two counts. Each reads the whole table, in well under a millisecond.
const LOOK: Duration = Duration::from_millis(100);

/// Users stored at once.
const BATCH: usize = 400;

/// The backlog must not run out: that many times what the raw rate takes.
const RESERVE: f64 = 1.5;

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Drain {
    pub(crate) raw: Raw,
    pub(crate) cores: usize,
    pub(crate) backlog: u64,
    /// Hardened records in the table, per second.
    pub(crate) rows_per_s: f64,
    /// Seconds since the first count, and how many were hardened then; only counts that differ from the last.
    pub(crate) steps: Vec<(f64, u64)>,
    pub(crate) usage: Usage,
}

impl Drain {
    /// As a share of what the password cores could do with nothing to write.
    pub(crate) fn ratio(&self) -> f64 {
        self.rows_per_s / (self.raw.alone_per_s * self.cores as f64)
    }
}

pub(crate) fn measure(bench: &Bench<'_>, number: u32) -> Outcome<Drain> {
    let console = bench.console;
    console.start_afresh()?;
    let before = bench.raw()?;
    // Counts come in steps of a claim, so the window has to hold many.
    let window = 2 * bench.length();
    let cores = bench.placement.cpus.len();
    let expected = before.alone_per_s * cores as f64 * (WARM_UP + window).as_secs_f64();
    let batches = ((RESERVE * expected) as usize).div_ceil(BATCH);
    let backlog = (batches * BATCH) as u64;
    for batch in Users::new(&format!("d{number}"))?.aged(AGE).batches(batches, BATCH)? {
        console.store(&batch)?;
    }
    console.run("VACUUM ANALYZE users, password_upgrade_queue")?;
    let (mut server, _) = bench.setup.start()?;
    interrupt::pause(WARM_UP)?;
    let meter = Meter::start(server.pid(), bench.cluster.postmaster())?;
    let steps = watch(console, window)?;
    let usage = meter.read()?;
    server.check()?;
    if steps.last().is_some_and(|(_, hardened)| *hardened >= backlog) {
        return Err(format!("all {backlog} passwords were hardened before the time was over").into());
    }
    server.stop()?;
    let raw = before.and(&bench.raw()?);
    let rows_per_s = rate(&steps, window);
    Ok(Drain { raw, cores, backlog, rows_per_s, steps, usage })
}

fn watch(console: &Console, window: Duration) -> Outcome<Vec<(f64, u64)>> {
    let start = Instant::now();
    let mut steps: Vec<(f64, u64)> = Vec::new();
    while start.elapsed() < window {
        let hardened = accounts::hardened(console)?;
        if steps.last().is_none_or(|(_, last)| *last != hardened) {
            steps.push((start.elapsed().as_secs_f64(), hardened));
        }
        interrupt::pause(LOOK)?;
    }
    Ok(steps)
}

/// Between the first step that was seen to happen and the last: both are seen late by the same time on average. Where
/// others leave a core that hardens at idle priority too little for two steps, over the whole window.
fn rate(steps: &[(f64, u64)], window: Duration) -> f64 {
    match steps {
        [_, (from_s, from), .., (to_s, to)] => (to - from) as f64 / (to_s - from_s),
        [(_, from), .., (_, to)] => (to - from) as f64 / window.as_secs_f64(),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_is_taken_from_step_to_step() {
        // The first count may fall anywhere between two steps.
        let steps = [(0.0, 40), (0.9, 100), (1.9, 170), (2.9, 240)];
        assert!((rate(&steps, Duration::from_secs(4)) - 70.0).abs() < 1e-9);
    }

    #[test]
    fn too_few_steps_are_spread_over_the_window() {
        let window = Duration::from_secs(4);
        assert!((rate(&[(0.0, 40), (0.9, 100)], window) - 15.0).abs() < 1e-9);
        assert_eq!(rate(&[(0.0, 40)], window), 0.0);
        assert_eq!(rate(&[], window), 0.0);
    }
}
