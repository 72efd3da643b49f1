//! What is measured, as it is written to the file, and the figures that are taken from it. Units stand last in names.

use crate::{
    bench::Placement,
    drain::Drain,
    guessing::Guessing,
    login::Login,
    options::Options,
    registration::Pair,
    serving::Serving,
    support::{facts::Facts, statistics::Spread, usage::Usage},
    tally::Summary,
};
use serde::Serialize;

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) facts: Facts,
    pub(crate) options: Options,
    pub(crate) placement: Placement,
    pub(crate) runs: Vec<Run>,
}

/// Each scenario once, one after the other: ratios are taken within a run.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Run {
    pub(crate) drain: Option<Drain>,
    pub(crate) registration: Option<Pair>,
    pub(crate) login: Option<Login>,
    pub(crate) serving: Option<Serving>,
    pub(crate) guessing: Vec<Guessing>,
}

/// A number that each run may have.
pub(crate) type Figure = fn(&Run) -> Option<f64>;

/// All figures: what it is, decimals, where it is.
pub(crate) const FIGURES: &[(&str, usize, Figure)] = &[
    ("drain: one core alone, hashes/s", 1, |run| Some(run.drain.as_ref()?.raw.alone_per_s)),
    ("drain: each of all cores, hashes/s", 1, |run| Some(run.drain.as_ref()?.raw.together_per_s)),
    ("drain: hardened rows/s", 1, |run| Some(run.drain.as_ref()?.rows_per_s)),
    ("drain: share of the raw rate", 3, |run| Some(run.drain.as_ref()?.ratio())),
    ("registration, hardening off: users/s", 0, |run| Some(run.registration.as_ref()?.off.wrk.created_per_s())),
    ("registration, hardening on: users/s", 0, |run| Some(run.registration.as_ref()?.on.wrk.created_per_s())),
    ("registration: rate with hardening to without", 2, |run| Some(run.registration.as_ref()?.rate_ratio())),
    ("registration, hardening off: p50 ms", 2, |run| ms(run.registration.as_ref()?.off.wrk.p50_us)),
    ("registration, hardening on: p50 ms", 2, |run| ms(run.registration.as_ref()?.on.wrk.p50_us)),
    ("registration, hardening off: p99 ms", 2, |run| ms(run.registration.as_ref()?.off.wrk.p99_us)),
    ("registration, hardening on: p99 ms", 2, |run| ms(run.registration.as_ref()?.on.wrk.p99_us)),
    ("registration: p99 with hardening to without", 2, |run| Some(run.registration.as_ref()?.p99_ratio())),
    ("registration: hashes/s beside it", 1, |run| Some(run.registration.as_ref()?.on.hashes_per_s)),
    ("login: one core alone, hashes/s", 1, |run| Some(run.login.as_ref()?.raw.alone_per_s)),
    ("login: logins/s", 1, |run| Some(run.login.as_ref()?.per_s())),
    ("login: share of the raw rate", 3, |run| Some(run.login.as_ref()?.ratio())),
    ("login: p50 ms", 1, |run| ms(run.login.as_ref()?.logins.ok()?.p50_us)),
    ("login: p99 ms", 1, |run| ms(run.login.as_ref()?.logins.ok()?.p99_us)),
    ("login: p99 in hashes", 1, |run| run.login.as_ref()?.p99_hashes()),
    ("login: refused/s", 1, |run| Some(run.login.as_ref()?.refused_per_s())),
    ("login: resident before, MiB", 1, |run| Some(run.login.as_ref()?.idle_kib as f64 / 1024.0)),
    ("login: resident meanwhile, MiB more", 1, |run| Some(run.login.as_ref()?.grown_mib())),
    ("health, 64 connections: requests/s", 0, |run| Some(run.serving.as_ref()?.health.ok()?.per_s)),
    ("me, 64 connections: requests/s", 0, |run| Some(run.serving.as_ref()?.me.ok()?.per_s)),
    ("me: share of health's rate", 2, |run| run.serving.as_ref()?.me_ratio()),
    ("me, 64 connections: p99 ms", 2, |run| ms(run.serving.as_ref()?.me.ok()?.p99_us)),
    ("me, 1 connection: p50 ms", 3, |run| ms(run.serving.as_ref()?.me_alone.ok()?.p50_us)),
    ("refresh, 64 connections: requests/s", 0, |run| Some(run.serving.as_ref()?.refresh.ok()?.per_s)),
    ("refresh, 64 connections: p99 ms", 2, |run| ms(run.serving.as_ref()?.refresh.ok()?.p99_us)),
    ("refresh, 1 connection: p50 ms", 3, |run| ms(run.serving.as_ref()?.refresh_alone.ok()?.p50_us)),
    ("guesses, unlimited: answers/s", 0, |run| Some(run.guessing(false)?.guesses_per_s())),
    ("guesses, unlimited: hashed/s", 1, |run| Some(run.guessing(false)?.hashed_per_s())),
    ("guesses, unlimited: p50 ms of me", 2, |run| ms(run.guessing(false)?.me.ok()?.p50_us)),
    ("guesses, unlimited: p99 ms of me", 2, |run| ms(run.guessing(false)?.me.ok()?.p99_us)),
    ("guesses, unlimited: p50 ms of refresh", 2, |run| ms(run.guessing(false)?.refresh.ok()?.p50_us)),
    ("guesses, unlimited: p99 ms of refresh", 2, |run| ms(run.guessing(false)?.refresh.ok()?.p99_us)),
    ("guesses, limited: answers/s", 0, |run| Some(run.guessing(true)?.guesses_per_s())),
    ("guesses, limited: p50 ms of me", 2, |run| ms(run.guessing(true)?.me.ok()?.p50_us)),
    ("guesses, limited: p99 ms of me", 2, |run| ms(run.guessing(true)?.me.ok()?.p99_us)),
    ("guesses, limited: p50 ms of refresh", 2, |run| ms(run.guessing(true)?.refresh.ok()?.p50_us)),
    ("guesses, limited: p99 ms of refresh", 2, |run| ms(run.guessing(true)?.refresh.ok()?.p99_us)),
    ("CPU of others, %, at most in a run", 0, |run| {
        run.usages().map(|usage| 100.0 * usage.others_share()).max_by(f64::total_cmp)
    }),
];

