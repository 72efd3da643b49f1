//! Charts as a picture (SVG): medians as bars, ranges as whiskers. Knows nothing of what they show.

use super::statistics::Spread;
use plotters::{
    coord::Shift,
    prelude::{
        ChartBuilder, Color, DrawingArea, IntoDrawingArea, IntoFont, PathElement, RGBColor, Rectangle, SVGBackend,
        SeriesLabelPosition,
    },
};
use std::io;

const FONT: &str = "sans-serif";

// Told apart by people who see fewer colours, too (Okabe and Ito).
pub(crate) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(crate) const ORANGE: RGBColor = RGBColor(230, 159, 0);
pub(crate) const GREEN: RGBColor = RGBColor(0, 158, 115);
pub(crate) const GREY: RGBColor = RGBColor(150, 150, 150);
const BLACK: RGBColor = RGBColor(0, 0, 0);
const WHITE: RGBColor = RGBColor(255, 255, 255);

/// The share of a group's width that its bars take.
const FILLED: f64 = 0.8;
/// Half the width of a whisker's end, in groups.
const WHISKER: f64 = 0.03;
/// Room above the highest whisker, and for each line of the legend, as shares of it.
const HEADROOM: f64 = 1.15;
const LEGEND_LINE: f64 = 0.11;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failure = plotters::drawing::DrawingAreaErrorKind<io::Error>;

/// A chart of groups of bars.
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    pub(crate) groups: Vec<String>,
    pub(crate) below: &'static str,
    pub(crate) bars: Vec<Bars>,
}

/// Bars of one colour, one in each group.
pub(crate) struct Bars {
    pub(crate) name: &'static str,
    pub(crate) color: RGBColor,
    pub(crate) values: Vec<Option<Spread>>,
}

/// Draws charts into `panels` rows and columns, in order.
pub(crate) fn draw(title: &str, size: (u32, u32), panels: (usize, usize), charts: &[Chart]) -> Result<String, String> {
    let mut svg = String::new();
    paint(title, size, panels, charts, &mut svg).map_err(|error| error.to_string())?;
    Ok(svg)
}

fn paint(
    title: &str,
    size: (u32, u32),
    panels: (usize, usize),
    charts: &[Chart],
    svg: &mut String,
) -> Result<(), Failure> {
    let canvas = SVGBackend::with_string(svg, size).into_drawing_area();
    canvas.fill(&WHITE)?;
    let panels = canvas.titled(title, (FONT, 20))?.split_evenly(panels);
    for (panel, chart) in panels.iter().zip(charts) {
        chart.draw(panel)?;
    }
    canvas.present()
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
        let top = highest * (HEADROOM + LEGEND_LINE * self.bars.len() as f64);
        let mut chart = ChartBuilder::on(panel)
            .caption(self.title, (FONT, 17))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(64)
            .build_cartesian_2d(-0.5..groups as f64 - 0.5, 0.0..top)?;
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

    #[test]
    fn axis_is_numbered_in_few_digits() {
        assert_eq!([0.0, 0.45, 12.4, 9_000.0, 125_000.0].map(compact), ["0", "0.5", "12", "9000", "125k"]);
    }
}
