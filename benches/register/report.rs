//! The figures as tables for people. Pure, but for printing.

use crate::{
    results::{LimitSample, Results, ServerSample},
    support::{
        statistics::Spread,
        table::{Table, ms, show},
    },
};
use std::collections::BTreeSet;

/// One measurement, in a line, as soon as it is there.
pub(crate) fn server_line(sample: &ServerSample) -> String {
    let ServerSample { connections, users_per_s, wrk, batch_mean_users, cpu, .. } = sample;
    format!(
        "{connections:>5} connections  {users_per_s:>8.0} users/s  p50 {:>6.2} ms  p99 {:>6.2} ms  batch {batch_mean_users:>5.1}  \
         CPU {:.1} + {:.1} + {:.1} us",
        ms(wrk.p50_us),
        ms(wrk.p99_us),
        cpu.server_us,
        cpu.postgresql_us,
        cpu.generator_us,
    )
}

/// The same for PostgreSQL alone.
pub(crate) fn limit_line(sample: &LimitSample) -> String {
    let LimitSample { connections, batch_users, users_per_s, postgresql_us, p50_us, .. } = sample;
    format!(
        "      PostgreSQL alone, {connections} x {batch_users:<4} {users_per_s:>8.0} users/s  p50 {:>6.2} ms  CPU {postgresql_us:.1} us",
        ms(*p50_us)
    )
}

/// Registration through the server; medians and ranges.
pub(crate) fn server(results: &Results) -> String {
    let points = results.points();
    if points.is_empty() {
        return String::new();
    }
    let titles = points.iter().map(|connections| format!("{connections} conn"));
    let titles: Vec<String> = std::iter::once("registration".to_owned()).chain(titles).collect();
    let mut table = Table::new(titles.iter().map(String::as_str));
    type Figure = fn(&ServerSample) -> Option<f64>;
    let figures: [(&str, usize, Figure); 20] = [
        ("users/s", 0, |s| Some(s.users_per_s)),
        ("p50 ms", 2, |s| Some(ms(s.wrk.p50_us))),
        ("p95 ms", 2, |s| Some(ms(s.wrk.p95_us))),
        ("p99 ms", 2, |s| Some(ms(s.wrk.p99_us))),
        ("max ms", 1, |s| Some(ms(s.wrk.max_us))),
        ("batch, mean", 1, |s| Some(s.batch_mean_users)),
        ("PostgreSQL alone, 1 conn, users/s", 0, |s| Some(s.limit(1)?.users_per_s)),
        ("PostgreSQL alone, 2 conn, users/s", 0, |s| Some(s.limit(2)?.users_per_s)),
        ("ratio to 1 conn", 2, |s| s.ratio(1)),
        ("ratio to 2 conn", 2, |s| s.ratio(2)),
        ("server CPU us/user", 1, |s| Some(s.cpu.server_us)),
        ("PostgreSQL CPU us/user", 1, |s| Some(s.cpu.postgresql_us)),
        ("generator CPU us/user", 1, |s| Some(s.cpu.generator_us)),
        ("PostgreSQL alone CPU us/user", 1, |s| Some(s.limit(2)?.postgresql_us)),
        ("server CPU / PostgreSQL alone", 2, ServerSample::cpu_ratio),
        ("CPU of others, %", 0, |s| Some(100.0 * s.others_cpu_share)),
        ("same beside PostgreSQL alone, %", 0, |s| Some(100.0 * s.limit(2)?.others_cpu_share)),
        ("WAL bytes/user", 0, |s| Some(s.wal_bytes_per_user)),
        ("resident MiB", 1, |s| Some(s.resident_kib as f64 / 1024.0)),
        ("rows over 201s seen by wrk", 0, |s| Some(s.surplus() as f64)),
    ];
    for (name, decimals, figure) in figures {
        let cells = points.iter().map(|connections| show(results.spread(*connections, figure), decimals));
        table.row(std::iter::once(name.to_owned()).chain(cells));
    }
    type Total = fn(&ServerSample) -> u64;
    let totals: [(&str, Total); 4] = [
        ("201s, all runs", |s| s.wrk.created()),
        ("rows, all runs", |s| s.rows),
        ("non-2xx, all runs", |s| s.wrk.not_2xx),
        ("socket errors, all runs", |s| s.wrk.socket_errors()),
    ];
    for (name, figure) in totals {
        let cells = points.iter().map(|connections| results.at(*connections).map(figure).sum::<u64>().to_string());
        table.row(std::iter::once(name.to_owned()).chain(cells));
    }
    table.show()
}

/// PostgreSQL alone, with batch sizes of our choice.
pub(crate) fn limit(results: &Results) -> String {
    let kinds: BTreeSet<_> = results.limit.iter().map(|sample| (sample.batch_users, sample.connections)).collect();
    if kinds.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        "PostgreSQL alone",
        "users/s",
        "p50 ms",
        "p99 ms",
        "CPU us/user",
        "client CPU us/user",
        "WAL bytes/user",
    ]);
    for (batch_users, connections) in kinds {
        let samples = results.limit.iter();
        let samples = samples.filter(|sample| (sample.batch_users, sample.connections) == (batch_users, connections));
        let cell = |figure: fn(&LimitSample) -> f64, decimals| show(Spread::of(samples.clone().map(figure)), decimals);
        table.row([
            format!("{connections} conn, batches of {batch_users}"),
            cell(|s| s.users_per_s, 0),
            cell(|s| ms(s.p50_us), 2),
            cell(|s| ms(s.p99_us), 2),
            cell(|s| s.postgresql_us, 1),
            cell(|s| s.client_us, 1),
            cell(|s| 100.0 * s.others_cpu_share, 0),
            cell(|s| s.wal_bytes_per_user, 0),
        ]);
    }
    table.show()
}

/// A server without work.
pub(crate) fn idle(results: &Results) -> String {
    let Some(idle) = &results.idle else { return String::new() };
    let mib = |kib: u64| kib as f64 / 1024.0;
    format!(
        "idle: {:.1} MiB at the start, {:.1} MiB with {} connections ({:.1} KiB each; buffers in the kernel not counted); \
         CPU {:.3} % of a core, {:.3} % with 500 connections; ready after {} ms\n",
        mib(idle.resident_kib_at_start),
        mib(idle.resident_kib_with_connections),
        idle.connections,
        idle.kib_per_connection,
        idle.cpu_percent_without_connections,
        idle.cpu_percent_with_500,
        show(Spread::of(idle.ready_ms.iter().copied()), 0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::{results, sample};

    #[test]
    fn every_figure_of_a_point_has_its_row() {
        let text = server(&results(vec![sample(1), sample(500)]));
        assert!(text.starts_with("registration"), "{text}");
        assert!(text.contains("ratio to 2 conn") && text.contains("0.50"), "{text}");
        assert_eq!(text.lines().count(), 25);
    }
}
