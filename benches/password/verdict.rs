//! The targets of logins, hardening and sessions, and whether they are reached. Pure.

use crate::{
    results::{Results, Run},
    support::verdict::{Outcome, Verdict, at_least, at_most, below, not_measured},
};

const DRAIN_RATIO_MIN: f64 = 0.95;
const LOGIN_RATIO_MIN: f64 = 0.90;
/// Hashes that a login may take beside those of a full queue.
const LOGIN_P99_OVER_QUEUE_HASHES: f64 = 2.0;
const LOGIN_GROWTH_MAX_MIB: f64 = 10.0;
const REGISTRATION_RATIO_MIN: f64 = 0.85;
const REGISTRATION_P99_RATIO_MAX: f64 = 1.5;
const ME_PER_S_MIN: f64 = 45_000.0;
const ME_RATIO_MIN: f64 = 0.6;
const REFRESH_PER_S_MIN: f64 = 12_000.0;
const ALONE_P50_MAX_MS: f64 = 0.5;
const GUESSED_P99_MAX_MS: f64 = 10.0;

/// All targets, in the order in which they were set.
pub(crate) fn all(results: &Results) -> Vec<Verdict> {
    let spread = |figure: fn(&Run) -> Option<f64>| results.spread(figure);
    let ms = |us: u64| us as f64 / 1000.0;
    let guessed = |limited: bool, refresh: bool| {
        results.spread(|run| {
            let guessing = run.guessing(limited)?;
            Some(ms(if refresh { &guessing.refresh } else { &guessing.me }.ok()?.p99_us))
        })
    };
    let queue = results.options.queue as f64;
    vec![
        at_least(
            "drain: share of the raw rate",
            DRAIN_RATIO_MIN,
            3,
            "",
            spread(|run| Some(run.drain.as_ref()?.ratio())),
        ),
        at_least(
            "login: share of the raw rate",
            LOGIN_RATIO_MIN,
            3,
            "",
            spread(|run| Some(run.login.as_ref()?.ratio())),
        ),
        only_right_answers(results),
        below(
            "login: p99 of those let in",
            queue + LOGIN_P99_OVER_QUEUE_HASHES,
            1,
            "hashes",
            spread(|run| run.login.as_ref()?.p99_hashes()),
        ),
        at_most(
            "login: memory over idle",
            LOGIN_GROWTH_MAX_MIB,
            1,
            "MiB",
            spread(|run| Some(run.login.as_ref()?.grown_mib())),
        ),
        at_least(
            "registration: rate with hardening to without",
            REGISTRATION_RATIO_MIN,
            2,
            "",
            spread(|run| Some(run.registration.as_ref()?.rate_ratio())),
        ),
        at_most(
            "registration: p99 with hardening to without",
            REGISTRATION_P99_RATIO_MAX,
            2,
            "",
            spread(|run| Some(run.registration.as_ref()?.p99_ratio())),
        ),
        me(results),
        at_least(
            "refresh, 64 connections",
            REFRESH_PER_S_MIN,
            0,
            "/s",
            spread(|run| Some(run.serving.as_ref()?.refresh.ok()?.per_s)),
        ),
        below(
            "me, 1 connection: p50",
            ALONE_P50_MAX_MS,
            3,
            "ms",
            results.spread(|run| Some(ms(run.serving.as_ref()?.me_alone.ok()?.p50_us))),
        ),
        below(
            "refresh, 1 connection: p50",
            ALONE_P50_MAX_MS,
            3,
            "ms",
            results.spread(|run| Some(ms(run.serving.as_ref()?.refresh_alone.ok()?.p50_us))),
        ),
        below("beside guesses, unlimited: p99 of me", GUESSED_P99_MAX_MS, 2, "ms", guessed(false, false)),
        below("beside guesses, unlimited: p99 of refresh", GUESSED_P99_MAX_MS, 2, "ms", guessed(false, true)),
        below("beside guesses, limited: p99 of me", GUESSED_P99_MAX_MS, 2, "ms", guessed(true, false)),
        below("beside guesses, limited: p99 of refresh", GUESSED_P99_MAX_MS, 2, "ms", guessed(true, true)),
    ]
}

fn only_right_answers(results: &Results) -> Verdict {
    const WHAT: &str = "login: answers but 200, and 503 with Retry-After";
    let logins = results.runs.iter().filter_map(|run| run.login.as_ref());
    let Some(faults) = logins.map(|login| login.logins.faults).reduce(|one, other| one + other) else {
        return not_measured(WHAT, "0".to_owned());
    };
    let outcome = if faults == 0 { Outcome::Reached } else { Outcome::Missed };
    Verdict { what: WHAT, target: "0".to_owned(), figure: faults.to_string(), outcome }
}

/// Either is enough: the rate, or its share of what the same server answers without the database.
fn me(results: &Results) -> Verdict {
    const WHAT: &str = "me, 64 connections";
    let target = format!(">= {ME_PER_S_MIN} /s or {ME_RATIO_MIN} of health");
    let rate = results.spread(|run| Some(run.serving.as_ref()?.me.ok()?.per_s));
    let ratio = results.spread(|run| run.serving.as_ref()?.me_ratio());
    let (Some(rate), Some(ratio)) = (rate, ratio) else { return not_measured(WHAT, target) };
    let reached = rate.median >= ME_PER_S_MIN || ratio.median >= ME_RATIO_MIN;
    Verdict {
        what: WHAT,
        target,
        figure: format!("{} /s, {}", rate.show(0), ratio.show(2)),
        outcome: if reached { Outcome::Reached } else { Outcome::Missed },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::{results, run};
    use crate::support::verdict;

    fn outcome(results: &Results, what: &str) -> Outcome {
        verdict::tests::outcome(&all(results), what)
    }

    #[test]
    fn good_run_reaches_every_target() {
        for verdict in all(&results(vec![run()])) {
            assert_eq!(verdict.outcome, Outcome::Reached, "{verdict:?}");
        }
    }

    #[test]
    fn what_was_not_measured_is_neither_reached_nor_missed() {
        assert!(all(&results(vec![Run::default()])).iter().all(|verdict| verdict.outcome == Outcome::NotMeasured));
    }

    #[test]
    fn me_may_be_slow_where_everything_is() {
        let mut it = run();
        let serving = it.serving.as_mut().unwrap();
        serving.me.answers[0].per_s = 30_000.0;
        serving.health.answers[0].per_s = 45_000.0;
        assert_eq!(outcome(&results(vec![it.clone()]), "me, 64 connections"), Outcome::Reached);
        it.serving.as_mut().unwrap().health.answers[0].per_s = 55_000.0;
        assert_eq!(outcome(&results(vec![it]), "me, 64 connections"), Outcome::Missed);
    }

    #[test]
    fn longer_queue_may_take_longer() {
        let what = "login: p99 of those let in";
        let mut it = run();
        it.login.as_mut().unwrap().logins.answers[0].p99_us = 1_000_000;
        let mut all = results(vec![it]);
        assert_eq!(outcome(&all, what), Outcome::Missed, "70 hashes of 66");
        all.options.queue = 70;
        assert_eq!(outcome(&all, what), Outcome::Reached);
    }

    #[test]
    fn one_wrong_answer_is_too_many() {
        let mut it = run();
        it.login.as_mut().unwrap().logins.faults = 1;
        let what = "login: answers but 200, and 503 with Retry-After";
        assert_eq!(outcome(&results(vec![run(), it]), what), Outcome::Missed);
    }
}
