//! The targets of registration and whether they are reached. Pure. Speed never decides the exit status: the machine may
//! be shared, and a figure is only as good as the quiet around it.

use crate::{
    results::Results,
    support::{
        statistics::Spread,
        verdict::{Outcome, Verdict, at_least, at_most, below, not_measured},
    },
};

/// The points that targets are set for.
const MANY: usize = 500;
const SOME: usize = 32;
const ONE: usize = 1;

const RATIO_MIN: f64 = 0.45;
const P99_AT_MANY_MAX_MS: f64 = 15.0;
const CPU_RATIO_MAX: f64 = 0.9;
const P50_OVER_STATEMENT_MAX_MS: f64 = 0.35;
const P50_AT_SOME_MAX_MS: f64 = 1.2;
const RESIDENT_AT_MANY_MAX_MIB: f64 = 40.0;
const KIB_PER_IDLE_CONNECTION_MAX: f64 = 20.0;
const READY_MAX_MS: f64 = 150.0;

/// "Flat" leaves room for an allocator's whims.
const GROWTH_MAX_MIB: f64 = 2.0;
/// And has to hold for this long.
const USERS_FOR_GROWTH_MIN: u64 = 1_000_000;

/// "No CPU" leaves room for a timer now and then: 1.5 ms in 3 s.
const IDLE_CPU_MAX_PERCENT: f64 = 0.05;

/// All targets, in the order in which they were set.
pub(crate) fn all(results: &Results) -> Vec<Verdict> {
    let ms = |us: u64| us as f64 / 1000.0;
    let over_statement = |sample: &crate::results::ServerSample| {
        let statement = sample.limits.iter().find(|limit| limit.connections == 1 && limit.batch_users == 1)?;
        Some(ms(sample.wrk.p50_us) - ms(statement.p50_us))
    };
    let idle = results.idle.as_ref();
    let faults = results.faults().len();
    vec![
        at_least(
            "500 connections: share of PostgreSQL's limit",
            RATIO_MIN,
            3,
            "",
            results.spread(MANY, |s| s.ratio(2)),
        ),
        below("500 connections: p99", P99_AT_MANY_MAX_MS, 1, "ms", results.spread(MANY, |s| Some(ms(s.wrk.p99_us)))),
        Verdict {
            what: "no error, no user lost",
            target: "0".to_owned(),
            figure: faults.to_string(),
            outcome: match (results.server.is_empty(), faults) {
                (true, _) => Outcome::NotMeasured,
                (false, 0) => Outcome::Reached,
                (false, _) => Outcome::Missed,
            },
        },
        at_most(
            "500 connections: server CPU to PostgreSQL's",
            CPU_RATIO_MAX,
            2,
            "",
            results.spread(MANY, |s| s.cpu_ratio()),
        ),
        at_most(
            "1 connection: p50 over the statement's",
            P50_OVER_STATEMENT_MAX_MS,
            2,
            "ms",
            results.spread(ONE, over_statement),
        ),
        below("32 connections: p50", P50_AT_SOME_MAX_MS, 2, "ms", results.spread(SOME, |s| Some(ms(s.wrk.p50_us)))),
        below(
            "500 connections: resident memory",
            RESIDENT_AT_MANY_MAX_MIB,
            1,
            "MiB",
            results.spread(MANY, |s| Some(s.resident_kib as f64 / 1024.0)),
        ),
        growth(results),
        below(
            "memory of an idle connection",
            KIB_PER_IDLE_CONNECTION_MAX,
            1,
            "KiB",
            single(idle.map(|idle| idle.kib_per_connection)),
        ),
        at_most(
            "idle, no connections: CPU",
            IDLE_CPU_MAX_PERCENT,
            3,
            "%",
            single(idle.map(|idle| idle.cpu_percent_without_connections)),
        ),
        at_most(
            "idle, 500 connections: CPU",
            IDLE_CPU_MAX_PERCENT,
            3,
            "%",
            single(idle.map(|idle| idle.cpu_percent_with_500)),
        ),
        below("start to ready", READY_MAX_MS, 0, "ms", idle.and_then(|idle| Spread::of(idle.ready_ms.iter().copied()))),
    ]
}

/// How much the server has grown between its first full load and its last.
fn growth(results: &Results) -> Verdict {
    let mut loaded: Vec<_> = results.at(MANY).collect();
    loaded.sort_unstable_by_key(|sample| sample.users_so_far);
    let (first, last) = match loaded[..] {
        [first, .., last] => (first, last),
        _ => return not_measured("resident memory stays flat", format!("+{GROWTH_MAX_MIB} MiB")),
    };
    let grown_mib = (last.resident_kib as f64 - first.resident_kib as f64) / 1024.0;
    let users = last.users_so_far - first.users_so_far;
    let long_enough = users >= USERS_FOR_GROWTH_MIN;
    Verdict {
        what: "resident memory stays flat",
        target: format!("+{GROWTH_MAX_MIB} MiB"),
        figure: format!("{grown_mib:+.1} MiB over {users} users"),
        outcome: match grown_mib <= GROWTH_MAX_MIB {
            false => Outcome::Missed,
            true if long_enough => Outcome::Reached,
            true => Outcome::NotMeasured,
        },
    }
}

fn single(value: Option<f64>) -> Option<Spread> {
    Spread::of(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::{results, sample};
    use crate::support::verdict;

    fn outcome(results: &Results, what: &str) -> Outcome {
        verdict::tests::outcome(&all(results), what)
    }

    #[test]
    fn medians_decide_and_not_outliers() {
        let mut slow = sample(500);
        slow.wrk.p99_us = 40_000;
        let some = results(vec![sample(500), slow.clone(), sample(500)]);
        assert_eq!(outcome(&some, "500 connections: p99"), Outcome::Reached);
        let most = results(vec![slow.clone(), slow, sample(500)]);
        assert_eq!(outcome(&most, "500 connections: p99"), Outcome::Missed);
    }

    #[test]
    fn what_was_not_measured_is_neither_reached_nor_missed() {
        let nothing = results(Vec::new());
        assert!(all(&nothing).iter().all(|verdict| verdict.outcome == Outcome::NotMeasured));
    }

    #[test]
    fn lone_request_is_compared_with_the_lone_statement() {
        let what = "1 connection: p50 over the statement's";
        let mut it = sample(1);
        assert_eq!(outcome(&results(vec![it.clone()]), what), Outcome::Reached);
        it.wrk.p50_us = 501;
        assert_eq!(outcome(&results(vec![it.clone()]), what), Outcome::Missed);
        it.limits.clear();
        assert_eq!(outcome(&results(vec![it]), what), Outcome::NotMeasured);
    }

    #[test]
    fn memory_is_flat_only_after_enough_users() {
        let what = "resident memory stays flat";
        let (first, mut last) = (sample(500), sample(500));
        last.users_so_far += USERS_FOR_GROWTH_MIN - 1;
        assert_eq!(outcome(&results(vec![first.clone(), last.clone()]), what), Outcome::NotMeasured);
        last.users_so_far += 1;
        assert_eq!(outcome(&results(vec![first.clone(), last.clone()]), what), Outcome::Reached);
        last.resident_kib += 3 * 1024;
        assert_eq!(outcome(&results(vec![first, last]), what), Outcome::Missed);
    }

    #[test]
    fn one_fault_is_too_many() {
        let mut it = sample(500);
        it.wrk.timeout = 1;
        assert_eq!(outcome(&results(vec![it]), "no error, no user lost"), Outcome::Missed);
    }
}
