//! Targets and whether they are reached. Pure. Speed never decides the exit status of a bench: the machine may be
//! shared, and a figure is only as good as the quiet around it.

use super::statistics::Spread;
use serde::Serialize;

/// One target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Verdict {
    pub(crate) what: &'static str,
    pub(crate) target: String,
    pub(crate) figure: String,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Reached,
    Missed,
    NotMeasured,
}

impl Outcome {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Outcome::Reached => "reached",
            Outcome::Missed => "MISSED",
            Outcome::NotMeasured => "not measured",
        }
    }
}

/// Reached by a median that is no smaller.
pub(crate) fn at_least(what: &'static str, limit: f64, decimals: usize, unit: &str, figure: Option<Spread>) -> Verdict {
    judge(what, (">=", limit), decimals, unit, figure, |median| median >= limit)
}

/// Reached by a median that is no larger.
pub(crate) fn at_most(what: &'static str, limit: f64, decimals: usize, unit: &str, figure: Option<Spread>) -> Verdict {
    judge(what, ("<=", limit), decimals, unit, figure, |median| median <= limit)
}

/// Reached by a median that is smaller.
pub(crate) fn below(what: &'static str, limit: f64, decimals: usize, unit: &str, figure: Option<Spread>) -> Verdict {
    judge(what, ("<", limit), decimals, unit, figure, |median| median < limit)
}

fn judge(
    what: &'static str,
    (relation, limit): (&str, f64),
    decimals: usize,
    unit: &str,
    figure: Option<Spread>,
    reached: impl Fn(f64) -> bool,
) -> Verdict {
    let target = format!("{relation} {limit} {unit}").trim_end().to_owned();
    let Some(figure) = figure else { return not_measured(what, target) };
    Verdict {
        what,
        target,
        figure: format!("{} {unit}", figure.show(decimals)).trim_end().to_owned(),
        outcome: if reached(figure.median) { Outcome::Reached } else { Outcome::Missed },
    }
}

/// Neither reached nor missed.
pub(crate) fn not_measured(what: &'static str, target: String) -> Verdict {
    Verdict { what, target, figure: "-".to_owned(), outcome: Outcome::NotMeasured }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What has become of one target.
    pub(crate) fn outcome(verdicts: &[Verdict], what: &str) -> Outcome {
        let found = verdicts.iter().find(|verdict| verdict.what == what);
        found.unwrap_or_else(|| panic!("no verdict on {what}")).outcome
    }

    #[test]
    fn median_decides_at_the_limit_itself() {
        let two = Spread::of([1.0, 2.0, 9.0]);
        assert_eq!(at_least("a", 2.0, 1, "", two).outcome, Outcome::Reached);
        assert_eq!(at_most("a", 2.0, 1, "", two).outcome, Outcome::Reached);
        assert_eq!(below("a", 2.0, 1, "", two).outcome, Outcome::Missed);
    }
}
