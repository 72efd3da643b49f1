//! Which point is best, and whether that can be said. Pure; stands on medians, and on ranks for what chance explains.

use super::{
    rank,
    results::{Figures, Results},
    statistics::Spread,
};
use serde::{Deserialize, Serialize};

/// A run in which more requests than this failed says nothing good of its settings.
const FAILED_SHARE_MAX: f64 = 0.001;

/// Where other work takes more of the CPU time used than this, figures say as much of it as of the settings.
const OTHERS_SHARE_MAX: f64 = 0.1;

/// What the best point has most or least of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Goal {
    /// Most requests in a second
    Throughput,
    /// Shortest time within which 99 of 100 requests are answered
    P99,
}

impl Goal {
    /// The figure, turned so that more is better.
    fn score(self, figures: &Figures) -> f64 {
        match self {
            Goal::Throughput => figures.requests_per_s,
            Goal::P99 => -figures.p99_ms,
        }
    }

    /// As a sentence names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Goal::Throughput => "requests/s",
            Goal::P99 => "p99 latency",
        }
    }
}

/// What a sweep has shown so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Verdict {
    /// Points that were measured, best median first; those with failed requests behind all others.
    pub(super) ranking: Vec<usize>,
    /// Points that chance may have put behind the first.
    pub(super) tied: Vec<usize>,
    /// How likely chance alone explains the distance to the second.
    pub(super) chance: Option<f64>,
    /// Points with failed requests.
    pub(super) flawed: Vec<usize>,
    /// Points without any figures.
    pub(super) missing: Vec<usize>,
}

impl Verdict {
    pub(super) fn of(results: &Results) -> Verdict {
        let goal = results.sweep.goal;
        let scores = |point| results.figures(point).map(|it| goal.score(it)).collect::<Vec<_>>();
        let median = |point| results.spread(point, |it| Some(goal.score(it))).map(|spread| spread.median);
        let (mut ranking, missing): (Vec<_>, Vec<_>) =
            (0..results.sweep.points.len()).partition(|point| median(*point).is_some());
        let flawed: Vec<_> = ranking.iter().copied().filter(|point| is_flawed(results, *point)).collect();
        // Stable: of equal points the one that was named first is first.
        ranking.sort_by(|one, other| {
            let flaws = flawed.contains(one).cmp(&flawed.contains(other));
            flaws.then(median(*other).unwrap_or(f64::MIN).total_cmp(&median(*one).unwrap_or(f64::MIN)))
        });
        let (mut tied, mut chance) = (Vec::new(), None);
        if let [best, others @ ..] = &ranking[..] {
            let best_scores = scores(*best);
            // What is behind for its failures is not behind by chance.
            let rivals = others.iter().filter(|other| flawed.contains(other) == flawed.contains(best));
            for other in rivals {
                let by_chance = rank::chance(&best_scores, &scores(*other));
                chance.get_or_insert(by_chance);
                if by_chance > rank::CHANCE_MAX {
                    tied.push(*other);
                }
            }
        }
        Verdict { ranking, tied, chance, flawed, missing }
    }

    /// The best, unless nothing was measured.
    pub(super) fn best(&self) -> Option<usize> {
        self.ranking.first().copied()
    }

    /// Sentences for people, each without its end of line.
    pub(super) fn sentences(&self, results: &Results) -> Vec<String> {
        let name = |point: &usize| results.sweep.points[*point].name.as_str();
        let names = |points: &[usize]| points.iter().map(name).collect::<Vec<_>>().join("; ");
        let goal = results.sweep.goal.name();
        let Some(best) = self.best() else { return vec!["Nothing was measured.".to_owned()] };
        let mut said = vec![format!("Recommended by {goal}: {}", name(&best))];
        match (&self.tied[..], self.chance) {
            ([], None) => said.push("There is no other point to compare it with.".to_owned()),
            ([], Some(chance)) => {
                let (chance, limit) = (percent(chance), percent(rank::CHANCE_MAX));
                said.push(format!(
                    "Better than each other point beyond noise: chance alone explains the distance to \
                     the next with {chance} (exact rank test, one-sided, {limit} at most)."
                ));
            }
            (tied, _) => {
                said.push(format!(
                    "It can't be told apart from: {}. The difference is within noise (exact rank test, one-sided, \
                     chance above {}).",
                    names(tied),
                    percent(rank::CHANCE_MAX)
                ));
                let fewest = self.ranking.iter().map(|point| results.figures(*point).count()).min().unwrap_or(0);
                if fewest < 3 {
                    said.push("With fewer than 3 runs of each nothing can be told apart.".to_owned());
                } else {
                    said.push("More repeats or longer runs may tell them apart; so may a quieter machine.".to_owned());
                }
            }
        }
        if !self.flawed.is_empty() {
            said.push(format!("More than one request in 1000 failed with: {}", names(&self.flawed)));
        }
        let others = results.runs.iter().filter_map(|run| Some(run.figures.as_ref()?.others_cpu_share));
        if let Some(others) = Spread::of(others).filter(|others| others.median > OTHERS_SHARE_MAX) {
            said.push(format!("The machine was not quiet: other work took {} of its CPU.", percent(others.median)));
        }
        if !self.missing.is_empty() {
            said.push(format!("Not measured: {}", names(&self.missing)));
        }
        said
    }
}

