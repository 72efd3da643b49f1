//! What is measured, as it is written to the file. Units stand last in the names.

use crate::{
    options::Options,
    support::{facts::Facts, procfs::Memory, statistics::Spread, wrk::Summary},
};
use serde::Serialize;

/// CPU time for one user, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct CpuPerUser {
    pub(crate) server_us: f64,
    pub(crate) postgresql_us: f64,
    pub(crate) generator_us: f64,
}

/// One measurement of registration through the server.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ServerSample {
    pub(crate) connections: usize,
    pub(crate) users_per_s: f64,
    pub(crate) wrk: Summary,
    /// Users in the table afterwards, before which it was empty.
    pub(crate) rows: u64,
    /// 201s that the server has counted, those included that wrk no longer waited for.
    pub(crate) created_by_server: u64,
    pub(crate) cpu: CpuPerUser,
    pub(crate) wal_bytes_per_user: f64,
    /// Of all CPU time that was used meanwhile, what went to neither of the three.
    pub(crate) others_cpu_share: f64,
    pub(crate) batch_mean_users: f64,
    /// The most that was seen during the run.
    pub(crate) resident_kib: u64,
    /// After it.
    pub(crate) memory: Memory,
    /// Users that this server process has stored by then.
    pub(crate) users_so_far: u64,
    /// PostgreSQL alone with the batch size of this measurement, right after it: from one connection and from two.
    pub(crate) limits: Vec<LimitSample>,
}

/// One measurement of PostgreSQL alone.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LimitSample {
    pub(crate) connections: usize,
    pub(crate) batch_users: usize,
    pub(crate) users: u64,
    pub(crate) users_per_s: f64,
    /// Round trip of the statement.
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) postgresql_us: f64,
    pub(crate) client_us: f64,
    pub(crate) wal_bytes_per_user: f64,
    /// Of all CPU time that was used meanwhile, what went to neither of the two.
    pub(crate) others_cpu_share: f64,
}

/// A server without work.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct IdleFigures {
    pub(crate) resident_kib_at_start: u64,
    pub(crate) connections: usize,
    pub(crate) resident_kib_with_connections: u64,
    pub(crate) kib_per_connection: f64,
    /// Share of one core, in percent.
    pub(crate) cpu_percent_without_connections: f64,
    pub(crate) cpu_percent_with_500: f64,
    /// From the start of the process to the first 200 of /health/ready.
    pub(crate) ready_ms: Vec<f64>,
}

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) facts: Facts,
    pub(crate) options: Options,
    pub(crate) server: Vec<ServerSample>,
    pub(crate) limit: Vec<LimitSample>,
    pub(crate) idle: Option<IdleFigures>,
}

impl ServerSample {
    /// Users that were stored after wrk had stopped to count.
    pub(crate) fn surplus(&self) -> i64 {
        self.rows.cast_signed() - self.wrk.created().cast_signed()
    }

    pub(crate) fn limit(&self, connections: usize) -> Option<&LimitSample> {
        self.limits.iter().find(|limit| limit.connections == connections)
    }

    /// Speed as a share of PostgreSQL's alone.
    pub(crate) fn ratio(&self, connections: usize) -> Option<f64> {
        Some(self.users_per_s / self.limit(connections)?.users_per_s)
    }

    /// The server's CPU time as a share of PostgreSQL's with both its connections busy and nothing else to do.
    pub(crate) fn cpu_ratio(&self) -> Option<f64> {
        Some(self.cpu.server_us / self.limit(2)?.postgresql_us)
    }

    /// What went wrong, in words; nothing when every user is accounted for.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let point = format!("{} connections", self.connections);
        let lost = -self.surplus();
        if lost > 0 {
            faults.push(format!("{point}: {lost} users were confirmed but are not in the table"));
        }
        if self.created_by_server > self.rows {
            let lost = self.created_by_server - self.rows;
            faults.push(format!("{point}: the server has counted {lost} more 201s than there are users"));
        }
        // Each connection has one request under way when wrk stops.
        if self.surplus() > self.connections as i64 {
            faults.push(format!("{point}: {} users more than 201s, connections explain fewer", self.surplus()));
        }
        if self.wrk.not_2xx > 0 {
            faults.push(format!("{point}: {} requests were refused", self.wrk.not_2xx));
        }
        if self.wrk.socket_errors() > 0 {
            faults.push(format!("{point}: {} socket errors", self.wrk.socket_errors()));
        }
        faults
    }
}