impl Run {
    pub(crate) fn guessing(&self, limited: bool) -> Option<&Guessing> {
        self.guessing.iter().find(|guessing| guessing.limited == limited)
    }

    fn usages(&self) -> impl Iterator<Item = &Usage> {
        let registration = self.registration.iter().flat_map(|pair| [&pair.off.usage, &pair.on.usage]);
        let guessing = self.guessing.iter().map(|guessing| &guessing.usage);
        let drain = self.drain.iter().map(|drain| &drain.usage);
        let login = self.login.iter().map(|login| &login.usage);
        let serving = self.serving.iter().map(|serving| &serving.usage);
        drain.chain(registration).chain(login).chain(serving).chain(guessing)
    }

    /// Loads in which each answer has been judged, by name.
    fn summaries(&self) -> Vec<(String, &Summary)> {
        let mut all = Vec::new();
        all.extend(self.login.iter().map(|login| ("login".to_owned(), &login.logins)));
        let serving = self.serving.iter().flat_map(Serving::summaries);
        all.extend(serving.map(|(name, summary)| (name.to_owned(), summary)));
        for guessing in &self.guessing {
            let name = guessing.name();
            all.push((name.to_owned(), &guessing.guesses));
            all.push((format!("me beside {name}"), &guessing.me));
            all.push((format!("refresh beside {name}"), &guessing.refresh));
        }
        all
    }

    /// What went wrong, in words.
    pub(crate) fn faults(&self) -> Vec<String> {
        let registrations = self.registration.iter().flat_map(|pair| [&pair.off, &pair.on]);
        let mut faults: Vec<String> = registrations.flat_map(|registration| registration.faults()).collect();
        faults.extend(self.summaries().into_iter().flat_map(|(name, summary)| summary.faults(&name)));
        faults
    }
}

