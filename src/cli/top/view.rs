//! The picture: what is known of the servers in, lines out, for a terminal of 80 columns and for plain text alike.
//! Decides nothing and asks nobody.

use super::{
    figures::{Figures, Quantiles, Shard, Worker},
    server::{Server, State},
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout},
    style::{Style, Stylize},
    text::{Line, Span},
    widgets::Paragraph,
};
use std::time::{Duration, Instant};

/// The narrowest terminal that everything fits into.
pub(super) const COLUMNS_MIN: u16 = 80;

/// A CPU that is busier has nothing left for a burst.
const BUSY_NEARLY_FULL: f64 = 0.9;

/// Longer bars tell nothing more.
const BAR_COLUMNS_MAX: usize = 40;

/// In which order shards are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Number,
    Requests,
    Latency,
    Busy,
}

impl Sort {
    pub(super) fn next(self) -> Sort {
        match self {
            Sort::Number => Sort::Requests,
            Sort::Requests => Sort::Latency,
            Sort::Latency => Sort::Busy,
            Sort::Busy => Sort::Number,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Sort::Number => "number",
            Sort::Requests => "requests",
            Sort::Latency => "p99",
            Sort::Busy => "CPU",
        }
    }

    /// The largest first, but for the number.
    fn apply(self, shards: &mut [&Shard]) {
        let key = |shard: &Shard| match self {
            Sort::Number => 0.0,
            Sort::Requests => shard.requests_per_s,
            Sort::Latency => shard.latency.map_or(0.0, |latency| latency.p99_s),
            Sort::Busy => shard.busy.unwrap_or(0.0),
        };
        // Stable: equals stay by their numbers, so that lines do not jump.
        shards.sort_by(|a, b| key(b).total_cmp(&key(a)));
    }
}

/// Everything that the picture shows.
pub(super) struct View<'v> {
    pub(super) servers: &'v [Server],
    pub(super) selected: usize,
    pub(super) sort: Sort,
    pub(super) paused: bool,
    pub(super) scrolled: u16,
    pub(super) interval: Duration,
    pub(super) now: Instant,
}

impl Default for View<'_> {
    fn default() -> Self {
        let now = Instant::now();
        View {
            servers: &[],
            selected: 0,
            sort: Sort::Number,
            paused: false,
            scrolled: 0,
            interval: Duration::ZERO,
            now,
        }
    }
}

impl View<'_> {
    /// Draws it over the whole terminal, and says how far it can be scrolled.
    pub(super) fn draw(&self, frame: &mut Frame<'_>) -> u16 {
        let [body, foot] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
        let lines = self.lines(usize::from(frame.area().width));
        let beyond = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(body.height);
        frame.render_widget(Paragraph::new(lines).scroll((self.scrolled.min(beyond), 0)), body);
        frame.render_widget(self.foot(), foot);
        beyond
    }

    /// The same as plain text.
    pub(super) fn text(&self, columns: u16) -> String {
        self.lines(columns.into()).iter().map(|line| format!("{}\n", line.to_string().trim_end())).collect()
    }

    fn foot(&self) -> Line<'static> {
        let pause = if self.paused { "space go on" } else { "space hold" };
        let mut keys = format!("q quit   {pause}   s sort by {}", self.sort.next().name());
        if self.servers.len() > 1 {
            keys.push_str("   tab next server");
        }
        keys.push_str("   up/down scroll");
        Line::from(keys).dim()
    }

    fn lines(&self, columns: usize) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        if self.servers.len() > 1 {
            lines.push(Line::from(SERVERS).bold());
            lines.extend(self.servers.iter().enumerate().map(|(number, server)| self.overview(number, server)));
            lines.push(Line::default());
        }
        let Some(server) = self.servers.get(self.selected) else { return lines };
        lines.push(self.title(server, columns));
        match server.state() {
            State::Waiting => lines.push(Line::from("the next look will tell what it does")),
            State::Down { since, reason } => lines.push(self.down(*since, reason)),
            State::Up(figures) => {
                lines.extend(summary(figures));
                self.shards(figures, columns, &mut lines);
                workers(figures, columns, &mut lines);
            }
        }
        lines
    }

    /// Which server this is, and how it is looked at.
    fn title(&self, server: &Server, columns: usize) -> Line<'static> {
        let version = match server.state() {
            State::Up(figures) => format!("  {}", figures.version),
            _ => String::new(),
        };
        let how = if self.paused { "held".to_owned() } else { format!("every {:?}", self.interval) };
        let room = columns.saturating_sub(server.name().len() + version.len());
        Line::from(vec![Span::from(server.name().to_owned()).bold(), format!("{version}{how:>room$}").into()])
    }

    fn down(&self, since: Instant, reason: &str) -> Line<'static> {
        let seconds = self.now.saturating_duration_since(since).as_secs();
        Line::from(format!("does not answer for {seconds} s: {reason}")).red()
    }

    /// One line among several servers.
    fn overview(&self, number: usize, server: &Server) -> Line<'static> {
        let mark = if number == self.selected { ">" } else { " " };
        let name = format!("{mark}{:<23.23} ", server.name());
        let mut line = match server.state() {
            State::Waiting => Line::from(format!("{name}waiting for the next look")),
            State::Down { since, reason } => {
                let mut line = self.down(*since, reason);
                line.spans.insert(0, name.into());
                line
            }
            State::Up(figures) => Line::from(format!(
                "{name}{:>8.0} {} {:>6.0} {:>6.0} {:>5.1} {:>7}",
                figures.requests_per_s,
                quantile_columns(figures.latency),
                figures.queue,
                figures.connections,
                figures.cpus,
                figures.backlog.map_or_else(|| "-".to_owned(), |backlog| format!("{:.0}", backlog.records)),
            )),
        };
        if number == self.selected {
            line = line.patch_style(Style::new().bold());
        }
        line
    }

    fn shards(&self, figures: &Figures, columns: usize, lines: &mut Vec<Line<'static>>) {
        if figures.shards.is_empty() {
            return;
        }
        lines.push(Line::default());
        lines.push(Line::from(SHARDS).bold());
        let mut shards: Vec<&Shard> = figures.shards.iter().collect();
        self.sort.apply(&mut shards);
        for shard in shards {
            let start = format!(
                "{:>5} {:>9.0} {} {:>7} {:>7.0} {:>7.0} {:>8} ",
                shard.number,
                shard.requests_per_s,
                quantile_columns(shard.latency),
                or_dash(shard.batch, |items| format!("{items:.1}")),
                shard.queue,
                shard.connections,
                or_dash(shard.commit_s, time),
            );
            lines.push(with_bar(start, shard.busy, columns));
        }
    }
}

