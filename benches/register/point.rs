//! One measurement of registration through the server: load it, wait until all is stored, count.

use crate::{
    results::{CpuPerUser, ServerSample},
    support::{
        Outcome,
        client::Console,
        cluster::Cluster,
        generator::{self, Registrations},
        interrupt, procfs, scrape,
        server::Server,
    },
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// How long requests that were under way when wrk stopped may take.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// Measures points one after the other against one server.
pub(crate) struct Points<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) console: &'a Console,
    pub(crate) server: Server,
    pub(crate) directory: &'a Path,
    pub(crate) seconds: u64,
    users_so_far: u64,
    runs: u32,
}

/// Counters at one time.
struct Counters {
    machine_ns: u64,
    server_ns: u64,
    postgresql_ns: u64,
    wal_bytes: u64,
    batches: f64,
    items: f64,
    created: f64,
}

impl<'a> Points<'a> {
    pub(crate) fn new(
        cluster: &'a Cluster,
        console: &'a Console,
        server: Server,
        directory: &'a Path,
        seconds: u64,
    ) -> Points<'a> {
        Points { cluster, console, server, directory, seconds, users_so_far: 0, runs: 0 }
    }

    /// Not measured: lets PostgreSQL make its files, and everybody their buffers.
    pub(crate) fn warm_up(&mut self, connections: usize) -> Outcome<()> {
        let seconds = std::mem::replace(&mut self.seconds, 1);
        let outcome = self.measure(connections).map(drop);
        self.seconds = seconds;
        outcome
    }

    /// Loads the server into empty tables. Its limits are for the caller to add.
    pub(crate) fn measure(&mut self, connections: usize) -> Outcome<ServerSample> {
        interrupt::check()?;
        self.server.check()?;
        self.console.start_afresh()?;
        self.runs += 1;
        let tag = format!("r{}", self.runs);
        let load = Registrations {
            server: self.server.address,
            connections,
            seconds: self.seconds,
            tag: &tag,
            directory: self.directory,
        };
        let pid = self.server.pid();
        let mut resident_kib = 0;
        let before = self.counters()?;
        let loaded = generator::run(&load, || {
            resident_kib = procfs::memory(pid)?.resident_kib.max(resident_kib);
            Ok(())
        })?;
        self.settle()?;
        let after = self.counters()?;
        self.server.check()?;
        let rows = self.console.number("SELECT count(*) FROM users")?;
        if rows == 0 {
            return Err(format!("nobody was registered: wrk saw {:?}", loaded.summary).into());
        }
        self.users_so_far += rows;
        let used = |figure: fn(&Counters) -> u64| figure(&after).saturating_sub(figure(&before));
        let ours_ns = used(|it| it.server_ns) + used(|it| it.postgresql_ns) + loaded.cpu_ns;
        let machine_ns = used(|it| it.machine_ns);
        let per_user = |figure: u64| figure as f64 / rows as f64;
        Ok(ServerSample {
            connections,
            users_per_s: loaded.summary.created_per_s(),
            rows,
            created_by_server: (after.created - before.created) as u64,
            cpu: CpuPerUser {
                server_us: per_user(used(|it| it.server_ns)) / 1000.0,
                postgresql_us: per_user(used(|it| it.postgresql_ns)) / 1000.0,
                generator_us: per_user(loaded.cpu_ns) / 1000.0,
            },
            wal_bytes_per_user: per_user(used(|it| it.wal_bytes)),
            others_cpu_share: machine_ns.saturating_sub(ours_ns) as f64 / machine_ns.max(1) as f64,
            batch_mean_users: (after.items - before.items) / (after.batches - before.batches),
            resident_kib,
            memory: procfs::memory(pid)?,
            users_so_far: self.users_so_far,
            limits: Vec::new(),
            wrk: loaded.summary,
        })
    }

    fn counters(&self) -> Outcome<Counters> {
        let page = self.server.metrics()?;
        let register = &[("statement", "register")];
        let find = |name, labels: &[_]| scrape::sum(&page, name, labels).ok_or(format!("/metrics has no {name}"));
        Ok(Counters {
            machine_ns: procfs::machine_cpu_ns()?,
            server_ns: procfs::cpu_ns(self.server.pid())?,
            postgresql_ns: procfs::cpu_ns_with_children(self.cluster.postmaster())?,
            wal_bytes: self.console.wal_bytes()?,
            batches: find("jeday_batch_size_items_count", register)?,
            items: find("jeday_batch_size_items_sum", register)?,
            // A status appears with its first request.
            created: scrape::sum(&page, "jeday_http_requests_total", &[("route", "/auth/register"), ("status", "201")])
                .unwrap_or(0.0),
        })
    }

    /// Waits until no item is under way.
    fn settle(&self) -> Outcome<()> {
        let deadline = Instant::now() + SETTLE_MAX;
        while scrape::sum(&self.server.metrics()?, "jeday_batch_waiters", &[]).unwrap_or(0.0) > 0.0 {
            if Instant::now() > deadline {
                return Err(format!("registrations are still under way {SETTLE_MAX:?} after the last request").into());
            }
            interrupt::pause(Duration::from_millis(20))?;
        }
        Ok(())
    }
}
