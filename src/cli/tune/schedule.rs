//! In which order points are measured, what of it is left, and how long that takes. Pure.

use super::statistics::Shuffler;
use std::time::Duration;

/// What a run takes beside warm-up and measurement, until one has shown it: a database, a server, and the end of both.
const OVERHEAD_GUESSED: Duration = Duration::from_secs(3);

/// One measurement of one point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Which point, from 0.
    pub(super) point: usize,
    /// Which of its measurements, from 0.
    pub(super) repeat: u32,
}

/// Every point once, shuffled, then every point once more: what changes on the machine meanwhile meets all of them, and
/// a sweep that is cut short has measured all about as often.
pub(super) fn steps(points: usize, repeats: u32, seed: u64) -> Vec<Step> {
    let mut shuffler = Shuffler::new(seed);
    let mut all = Vec::new();
    for repeat in 0..repeats {
        let mut pass: Vec<Step> = (0..points).map(|point| Step { point, repeat }).collect();
        shuffler.shuffle(&mut pass);
        all.extend(pass);
    }
    all
}

/// How long the steps that are left take: as long as the mean of those since the start, else as planned.
pub(super) fn time_left(left: usize, done: usize, since: Duration, planned: Duration) -> Duration {
    let each = match u32::try_from(done) {
        Ok(done @ 1..) => since / done,
        _ => planned + OVERHEAD_GUESSED,
    };
    each.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX))
}

/// `2 h 05 min`, `4 min 30 s` or `12 s`.
pub(super) fn shown(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pass_measures_every_point_once_in_an_order_of_its_own() {
        let order = steps(6, 3, 42);
        assert_eq!(order, steps(6, 3, 42), "a seed gives the same order again");
        assert_ne!(order, steps(6, 3, 43));
        let points = |pass: &[Step]| pass.iter().map(|step| step.point).collect::<Vec<_>>();
        let passes: Vec<_> = order.chunks(6).map(points).collect();
        assert_ne!(passes[0], passes[1]);
        for (repeat, (pass, steps)) in (0..).zip(passes.iter().zip(order.chunks(6))) {
            let mut sorted = pass.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4, 5]);
            assert!(steps.iter().all(|step| step.repeat == repeat));
        }
    }

    #[test]
    fn time_left_is_planned_first_and_then_seen() {
        let planned = Duration::from_secs(12);
        assert_eq!(time_left(18, 0, Duration::ZERO, planned), Duration::from_secs(18 * 15));
        assert_eq!(time_left(16, 2, Duration::from_secs(28), planned), Duration::from_secs(16 * 14));
        assert_eq!(time_left(0, 18, Duration::from_secs(300), planned), Duration::ZERO);
    }

    #[test]
    fn times_are_told_as_people_tell_them() {
        let shown = [12, 59, 60, 270, 7_500].map(|seconds| shown(Duration::from_secs(seconds)));
        assert_eq!(shown, ["12 s", "59 s", "1 min 00 s", "4 min 30 s", "2 h 05 min"]);
    }
}