const SERVERS: &str = " server                     req/s      p50      p99  queue  conns  CPUs    weak";
const SHARDS: &str = "shard     req/s      p50      p99   batch   queue   conns   commit   CPU";
const WORKERS: &str = "worker  CPU serves       hashes/s     each                           busy";

fn workers(figures: &Figures, columns: usize, lines: &mut Vec<Line<'static>>) {
    if figures.workers.is_empty() {
        return;
    }
    lines.push(Line::default());
    lines.push(Line::from(WORKERS).bold());
    for Worker { number, cpu, serves, hashes_per_s, hash_s, busy } in &figures.workers {
        let each = or_dash(*hash_s, time);
        let start = format!("{number:>6} {cpu:>4} {serves:<11} {hashes_per_s:>9.1} {each:>8} {:25}", "");
        lines.push(with_bar(start, Some(*busy), columns));
    }
}

/// The server as a whole.
fn summary(figures: &Figures) -> Vec<Line<'static>> {
    let named = |name: &str, text: String| Line::from(format!("{name:<12}{text}"));
    let mut requests = named("requests", format!("{:.0}/s  {} ", figures.requests_per_s, quantiles(figures.latency)));
    for (digit, rate) in figures.classes_per_s {
        let span = Span::from(format!("  {digit}xx {rate:.0}"));
        requests.push_span(if digit == '5' && rate > 0.0 { span.red() } else { span });
    }
    let batch = or_dash(figures.batch, |items| format!("{items:.1}"));
    let [foreground, background] = figures.passwords_waiting;
    let weak = match figures.backlog {
        None => "this server does not look after them".to_owned(),
        Some(backlog) if backlog.records == 0.0 => "none".to_owned(),
        Some(backlog) => format!("{:.0}, the oldest {} old", backlog.records, age(backlog.oldest_s)),
    };
    vec![
        requests,
        named("database", format!("commit {}  batch {batch}  queue {:.0}", quantiles(figures.commit), figures.queue)),
        named(
            "passwords",
            format!(
                "{:.1} hashes/s  wait {}  waiting {foreground:.0} + {background:.0}",
                figures.hashes_per_s,
                quantiles(figures.password_wait)
            ),
        ),
        named("weak", weak),
        named(
            "process",
            format!(
                "{:.0} clients  {:.0} connections to the database  {:.2} CPUs  {:.0} MiB",
                figures.connections,
                figures.database_connections,
                figures.cpus,
                figures.memory_bytes / f64::from(1 << 20)
            ),
        ),
    ]
}

/// A share of a CPU at the end of a line, and what room there is as a bar.
fn with_bar(start: String, busy: Option<f64>, columns: usize) -> Line<'static> {
    let Some(busy) = busy else { return Line::from(start + "    -") };
    let figure = format!("{:>3.0} % ", busy * 100.0);
    let room = columns.saturating_sub(start.len() + figure.len()).min(BAR_COLUMNS_MAX);
    // At most the room, and not negative.
    let bar = Span::from("|".repeat((busy.clamp(0.0, 1.0) * room as f64).round() as usize));
    let bar = if busy > BUSY_NEARLY_FULL { bar.yellow() } else { bar.green() };
    Line::from(vec![Span::from(start), Span::from(figure), bar])
}

fn or_dash(value: Option<f64>, write: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), write)
}

/// In two columns.
fn quantile_columns(quantiles: Option<Quantiles>) -> String {
    let part = |part: fn(Quantiles) -> f64| or_dash(quantiles.map(part), time);
    format!("{:>8} {:>8}", part(|of| of.p50_s), part(|of| of.p99_s))
}

/// In a sentence.
fn quantiles(quantiles: Option<Quantiles>) -> String {
    match quantiles {
        Some(Quantiles { p50_s, p99_s }) => format!("p50 {} p99 {}", time(p50_s), time(p99_s)),
        None => "-".to_owned(),
    }
}

/// A time of three digits or so, in at most 8 columns.
fn time(seconds: f64) -> String {
    let us = seconds * 1e6;
    if us < 999.5 {
        format!("{us:.0} us")
    } else if us < 99_950.0 {
        format!("{:.1} ms", us / 1e3)
    } else if us < 999_500.0 {
        format!("{:.0} ms", us / 1e3)
    } else {
        format!("{seconds:.1} s")
    }
}

/// An age as people count it.
fn age(seconds: f64) -> String {
    match seconds {
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.0} h", seconds / 3600.0),
        _ => format!("{:.0} d", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests;
