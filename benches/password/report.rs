//! The figures as lines and tables for people. Pure.

use crate::{
    bench::Placement,
    drain::Drain,
    guessing::Guessing,
    login::Login,
    registration::Registration,
    results::{FIGURES, Results},
    serving::Serving,
    support::table::{Table, ms, show},
};

/// Where passwords are hashed.
pub(crate) fn placement(Placement { engine, cpus }: &Placement) -> String {
    format!("engine {engine}, password cores on CPU {cpus:?}\n")
}

pub(crate) fn drain(drain: &Drain) -> String {
    let Drain { raw, rows_per_s, .. } = drain;
    format!("  drain         {rows_per_s:.1} rows/s of {:.1} hashes/s x {}", raw.alone_per_s, drain.cores)
}

pub(crate) fn registration(registration: &Registration) -> String {
    let Registration { hardening, wrk, hashes_per_s, .. } = registration;
    let hardening = if *hardening { "on, " } else { "off," };
    format!(
        "  registration  hardening {hardening} {:.0} users/s, p99 {:.2} ms, {hashes_per_s:.1} hashes/s",
        wrk.created_per_s(),
        ms(wrk.p99_us)
    )
}

pub(crate) fn login(login: &Login) -> String {
    format!(
        "  login         {}; {:.1} hashes/s; {:+.1} MiB",
        login.logins.line(),
        login.raw.alone_per_s,
        login.grown_mib()
    )
}

pub(crate) fn serving(serving: &Serving) -> String {
    let lines = serving.summaries().map(|(name, summary)| format!("  {name:<24}{}", summary.line()));
    lines.join("\n")
}

pub(crate) fn guessing(guessing: &Guessing) -> String {
    let Guessing { guesses, me, refresh, .. } = guessing;
    let name = guessing.name();
    format!("  {name:<19}{}\n    me      {}\n    refresh {}", guesses.line(), me.line(), refresh.line())
}

/// All figures that were measured; medians and ranges.
pub(crate) fn figures(results: &Results) -> String {
    let runs = format!("median of {} (lowest-highest)", results.runs.len());
    let mut table = Table::new(["figure", &runs]);
    for (name, decimals, figure) in FIGURES {
        let spread = results.spread(figure);
        if spread.is_some() {
            table.row([(*name).to_owned(), show(spread, *decimals)]);
        }
    }
    table.show()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{
        Run,
        tests::{results, run},
    };

    #[test]
    fn figures_have_a_row_each_if_they_were_measured() {
        assert_eq!(figures(&results(vec![run(), run()])).lines().count(), 1 + FIGURES.len());
        let drained = Run { drain: run().drain, ..Run::default() };
        assert_eq!(figures(&results(vec![drained])).lines().count(), 1 + 5, "four, and what others used");
    }

    #[test]
    fn every_scenario_has_a_line() {
        let Run { drain: some, registration: pair, login: logins, serving: served, guessing: guessed } = run();
        assert!(drain(&some.unwrap()).contains("136.0 rows/s of 70.0 hashes/s x 2"));
        assert!(registration(&pair.unwrap().on).contains("hardening on,  54000 users/s, p99 18.00 ms"));
        assert!(login(&logins.unwrap()).ends_with("+2.0 MiB"));
        assert_eq!(serving(&served.unwrap()).lines().count(), 5);
        assert!(guessing(&guessed[0]).starts_with("  guesses, unlimited"));
    }
}