impl Results {
    /// The spread of a figure over all runs.
    pub(crate) fn spread(&self, figure: impl Fn(&Run) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.runs.iter().filter_map(figure))
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        let numbered = self.runs.iter().zip(1..);
        numbered
            .flat_map(|(run, number)| run.faults().into_iter().map(move |it| format!("run {number}: {it}")))
            .collect()
    }
}

fn ms(us: u64) -> Option<f64> {
    Some(us as f64 / 1000.0)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{raw::Raw, registration::Registration, support::wrk, tally::tests::summary};
    use clap::Parser;

    const USAGE: Usage = Usage { machine_ns: 100, server_ns: 50, postgresql_ns: 20, bench_ns: 20 };
    const RAW: Raw = Raw { alone_per_s: 70.0, together_per_s: 60.0 };

    /// A run in which all is well.
    pub(crate) fn run() -> Run {
        let registration = |hardening, requests, p99_us| Registration {
            hardening,
            wrk: wrk::Summary {
                requests,
                duration_us: 1_000_000,
                not_2xx: 0,
                connect: 0,
                read: 0,
                write: 0,
                timeout: 0,
                p50_us: 7_000,
                p95_us: 10_000,
                p99_us,
                max_us: 50_000,
            },
            backlog: (10, 20),
            hashes_per_s: if hardening { 9.0 } else { 0.0 },
            usage: USAGE,
        };
        let guessing = |limited| Guessing {
            limited,
            guesses: summary(401, 65.0, 900_000, 990_000),
            me: summary(200, 400.0, 500, 9_000),
            refresh: summary(200, 400.0, 600, 9_500),
            usage: USAGE,
        };
        Run {
            drain: Some(Drain {
                raw: RAW,
                cores: 2,
                backlog: 1000,
                rows_per_s: 136.0,
                steps: vec![(0.0, 0)],
                usage: USAGE,
            }),
            registration: Some(Pair {
                off: registration(false, 60_000, 14_000),
                on: registration(true, 54_000, 18_000),
            }),
            login: Some(Login {
                raw: RAW,
                cores: 2,
                logins: summary(200, 130.0, 450_000, 500_000),
                idle_kib: 150_000,
                loaded_kib: 152_048,
                usage: USAGE,
            }),
            serving: Some(Serving {
                health: summary(200, 80_000.0, 600, 1_500),
                me: summary(200, 50_000.0, 1_100, 3_000),
                refresh: summary(200, 15_000.0, 4_000, 9_000),
                me_alone: summary(200, 4_000.0, 240, 400),
                refresh_alone: summary(200, 2_500.0, 390, 900),
                usage: USAGE,
            }),
            guessing: vec![guessing(false), guessing(true)],
        }
    }

    pub(crate) fn results(runs: Vec<Run>) -> Results {
        let placement = Placement { engine: "an engine".to_owned(), cpus: vec![0, 1] };
        Results { facts: Facts::example(), options: Options::parse_from(["bench"]), placement, runs }
    }

    #[test]
    fn every_figure_is_found_in_a_whole_run_and_none_in_an_empty_one() {
        for (name, _, figure) in FIGURES {
            assert!(figure(&run()).is_some_and(f64::is_finite), "{name}");
            assert_eq!(figure(&Run::default()), None, "{name}");
        }
    }

    #[test]
    fn logins_are_compared_with_all_password_cores() {
        let login = run().login.unwrap();
        assert!((login.ratio() - 130.0 / 140.0).abs() < 1e-9);
        assert!((login.p99_hashes().unwrap() - 35.0).abs() < 1e-9);
        assert!((login.grown_mib() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn hardening_without_a_backlog_is_a_fault() {
        let mut it = run();
        assert_eq!(it.faults(), Vec::<String>::new());
        it.registration.as_mut().unwrap().on.backlog.1 = 0;
        assert_eq!(
            results(vec![it]).faults(),
            ["run 1: registration with hardening: there was not always something to harden"]
        );
    }

    #[test]
    fn faults_are_told_with_the_load_that_had_them() {
        let mut it = run();
        it.guessing[1].me.faults = 1;
        it.guessing[1].me.faults_told = vec!["answered by 500".to_owned()];
        assert_eq!(it.faults(), ["me beside guesses, limited: answered by 500"]);
    }
}