impl Results {
    pub(crate) fn at(&self, connections: usize) -> impl Iterator<Item = &ServerSample> + Clone {
        self.server.iter().filter(move |sample| sample.connections == connections)
    }

    /// The spread of one figure at a point.
    pub(crate) fn spread(&self, connections: usize, figure: impl Fn(&ServerSample) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.at(connections).filter_map(figure))
    }

    /// The points that were measured, in order.
    pub(crate) fn points(&self) -> Vec<usize> {
        let mut points: Vec<usize> = self.server.iter().map(|sample| sample.connections).collect();
        points.sort_unstable();
        points.dedup();
        points
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.server.iter().flat_map(ServerSample::faults).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::options::Part;
    use clap::Parser;

    /// A measurement in which all is well.
    pub(crate) fn sample(connections: usize) -> ServerSample {
        let limit = |connections, users_per_s| LimitSample {
            connections,
            batch_users: 1,
            users: 1000,
            users_per_s,
            p50_us: 150,
            p99_us: 300,
            postgresql_us: 10.0,
            client_us: 1.0,
            wal_bytes_per_user: 700.0,
            others_cpu_share: 0.02,
        };
        ServerSample {
            connections,
            users_per_s: 50_000.0,
            wrk: Summary {
                requests: 1000,
                duration_us: 20_000,
                not_2xx: 0,
                connect: 0,
                read: 0,
                write: 0,
                timeout: 0,
                p50_us: 450,
                p95_us: 800,
                p99_us: 1000,
                max_us: 5000,
            },
            rows: 1000,
            created_by_server: 1000,
            cpu: CpuPerUser { server_us: 8.0, postgresql_us: 11.0, generator_us: 4.0 },
            wal_bytes_per_user: 700.0,
            others_cpu_share: 0.02,
            batch_mean_users: 1.0,
            resident_kib: 20_480,
            memory: Memory { resident_kib: 20_480, peak_kib: 20_480 },
            users_so_far: 1000,
            limits: vec![limit(1, 60_000.0), limit(2, 100_000.0)],
        }
    }

    pub(crate) fn results(server: Vec<ServerSample>) -> Results {
        Results {
            facts: Facts::example(),
            options: Options::parse_from(["bench"]),
            server,
            limit: Vec::new(),
            idle: None,
        }
    }

    #[test]
    fn lost_users_are_a_fault_and_those_under_way_are_none() {
        let mut it = sample(32);
        it.rows = 1032;
        it.created_by_server = 1032;
        assert_eq!(it.faults(), Vec::<String>::new());
        it.rows = 1033;
        assert_eq!(it.faults().len(), 1, "one more than connections could have had under way");
        it.rows = 999;
        it.created_by_server = 999;
        assert_eq!(it.faults(), ["32 connections: 1 users were confirmed but are not in the table"]);
    }

    #[test]
    fn refusals_and_broken_sockets_are_faults() {
        let mut it = sample(1);
        it.wrk.not_2xx = 2;
        it.rows = 998;
        it.created_by_server = 998;
        it.wrk.read = 1;
        assert_eq!(it.faults().len(), 2);
    }

    #[test]
    fn speed_is_compared_with_the_limit_measured_next_to_it() {
        assert_eq!(sample(1).ratio(2), Some(0.5));
        assert_eq!(sample(1).cpu_ratio(), Some(0.8));
        assert_eq!(sample(1).ratio(3), None);
    }

    #[test]
    fn all_parts_are_measured_unless_one_is_asked_for() {
        let options = Options::parse_from(["bench", "--only", "limit"]);
        assert!(options.includes(Part::Limit) && !options.includes(Part::Server));
        assert!(Options::parse_from(["bench"]).includes(Part::Memory));
    }
}
