//! Registration as fast as it goes, with hardening in the background and without.

use crate::{
    bench::Bench,
    support::{
        Outcome,
        generator::{self, Registrations},
        interrupt, scrape,
        usage::{Meter, Usage},
        wrk::Summary,
    },
};
use serde::Serialize;

const CONNECTIONS: usize = 500;

/// Both, one right after the other.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Pair {
    pub(crate) off: Registration,
    pub(crate) on: Registration,
}

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Registration {
    pub(crate) hardening: bool,
    pub(crate) wrk: Summary,
    /// Passwords that wait to be hardened, before and after.
    pub(crate) backlog: (u64, u64),
    pub(crate) hashes_per_s: f64,
    pub(crate) usage: Usage,
}

impl Pair {
    pub(crate) fn rate_ratio(&self) -> f64 {
        self.on.wrk.created_per_s() / self.off.wrk.created_per_s()
    }

    pub(crate) fn p99_ratio(&self) -> f64 {
        self.on.wrk.p99_us as f64 / self.off.wrk.p99_us as f64
    }
}

impl Registration {
    /// What went wrong, in words.
    pub(crate) fn faults(&self) -> Vec<String> {
        let what = if self.hardening { "registration with hardening" } else { "registration" };
        let mut faults = Vec::new();
        if self.wrk.not_2xx > 0 {
            faults.push(format!("{what}: {} requests were refused", self.wrk.not_2xx));
        }
        if self.wrk.socket_errors() > 0 {
            faults.push(format!("{what}: {} socket errors", self.wrk.socket_errors()));
        }
        if self.hardening && (self.backlog.0 == 0 || self.backlog.1 == 0) {
            faults.push(format!("{what}: there was not always something to harden"));
        }
        faults
    }
}

/// Takes turns in who comes first.
pub(crate) fn measure(bench: &Bench<'_>, number: u32) -> Outcome<Pair> {
    let one = |hardening| one(bench, hardening, number);
    if number.is_multiple_of(2) {
        let on = one(true)?;
        Ok(Pair { off: one(false)?, on })
    } else {
        let off = one(false)?;
        Ok(Pair { off, on: one(true)? })
    }
}

fn one(bench: &Bench<'_>, hardening: bool, number: u32) -> Outcome<Registration> {
    let console = bench.console;
    console.start_afresh()?;
    let (mut server, _) = bench.setup.start_with(&[format!("hardening.background={hardening}")])?;
    let load = |seconds, tag: &str| {
        let directory = bench.setup.directory();
        let load = Registrations { server: server.address, connections: CONNECTIONS, seconds, tag, directory };
        generator::run(&load, || Ok(()))
    };
    load(1, &format!("w{number}"))?;
    interrupt::check()?;
    let backlog = || console.number("SELECT count(*) FROM password_upgrade_queue");
    let hashes = || -> Outcome<f64> {
        let done = scrape::sum(&server.metrics()?, "jeday_password_hashes_total", &[("result", "done")]);
        done.ok_or_else(|| "/metrics has no jeday_password_hashes_total".into())
    };
    let (backlog_before, hashes_before) = (backlog()?, hashes()?);
    let meter = Meter::start(server.pid(), bench.cluster.postmaster())?;
    let wrk = load(bench.options.measuring.seconds, &format!("r{number}"))?.summary;
    let usage = meter.read()?;
    let hashes_per_s = (hashes()? - hashes_before) * 1e6 / wrk.duration_us as f64;
    let backlog = (backlog_before, backlog()?);
    server.check()?;
    server.stop()?;
    Ok(Registration { hardening, wrk, backlog, hashes_per_s, usage })
}
