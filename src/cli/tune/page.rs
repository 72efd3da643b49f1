//! The report: one page that needs nothing else, with charts, the table of all points, the recommended profile and how
//! it was measured. Pure.

use super::{
    chart::{BLUE, Bars, Chart, GREEN, GREY, ORANGE, draw},
    results::{Figures, Results},
    statistics::Spread,
    verdict::Verdict,
};
use std::fmt::Write;

const TEMPLATE: &str = include_str!("page.html");

/// Pixels; the browser makes them fit.
const PICTURE: (u32, u32) = (1200, 1140);

type Figure = fn(&Figures) -> Option<f64>;

/// Columns of the table: heading, decimals, figure.
const COLUMNS: [(&str, usize, Figure); 11] = [
    ("requests/s", 0, |it| Some(it.requests_per_s)),
    ("p50, ms", 2, |it| Some(it.p50_ms)),
    ("p95, ms", 2, |it| Some(it.p95_ms)),
    ("p99, ms", 2, |it| Some(it.p99_ms)),
    ("CPU, us: server", 1, |it| Some(it.server_cpu_us)),
    ("hashing", 1, |it| Some(it.hashing_cpu_us)),
    ("database", 1, |it| it.database_cpu_us),
    ("generator", 1, |it| Some(it.generator_cpu_us)),
    ("batch", 1, |it| it.batch_users),
    ("WAL, bytes a user", 0, |it| it.wal_bytes_per_user),
    ("peak memory, MiB", 0, |it| Some(it.peak_memory_mib)),
];

/// The page as HTML.
pub(super) fn html(results: &Results, verdict: &Verdict, profile: &str) -> Result<String, String> {
    let said = verdict.sentences(results);
    let paragraphs = said.iter().map(|sentence| format!("<p>{}</p>\n", escaped(sentence))).collect::<String>();
    let title = format!("{}, {}", results.sweep.scenario, results.sweep.started);
    let parts = [
        ("title", escaped(&title)),
        ("verdict", paragraphs),
        ("table", table(results, verdict)),
        ("charts", charts(results)?),
        ("profile", escaped(profile)),
        ("method", method(results)),
        ("faults", faults(results)),
    ];
    // In one pass over the template: what is filled in may look like a mark itself.
    let mut page = String::new();
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("a mark of the template has no end")?;
        let (_, text) = parts.iter().find(|(part, _)| *part == name).ok_or("a mark of the template has no text")?;
        page.push_str(before);
        page.push_str(text);
        rest = after;
    }
    Ok(page + rest)
}

/// The table that a terminal gets: the most important columns of every point, the best first.
pub(super) fn summary(results: &Results, verdict: &Verdict) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{:<4}{:>26}{:>22}{:>20}  point", "", "requests/s", "p99 ms", "server CPU us");
    for point in &verdict.ranking {
        let shown = |figure: Figure, decimals| {
            results.spread(*point, figure).map_or_else(|| "-".to_owned(), |spread| spread.show(decimals))
        };
        let _ = writeln!(
            text,
            "{:<4}{:>26}{:>22}{:>20}  {}",
            point + 1,
            shown(|it| Some(it.requests_per_s), 0),
            shown(|it| Some(it.p99_ms), 1),
            shown(|it| Some(it.server_cpu_us), 1),
            results.sweep.points[*point].name
        );
    }
    text
}

fn table(results: &Results, verdict: &Verdict) -> String {
    let mut text = String::from("<table>\n<tr><th>#</th><th>point</th><th>runs</th><th>failed</th>");
    for (heading, ..) in COLUMNS {
        let _ = write!(text, "<th>{heading}</th>");
    }
    text.push_str("</tr>\n");
    for point in &verdict.ranking {
        let class = if verdict.best() == Some(*point) { " class=\"best\"" } else { "" };
        let name = escaped(&results.sweep.points[*point].name);
        let runs = results.figures(*point).count();
        let failed = results.figures(*point).map(|it| it.failed).sum::<u64>();
        let _ = write!(text, "<tr{class}><td>{}</td><td>{name}</td><td>{runs}</td><td>{failed}</td>", point + 1);
        for (_, decimals, figure) in COLUMNS {
            let shown = results.spread(*point, figure).map(|spread| spread.show(decimals));
            let _ = write!(text, "<td>{}</td>", shown.unwrap_or_else(|| "-".to_owned()));
        }
        text.push_str("</tr>\n");
    }
    text + "</table>\n"
}

