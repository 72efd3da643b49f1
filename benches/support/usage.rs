//! Who has used the machine's cores between two points in time: the server, PostgreSQL, the bench, or others.

use super::{Outcome, procfs};
use serde::Serialize;

/// CPU time of each since some time.
pub(crate) struct Meter {
    server: u32,
    postmaster: u32,
    start: Usage,
}

/// CPU time, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Usage {
    pub(crate) machine_ns: u64,
    pub(crate) server_ns: u64,
    pub(crate) postgresql_ns: u64,
    /// This process and its children that have ended: what makes the load.
    pub(crate) bench_ns: u64,
}

impl Meter {
    pub(crate) fn start(server: u32, postmaster: u32) -> Outcome<Meter> {
        Ok(Meter { server, postmaster, start: Usage::now(server, postmaster)? })
    }

    /// What has been used since the start.
    pub(crate) fn read(&self) -> Outcome<Usage> {
        let now = Usage::now(self.server, self.postmaster)?;
        let since = |figure: fn(&Usage) -> u64| figure(&now).saturating_sub(figure(&self.start));
        Ok(Usage {
            machine_ns: since(|it| it.machine_ns),
            server_ns: since(|it| it.server_ns),
            postgresql_ns: since(|it| it.postgresql_ns),
            bench_ns: since(|it| it.bench_ns),
        })
    }
}

impl Usage {
    fn now(server: u32, postmaster: u32) -> Outcome<Usage> {
        Ok(Usage {
            machine_ns: procfs::machine_cpu_ns()?,
            server_ns: procfs::cpu_ns(server)?,
            postgresql_ns: procfs::cpu_ns_with_children(postmaster)?,
            bench_ns: procfs::cpu_ns(std::process::id())? + procfs::ended_children_ns()?,
        })
    }

    /// Of all CPU time that was used, what went to none of the three.
    pub(crate) fn others_share(&self) -> f64 {
        let Usage { machine_ns, server_ns, postgresql_ns, bench_ns } = self;
        machine_ns.saturating_sub(server_ns + postgresql_ns + bench_ns) as f64 / (*machine_ns).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_what_nobody_here_has_used() {
        let mut usage = Usage { machine_ns: 100, server_ns: 40, postgresql_ns: 20, bench_ns: 15 };
        assert!((usage.others_share() - 0.25).abs() < 1e-9);
        // Ticks of different counters end at different times.
        usage.server_ns = 90;
        assert_eq!(usage.others_share(), 0.0);
    }
}
