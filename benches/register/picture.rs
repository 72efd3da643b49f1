//! The figures as a picture (SVG): medians as bars, ranges as whiskers. Shows nothing that the file does not hold.

use crate::{
    results::{LimitSample, Results, ServerSample},
    statistics::Spread,
};
use plotters::{
    coord::Shift,
    prelude::{
        ChartBuilder, Color, DrawingArea, IntoDrawingArea, IntoFont, PathElement, RGBColor, Rectangle, SVGBackend,
        SeriesLabelPosition,
    },
};
use std::{error::Error, io};

const SIZE: (u32, u32) = (1500, 900);
const FONT: &str = "sans-serif";

// Told apart by people who see fewer colours, too (Okabe and Ito).
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const GREY: RGBColor = RGBColor(150, 150, 150);
const BLACK: RGBColor = RGBColor(0, 0, 0);
const WHITE: RGBColor = RGBColor(255, 255, 255);

/// The share of a group's width that its bars take.
const FILLED: f64 = 0.8;
/// Half the width of a whisker's end, in groups.
const WHISKER: f64 = 0.03;
/// Room for the legend above the highest bar.
const HEADROOM: f64 = 1.4;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failure = plotters::drawing::DrawingAreaErrorKind<io::Error>;

/// A chart of groups of bars.
struct Chart {
    title: &'static str,
    groups: Vec<String>,
    below: &'static str,
    bars: Vec<Bars>,
}

/// Bars of one colour, one in each group.
struct Bars {
    name: &'static str,
    color: RGBColor,
    values: Vec<Option<Spread>>,
}

/// Draws everything that was measured under load.
pub(crate) fn draw(results: &Results) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut svg = String::new();
    paint(results, &mut svg).map_err(|error| error.to_string())?;
    Ok(svg)
}

fn paint(results: &Results, svg: &mut String) -> Result<(), Failure> {
    let facts = &results.facts;
    let title = format!(
        "Registration, jeday {} ({}), {} with {} cores, PostgreSQL {}",
        facts.commit, facts.date, facts.cpu, facts.cores, facts.postgresql
    );
    let canvas = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    canvas.fill(&WHITE)?;
    let panels = canvas.titled(&title, (FONT, 20))?.split_evenly((2, 3));
    for (panel, chart) in panels.iter().zip(charts(results)) {
        chart.draw(panel)?;
    }
    canvas.present()
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

impl Chart {
    fn highest(&self) -> Option<f64> {
        let values = self.bars.iter().flat_map(|bars| &bars.values).flatten();
        values.map(|spread| spread.max).max_by(f64::total_cmp).filter(|highest| highest.is_finite() && *highest > 0.0)
    }

    /// Leaves the panel empty when nothing was measured.
    fn draw(&self, panel: &Area<'_>) -> Result<(), Failure> {
        let Some(highest) = self.highest() else { return Ok(()) };
        let groups = self.groups.len();
        let mut chart = ChartBuilder::on(panel)
            .caption(self.title, (FONT, 17))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(64)
            .build_cartesian_2d(-0.5..groups as f64 - 0.5, 0.0..highest * HEADROOM)?;
        // Groups stand at whole numbers, between which the axis has no names.
        let name = |x: &f64| match (0..groups).find(|group| (*group as f64 - x).abs() < 1e-6) {
            Some(group) => self.groups[group].clone(),
            None => String::new(),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE)
            .x_labels(2 * groups)
            .x_label_formatter(&name)
            .y_label_formatter(&|y| compact(*y))
            .x_desc(self.below)
            .label_style((FONT, 13))
            .axis_desc_style((FONT, 14))
            .draw()?;
        let width = FILLED / self.bars.len() as f64;
        for (number, bars) in self.bars.iter().enumerate() {
            let left = |group: usize| group as f64 - FILLED / 2.0 + number as f64 * width;
            let present = || bars.values.iter().enumerate().filter_map(|(group, value)| Some((group, (*value)?)));
            let color = bars.color;
            let filled = present().map(|(group, spread)| {
                let corners = [(left(group), 0.0), (left(group) + 0.9 * width, spread.median)];
                Rectangle::new(corners, color.filled())
            });
            chart
                .draw_series(filled)?
                .label(bars.name)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], color.filled()));
            let whiskers = present().flat_map(|(group, Spread { min, max, .. })| {
                let middle = left(group) + 0.45 * width;
                let cap = |y| PathElement::new([(middle - WHISKER, y), (middle + WHISKER, y)], BLACK);
                [PathElement::new([(middle, min), (middle, max)], BLACK), cap(min), cap(max)]
            });
            chart.draw_series(whiskers)?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .label_font((FONT, 13).into_font())
            .draw()
    }
}

/// A number on an axis.
fn compact(number: f64) -> String {
    match number {
        0.0 => "0".to_owned(),
        number if number >= 10_000.0 => format!("{:.0}k", number / 1000.0),
        number if number >= 10.0 => format!("{number:.0}"),
        number => format!("{number:.1}"),
    }
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

    #[test]
    fn axis_is_numbered_in_few_digits() {
        assert_eq!([0.0, 0.45, 12.4, 9_000.0, 125_000.0].map(compact), ["0", "0.5", "12", "9000", "125k"]);
    }
}