fn charts(results: &Results) -> Result<String, String> {
    let points = results.sweep.points.len();
    let bars = |name, color, figure: Figure| Bars {
        name,
        color,
        values: (0..points).map(|point| results.spread(point, figure)).collect::<Vec<Option<Spread>>>(),
    };
    let chart = |title, bars| Chart {
        title,
        groups: (1..=points).map(|number| number.to_string()).collect(),
        below: "point",
        bars,
    };
    let charts = [
        chart("Requests a second", vec![bars("requests/s", BLUE, |it| Some(it.requests_per_s))]),
        chart(
            "Latency, ms",
            vec![
                bars("p50", BLUE, |it| Some(it.p50_ms)),
                bars("p95", ORANGE, |it| Some(it.p95_ms)),
                bars("p99", GREEN, |it| Some(it.p99_ms)),
            ],
        ),
        chart(
            "CPU for each request, us",
            vec![
                bars("server", BLUE, |it| Some(it.server_cpu_us)),
                bars("hashing", GREY, |it| Some(it.hashing_cpu_us)),
                bars("database", ORANGE, |it| it.database_cpu_us),
                bars("generator", GREEN, |it| Some(it.generator_cpu_us)),
            ],
        ),
        chart("Peak memory of the server, MiB", vec![bars("MiB", BLUE, |it| Some(it.peak_memory_mib))]),
        chart("Users in a batch", vec![bars("mean", BLUE, |it| it.batch_users)]),
        chart("WAL for each user, bytes", vec![bars("bytes", BLUE, |it| it.wal_bytes_per_user)]),
    ];
    draw("", PICTURE, (3, 2), &charts)
}

fn method(results: &Results) -> String {
    let sweep = &results.sweep;
    let load = match (sweep.rate, sweep.clients) {
        (Some(rate), Some(clients)) => format!("open model, {rate} iterations/s by at most {clients} virtual users"),
        (Some(rate), None) => format!("open model, {rate} iterations/s"),
        (None, Some(clients)) => format!("closed model, {clients} clients"),
        (None, None) => "closed model, clients as the scenario has them by itself".to_owned(),
    };
    let others = results.runs.iter().filter_map(|run| Some(run.figures.as_ref()?.others_cpu_share * 100.0));
    let others = Spread::of(others).map_or_else(|| "-".to_owned(), |spread| format!("{} %", spread.show(1)));
    let rows = [
        ("Machine", sweep.machine.clone()),
        ("Server", format!("jeday {}", sweep.version)),
        ("Database", sweep.postgresql.clone()),
        ("Load", format!("{} by {}, {load}", sweep.scenario, sweep.generator_version)),
        (
            "Runs",
            format!(
                "{} of each point, {} s after a warm-up of {} s, in an order shuffled with the seed {}",
                sweep.repeats, sweep.seconds, sweep.warm_up_seconds, sweep.seed
            ),
        ),
        ("Other work on the machine, share of the CPU time used", others),
    ];
    rows.iter()
        .fold(String::new(), |text, (name, value)| text + &format!("<dt>{name}</dt><dd>{}</dd>\n", escaped(value)))
}

fn faults(results: &Results) -> String {
    let faults = results.runs.iter().filter_map(|run| Some((run.point, run.fault.as_deref()?)));
    let items: String = faults.map(|(point, fault)| format!("<li>{}: {}</li>\n", point + 1, escaped(fault))).collect();
    if items.is_empty() { items } else { format!("<h2>Runs that failed</h2>\n<ul>\n{items}</ul>") }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::{results, run};
    use super::*;

    #[test]
    fn the_page_needs_nothing_else_and_shows_every_point() {
        let mut results = results(&[&[100.0, 110.0, 105.0], &[200.0, 190.0, 210.0]]);
        results.sweep.points[0].name = "<b>{{title}}".to_owned();
        results.add(run(0, 3, Err("no & room")));
        let verdict = Verdict::of(&results);
        let page = html(&results, &verdict, "[a]\nb = \"c\"\n").unwrap();
        assert!(page.contains("<td>&lt;b&gt;{{title}}</td>") && !page.contains("<b>"), "escaped, and filled in once");
        assert!(page.contains("105 (100-110)") && page.contains("200 (190-210)"), "{page}");
        assert!(page.contains("b = &quot;c&quot;") && page.contains("no &amp; room"));
        assert!(page.contains("<svg") && page.contains("shuffled with the seed 7"));
        for outside in ["<script", "src=", "href=\"http", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn the_best_point_is_the_first_of_the_summary() {
        let results = results(&[&[100.0, 110.0, 105.0], &[200.0, 190.0, 210.0]]);
        let summary = summary(&results, &Verdict::of(&results));
        let lines: Vec<_> = summary.lines().collect();
        assert!(lines[1].starts_with("2 ") && lines[1].ends_with("  b"), "{summary}");
        assert!(lines[2].contains("105 (100-110)"), "{summary}");
    }
}