fn is_flawed(results: &Results, point: usize) -> bool {
    results.figures(point).any(|it| it.failed as f64 > FAILED_SHARE_MAX * it.requests as f64)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::{results, run};
    use super::*;

    #[test]
    fn the_highest_median_is_recommended_and_told_apart() {
        let results = results(&[&[100.0, 102.0, 101.0], &[300.0, 310.0, 305.0], &[200.0, 200.0, 200.0]]);
        let verdict = Verdict::of(&results);
        assert_eq!((&verdict.ranking[..], &verdict.tied[..]), (&[1, 2, 0][..], &[][..]));
        let said = verdict.sentences(&results).join("\n");
        assert!(said.starts_with("Recommended by requests/s: b\nBetter than each other point beyond noise"), "{said}");
        assert!(said.contains("with 5.0 %"), "{said}");
    }

    #[test]
    fn overlapping_points_are_said_to_be_within_noise() {
        let results = results(&[&[100.0, 104.0, 102.0], &[103.0, 101.0, 105.0], &[50.0, 51.0, 52.0]]);
        let verdict = Verdict::of(&results);
        assert_eq!((verdict.best(), &verdict.tied[..]), (Some(1), &[0][..]));
        let said = verdict.sentences(&results).join("\n");
        assert!(said.contains("can't be told apart from: a. The difference is within noise"), "{said}");
    }

    #[test]
    fn two_runs_each_are_too_few_to_tell() {
        let results = results(&[&[100.0, 101.0], &[900.0, 901.0]]);
        let verdict = Verdict::of(&results);
        assert_eq!((verdict.best(), &verdict.tied[..]), (Some(1), &[0][..]));
        assert!(verdict.sentences(&results).join("\n").contains("fewer than 3 runs"));
    }

    #[test]
    fn shorter_latency_is_better_where_that_is_the_goal() {
        let mut results = results(&[&[1000.0, 1010.0, 1020.0], &[2000.0, 2010.0, 2020.0]]);
        for run in &mut results.runs {
            let p99_ms = if run.point == 0 { 2.0 } else { 9.0 };
            run.figures.as_mut().unwrap().p99_ms = p99_ms;
        }
        results.sweep.goal = Goal::P99;
        assert_eq!(Verdict::of(&results).best(), Some(0));
    }

    #[test]
    fn a_point_with_failed_requests_is_behind_however_fast() {
        let mut results = results(&[&[100.0, 101.0, 102.0], &[900.0, 901.0, 902.0], &[]]);
        results.runs.iter_mut().filter(|run| run.point == 1).for_each(|run| {
            run.figures.as_mut().unwrap().failed = 2;
        });
        results.add(run(2, 0, Err("does not start")));
        results.runs.iter_mut().filter_map(|run| run.figures.as_mut()).for_each(|it| it.others_cpu_share = 0.4);
        let verdict = Verdict::of(&results);
        assert_eq!((&verdict.ranking[..], &verdict.flawed[..]), (&[0, 1][..], &[1][..]));
        assert_eq!((&verdict.missing[..], verdict.chance), (&[2][..], None));
        let said = verdict.sentences(&results).join("\n");
        assert!(said.contains("failed with: b") && said.contains("Not measured: c"), "{said}");
        assert!(said.contains("other work took 40.0 % of its CPU"), "{said}");
    }
}
