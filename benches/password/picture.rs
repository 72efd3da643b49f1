//! The figures as a picture. Shows nothing that the file does not hold.

use crate::{
    results::{Results, Run},
    support::{
        Outcome,
        chart::{self, BLUE, Bars, Chart, GREEN, GREY, ORANGE},
    },
};

const SIZE: (u32, u32) = (1500, 900);

/// Draws everything that was measured.
pub(crate) fn draw(results: &Results) -> Outcome<String> {
    Ok(chart::draw(&results.facts.title("Passwords and sessions"), SIZE, (2, 3), &charts(results))?)
}

type Figure = fn(&Run) -> Option<f64>;

fn charts(results: &Results) -> Vec<Chart> {
    let bars = |name, color, figures: &[Figure]| Bars {
        name,
        color,
        values: figures.iter().map(|figure| results.spread(figure)).collect(),
    };
    let groups = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    vec![
        Chart {
            title: "hashes/s",
            groups: groups(&["drain", "login, 64 connections"]),
            below: "",
            bars: vec![
                bars(
                    "password cores with nothing else to do",
                    GREY,
                    &[
                        |run| run.drain.as_ref().map(|it| it.raw.alone_per_s * it.cores as f64),
                        |run| run.login.as_ref().map(|it| it.raw.alone_per_s * it.cores as f64),
                    ],
                ),
                bars(
                    "server",
                    BLUE,
                    &[|run| Some(run.drain.as_ref()?.rows_per_s), |run| Some(run.login.as_ref()?.per_s())],
                ),
            ],
        },
        Chart {
            title: "registrations/s, 500 connections",
            groups: groups(&["off", "on"]),
            below: "hardening in the background",
            bars: vec![bars(
                "server",
                BLUE,
                &[
                    |run| Some(run.registration.as_ref()?.off.wrk.created_per_s()),
                    |run| Some(run.registration.as_ref()?.on.wrk.created_per_s()),
                ],
            )],
        },
        Chart {
            title: "latency of registration, ms",
            groups: groups(&["off", "on"]),
            below: "hardening in the background",
            bars: vec![
                bars(
                    "p50",
                    GREEN,
                    &[
                        |run| ms(run.registration.as_ref()?.off.wrk.p50_us),
                        |run| ms(run.registration.as_ref()?.on.wrk.p50_us),
                    ],
                ),
                bars(
                    "p99",
                    ORANGE,
                    &[
                        |run| ms(run.registration.as_ref()?.off.wrk.p99_us),
                        |run| ms(run.registration.as_ref()?.on.wrk.p99_us),
                    ],
                ),
            ],
        },
        Chart {
            title: "requests/s, 64 connections",
            groups: groups(&["health", "me", "refresh"]),
            below: "",
            bars: vec![bars(
                "server",
                BLUE,
                &[
                    |run| Some(run.serving.as_ref()?.health.ok()?.per_s),
                    |run| Some(run.serving.as_ref()?.me.ok()?.per_s),
                    |run| Some(run.serving.as_ref()?.refresh.ok()?.per_s),
                ],
            )],
        },
        Chart {
            title: "latency, 1 connection, ms",
            groups: groups(&["me", "refresh"]),
            below: "",
            bars: vec![
                bars(
                    "p50",
                    GREEN,
                    &[
                        |run| ms(run.serving.as_ref()?.me_alone.ok()?.p50_us),
                        |run| ms(run.serving.as_ref()?.refresh_alone.ok()?.p50_us),
                    ],
                ),
                bars(
                    "p99",
                    ORANGE,
                    &[
                        |run| ms(run.serving.as_ref()?.me_alone.ok()?.p99_us),
                        |run| ms(run.serving.as_ref()?.refresh_alone.ok()?.p99_us),
                    ],
                ),
            ],
        },
        Chart {
            title: "p99 while 500 connections guess passwords, ms",
            groups: groups(&["me", "refresh"]),
            below: "",
            bars: vec![
                bars(
                    "guesses unlimited",
                    ORANGE,
                    &[
                        |run| ms(run.guessing(false)?.me.ok()?.p99_us),
                        |run| ms(run.guessing(false)?.refresh.ok()?.p99_us),
                    ],
                ),
                bars(
                    "guesses limited",
                    BLUE,
                    &[
                        |run| ms(run.guessing(true)?.me.ok()?.p99_us),
                        |run| ms(run.guessing(true)?.refresh.ok()?.p99_us),
                    ],
                ),
            ],
        },
    ]
}

fn ms(us: u64) -> Option<f64> {
    Some(us as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::{results, run};

    #[test]
    fn picture_shows_each_chart_that_has_figures() {
        let svg = draw(&results(vec![run()])).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("guess passwords") && svg.contains("refresh"));
        let drained = Run { drain: run().drain, ..Run::default() };
        assert!(!draw(&results(vec![drained])).unwrap().contains("guess passwords"));
    }
}
