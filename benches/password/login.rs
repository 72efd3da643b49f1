//! Logins with right passwords, from more clients than there are password cores.

use crate::{
    accounts::Accounts,
    bench::Bench,
    clients::{self, Repeating},
    load::{self, Load},
    raw::Raw,
    support::{
        Outcome, interrupt, procfs,
        server::Server,
        usage::{Meter, Usage},
    },
    tally::Summary,
};
use serde::Serialize;
use std::{thread, time::Duration};

const CONNECTIONS: usize = 64;

/// For what follows a load to end, also for hash memory to be wiped.
const CALM: Duration = Duration::from_secs(2);

/// Between two looks at memory.
const LOOK: Duration = Duration::from_millis(50);

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Login {
    pub(crate) raw: Raw,
    pub(crate) cores: usize,
    pub(crate) logins: Summary,
    /// After a few hundred logins, with nothing to do.
    pub(crate) idle_kib: u64,
    /// The most that was seen during the load.
    pub(crate) loaded_kib: u64,
    pub(crate) usage: Usage,
}

impl Login {
    pub(crate) fn per_s(&self) -> f64 {
        self.logins.ok().map_or(0.0, |ok| ok.per_s)
    }

    /// As a share of what the password cores could do with nothing else.
    pub(crate) fn ratio(&self) -> f64 {
        self.per_s() / (self.raw.alone_per_s * self.cores as f64)
    }

    /// p99 of those that were let in, in the time of one hash.
    pub(crate) fn p99_hashes(&self) -> Option<f64> {
        Some(self.logins.ok()?.p99_us as f64 / 1e6 * self.raw.alone_per_s)
    }

    pub(crate) fn refused_per_s(&self) -> f64 {
        self.logins.with(503).map_or(0.0, |refused| refused.per_s)
    }

    pub(crate) fn grown_mib(&self) -> f64 {
        (self.loaded_kib as f64 - self.idle_kib as f64) / 1024.0
    }
}

pub(crate) fn measure(bench: &Bench<'_>, server: &mut Server, accounts: &Accounts) -> Outcome<Login> {
    let before = bench.raw()?;
    interrupt::pause(CALM)?;
    let (address, pid) = (server.address, server.pid());
    let idle_kib = procfs::memory(pid)?.resident_kib;
    let mut clients: Vec<Repeating> = (0..CONNECTIONS)
        .map(|number| {
            let people = accounts.people.iter().skip(number).step_by(CONNECTIONS);
            Repeating::new(people.map(|person| clients::login(address, person)).collect(), &[200, 503])
        })
        .collect();
    let load = Load { server: address, length: bench.length(), pace: None };
    let meter = Meter::start(pid, bench.cluster.postmaster())?;
    let mut loaded_kib = 0;
    let logins = thread::scope(|scope| {
        let running = scope.spawn(|| load::run(&load, &mut clients));
        while !running.is_finished() {
            loaded_kib = procfs::memory(pid)?.resident_kib.max(loaded_kib);
            thread::sleep(LOOK);
        }
        running.join().unwrap_or_else(|_| Err("the generator panicked".into()))
    })?;
    let usage = meter.read()?;
    server.check()?;
    interrupt::pause(CALM)?;
    let raw = before.and(&bench.raw()?);
    Ok(Login { raw, cores: bench.placement.cpus.len(), logins, idle_kib, loaded_kib, usage })
}
