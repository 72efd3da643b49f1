//! One run of one point: an empty database, a server, a warm-up, a load, and what both have cost.

use super::{
    super::{
        CliError,
        scrape::{Page, label},
    },
    database::Database,
    generator::{Generator, Load},
    interrupt::Interrupt,
    points::Point,
    procfs,
    results::{Figures, Sweep},
    server::{Server, Setup},
};
use std::path::Path;

/// What threads that hash passwords are called.
const HASHING_THREADS: &str = "hash";

const REGISTER: &[(&str, &str)] = &[("statement", "register")];
const REGISTERED: &[(&str, &str)] = &[("route", "/auth/register"), ("status", "201")];

/// What every run is made with.
pub(super) struct Bench<'a> {
    pub(super) sweep: &'a Sweep,
    pub(super) database: &'a Database,
    pub(super) setup: &'a Setup,
    pub(super) generator: &'a Generator,
    pub(super) interrupt: &'a Interrupt,
}

impl Bench<'_> {
    /// Measures a point once.
    pub(super) fn measure(&self, point: &Point, profile: Option<&Path>) -> Result<Figures, CliError> {
        self.interrupt.check()?;
        self.database.renew()?;
        let server = self.setup.start(point, profile, self.interrupt)?;
        let figures = self.load(&server)?;
        server.stop()?;
        Ok(figures)
    }

    fn load(&self, server: &Server) -> Result<Figures, CliError> {
        let Sweep { scenario, clients, rate, seconds, warm_up_seconds, .. } = self.sweep;
        let load =
            |seconds, tag| Load { scenario, server: server.address, seconds, clients: *clients, rate: *rate, tag };
        if *warm_up_seconds > 0 {
            self.generator.run(&load(*warm_up_seconds, "warm"), self.interrupt)?;
        }
        let before = self.counters(server)?;
        let loaded = self.generator.run(&load(*seconds, "load"), self.interrupt)?;
        let after = self.counters(server)?;
        if loaded.requests == 0 {
            return Err(CliError::failure("the generator has got no answer at all"));
        }
        let peak = procfs::memory(server.pid()).map_err(|error| CliError::failed(&error))?.peak_kib;
        let used = |figure: fn(&Counters) -> u64| figure(&after).saturating_sub(figure(&before));
        let us_each = |ns: u64| ns as f64 / 1e3 / loaded.requests as f64;
        let since = |name: &str, wanted: &[(&str, &str)]| {
            let fits = |labels: &str| wanted.iter().all(|(name, value)| label(labels, name) == *value);
            after.page.sum_where(name, fits) - before.page.sum_where(name, fits)
        };
        let ratio = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        let (server_ns, hashing_ns) = (used(|it| it.server_ns), used(|it| it.hashing_ns));
        let database_ns = after.database_ns.zip(before.database_ns).map(|(after, before)| after.saturating_sub(before));
        let ours_ns = server_ns + hashing_ns + database_ns.unwrap_or(0) + loaded.cpu_ns + used(|it| it.sweep_ns);
        let machine_ns = used(|it| it.machine_ns);
        Ok(Figures {
            requests: loaded.requests,
            failed: loaded.failed,
            requests_per_s: loaded.requests_per_s,
            p50_ms: loaded.p50_ms,
            p95_ms: loaded.p95_ms,
            p99_ms: loaded.p99_ms,
            max_ms: loaded.max_ms,
            server_cpu_us: us_each(server_ns),
            hashing_cpu_us: us_each(hashing_ns),
            database_cpu_us: database_ns.map(us_each),
            generator_cpu_us: us_each(loaded.cpu_ns),
            others_cpu_share: machine_ns.saturating_sub(ours_ns) as f64 / machine_ns.max(1) as f64,
            batch_users: ratio(
                since("jeday_batch_size_items_sum", REGISTER),
                since("jeday_batch_size_items_count", REGISTER),
            ),
            wal_bytes_per_user: ratio(used(|it| it.wal_bytes) as f64, since("jeday_http_requests_total", REGISTERED)),
            peak_memory_mib: peak as f64 / 1024.0,
        })
    }

    fn counters(&self, server: &Server) -> Result<Counters, CliError> {
        let failed = |error| CliError::failed(&error);
        let (hashing_ns, server_ns) = procfs::threads_by_name(server.pid(), HASHING_THREADS).map_err(failed)?;
        let postmaster = self.database.postmaster();
        Ok(Counters {
            machine_ns: procfs::machine_cpu_ns().map_err(failed)?,
            sweep_ns: procfs::cpu_ns(std::process::id()).map_err(failed)?,
            server_ns,
            hashing_ns,
            database_ns: postmaster.map(procfs::cpu_ns_with_children).transpose().map_err(failed)?,
            wal_bytes: self.database.wal_bytes()?,
            page: server.metrics()?,
        })
    }
}

/// Whatever only grows.
struct Counters {
    machine_ns: u64,
    sweep_ns: u64,
    server_ns: u64,
    hashing_ns: u64,
    database_ns: Option<u64>,
    wal_bytes: u64,
    page: Page,
}
