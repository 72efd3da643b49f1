//! The figures as a picture (SVG): medians as bars, ranges as whiskers. Shows nothing that the file does not hold.

use crate::{
    results::{LimitSample, Results, ServerSample},
    support::{
        Outcome,
        chart::{self, BLUE, Bars, Chart, GREEN, GREY, ORANGE},
        statistics::Spread,
    },
};

const SIZE: (u32, u32) = (1500, 900);

/// Draws everything that was measured under load.
pub(crate) fn draw(results: &Results) -> Outcome<String> {
    Ok(chart::draw(&results.facts.title("Registration"), SIZE, (2, 3), &charts(results))?)
}

fn charts(results: &Results) -> Vec<Chart> {
    let points = results.points();
    let at_points = |name, color, figure: fn(&ServerSample) -> Option<f64>| Bars {
        name,
        color,
        values: points.iter().map(|connections| results.spread(*connections, figure)).collect(),
    };
    let by_connections = |title, bars| Chart {
        title,
        groups: points.iter().map(ToString::to_string).collect(),
        below: "client connections",
        bars,
    };
    let mut sizes: Vec<usize> = results.limit.iter().map(|sample| sample.batch_users).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let at_sizes = |name, color, connections, figure: fn(&LimitSample) -> f64| Bars {
        name,
        color,
        values: (sizes.iter())
            .map(|size| {
                let samples = results.limit.iter();
                let samples = samples.filter(|it| it.batch_users == *size && it.connections == connections);
                Spread::of(samples.map(figure))
            })
            .collect(),
    };
    vec![
        by_connections(
            "users/s",
            vec![
                at_points("server", BLUE, |s| Some(s.users_per_s)),
                at_points("PostgreSQL alone, 1 connection", GREY, |s| Some(s.limit(1)?.users_per_s)),
                at_points("PostgreSQL alone, 2 connections", ORANGE, |s| Some(s.limit(2)?.users_per_s)),
            ],
        ),
        by_connections(
            "latency, ms",
            vec![
                at_points("p50", GREEN, |s| Some(s.wrk.p50_us as f64 / 1000.0)),
                at_points("p95", BLUE, |s| Some(s.wrk.p95_us as f64 / 1000.0)),
                at_points("p99", ORANGE, |s| Some(s.wrk.p99_us as f64 / 1000.0)),
            ],
        ),
        by_connections(
            "CPU, us per user",
            vec![
                at_points("server", BLUE, |s| Some(s.cpu.server_us)),
                at_points("PostgreSQL", ORANGE, |s| Some(s.cpu.postgresql_us)),
                at_points("PostgreSQL alone, 2 connections", GREY, |s| Some(s.limit(2)?.postgresql_us)),
                at_points("generator", GREEN, |s| Some(s.cpu.generator_us)),
            ],
        ),
        by_connections(
            "share of PostgreSQL's limit, same batches",
            vec![
                at_points("of 1 connection", GREY, |s| s.ratio(1)),
                at_points("of 2 connections", ORANGE, |s| s.ratio(2)),
            ],
        ),
        Chart {
            title: "PostgreSQL alone, users/s",
            groups: sizes.iter().map(ToString::to_string).collect(),
            below: "users in a batch",
            bars: vec![
                at_sizes("1 connection", GREY, 1, |s| s.users_per_s),
                at_sizes("2 connections", ORANGE, 2, |s| s.users_per_s),
            ],
        },
        by_connections(
            "resident memory of the server, MiB",
            vec![at_points("during the run", BLUE, |s| Some(s.resident_kib as f64 / 1024.0))],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::{results, sample};

    #[test]
    fn picture_shows_each_chart_that_has_figures() {
        let svg = draw(&results(vec![sample(1), sample(500)])).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(svg.contains("latency, ms") && svg.contains("client connections"));
        assert!(!svg.contains("users in a batch"), "nothing was measured by batch size");
    }

    #[test]
    fn nothing_measured_is_an_empty_picture() {
        assert!(!draw(&results(Vec::new())).unwrap().contains("latency"));
    }
}
