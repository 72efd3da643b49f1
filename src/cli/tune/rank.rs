//! Whether two points can be told apart: the exact rank test of Wilcoxon, Mann and Whitney. Pure. It asks for nothing
//! but that runs are alike and independent of each other; not for a normal distribution, which rates do not have.

/// Below this chance that equal points would look as different as these do, they count as different.
pub(super) const CHANCE_MAX: f64 = 0.05;

/// The chance that, were both alike, the values of `higher` would stand above those of `lower` as clearly as they do or
/// more clearly. 1 when there is nothing to compare. Three values against three reach 0.05 at best: all above all.
pub(super) fn chance(higher: &[f64], lower: &[f64]) -> f64 {
    let (n, m) = (higher.len(), lower.len());
    if n == 0 || m == 0 {
        return 1.0;
    }
    // Pairs in which the higher is above; ties are no evidence, so they count against it.
    let wins = higher.iter().map(|one| lower.iter().filter(|other| one > *other).count()).sum::<usize>();
    let ways = ways(n, m);
    ways[wins..].iter().sum::<f64>() / ways.iter().sum::<f64>()
}

/// In how many orders of `n` and `m` values each number of wins comes about, from 0 to `n * m`: the largest value is
/// either one of the `n`, above all the `m`, or one of the `m`.
fn ways(n: usize, m: usize) -> Vec<f64> {
    let mut table = vec![vec![Vec::new(); m + 1]; n + 1];
    for a in 0..=n {
        for b in 0..=m {
            let mut counts = vec![0.0; a * b + 1];
            if a == 0 || b == 0 {
                counts[0] = 1.0;
            } else {
                for (wins, count) in table[a - 1][b].iter().enumerate() {
                    counts[wins + b] += count;
                }
                for (wins, count) in table[a][b - 1].iter().enumerate() {
                    counts[wins] += count;
                }
            }
            table[a][b] = counts;
        }
    }
    std::mem::take(&mut table[n][m])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_against_three_differ_only_when_all_stand_above_all() {
        assert!((chance(&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0]) - 0.05).abs() < 1e-12);
        assert!((chance(&[3.5, 5.0, 6.0], &[1.0, 2.0, 4.0]) - 0.1).abs() < 1e-12);
        assert!((chance(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn more_runs_bear_an_exception() {
        // Of 252 orders of five and five, 4 have 23 wins or more: one with 25, one with 24, two with 23.
        let exception = chance(&[3.5, 6.0, 7.0, 8.0, 9.0], &[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert!((exception - 4.0 / 252.0).abs() < 1e-12, "{exception}");
    }

    #[test]
    fn ties_and_missing_values_are_no_evidence() {
        assert!((chance(&[2.0, 2.0, 2.0], &[2.0, 2.0, 2.0]) - 1.0).abs() < 1e-12);
        assert!((chance(&[], &[1.0]) - 1.0).abs() < 1e-12);
        assert!(chance(&[2.0, 2.0], &[1.0, 1.0]) > CHANCE_MAX, "two against two can't reach it");
    }

    #[test]
    fn orders_are_counted_in_full() {
        assert!((ways(3, 3).iter().sum::<f64>() - 20.0).abs() < 1e-9);
        assert!((ways(5, 4).iter().sum::<f64>() - 126.0).abs() < 1e-9);
    }
}
