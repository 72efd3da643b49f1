//! `jeday status`: what a running server does now, from two looks at its metrics, or just whether it is ready. Asks the
//! server, never the database.

use super::{CliError, Context, Everything, SettingFlags, print};
use crate::config::{ListenAddress, Suggestions};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{Read, Write as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    process::ExitCode,
    time::{Duration, Instant},
};

const AFTER_HELP: &str = "\
Examples:
  jeday status                                 The server of this machine
  METRICS_ADDRESS=10.0.0.7:9090 jeday status   Another one
  jeday status --health                        Whether it is ready, in one line
  watch jeday status                           Again and again

The server is the one that listens on METRICS_ADDRESS. Rates are those of the
second in which the command looks.";

/// For the server to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between the two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// A page of metrics has some tens of kilobytes.
const PAGE_BYTES_MAX: u64 = 4 << 20;

/// Show what a running server does
#[derive(Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Say in one line whether the server is ready; the exit status is 1 when it is not
    #[arg(long)]
    pub health: bool,

    /// Flags of single settings.
    #[command(flatten)]
    pub settings: SettingFlags<Everything>,
}

/// Looks twice, and prints the difference.
///
/// # Errors
/// When no server answers there, or one that is not ready was asked whether it is.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let (config, _) = context.settings(&args.settings.values, Suggestions::none())?;
    let address = config.metrics.address.as_ref().ok_or_else(|| {
        CliError::failure("metrics are off here, so there is no server to ask").with_hint("set METRICS_ADDRESS")
    })?;
    let address = reachable(address).map_err(|error| CliError::failed(&error))?;
    if args.health {
        print(&health(address)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let first = Page::fetch(address)?;
    std::thread::sleep(INTERVAL);
    let second = Page::fetch(address)?;
    print(&render(&first, &second))?;
    Ok(ExitCode::SUCCESS)
}

/// Where a server that listens there can be reached from this machine.
fn reachable(address: &ListenAddress) -> std::io::Result<SocketAddr> {
    let mut found = address.resolve()?.into_iter();
    let mut socket = found.next().ok_or_else(|| std::io::Error::other("the address resolves to nothing"))?;
    if socket.ip().is_unspecified() {
        socket.set_ip(match socket {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(socket)
}

/// The samples of one page by their series.
struct Page {
    taken: Instant,
    samples: BTreeMap<String, f64>,
}

impl Page {
    fn fetch(address: SocketAddr) -> Result<Page, CliError> {
        let text = get(address, "/metrics")
            .and_then(|(status, text)| match status {
                OK => Ok(text),
                _ => Err(std::io::Error::other("what is there does not serve Jeday's metrics")),
            })
            .map_err(|error| unanswered(address, "/metrics", &error))?;
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            Some((series.to_owned(), value.parse().ok()?))
        });
        Ok(Page { taken: Instant::now(), samples: samples.collect() })
    }

    /// The series of a family, each with its labels as they are written.
    fn family<'p>(&'p self, name: &'p str) -> impl Iterator<Item = (&'p str, f64)> {
        self.samples.iter().filter_map(move |(series, value)| {
            let labels = series.strip_prefix(name)?;
            (labels.is_empty() || labels.starts_with('{')).then_some((labels, *value))
        })
    }

    fn sum(&self, name: &str) -> f64 {
        self.family(name).map(|(_, value)| value).sum()
    }

    fn has(&self, name: &str) -> bool {
        self.family(name).next().is_some()
    }
}

const OK: u16 = 200;

/// What the server says of itself, unless that is that it cannot serve.
fn health(address: SocketAddr) -> Result<String, CliError> {
    const PATH: &str = "/health/ready";
    let (status, body) = get(address, PATH).map_err(|error| unanswered(address, PATH, &error))?;
    match status {
        OK => Ok(format!("{}\n", body.trim_end())),
        _ => Err(CliError::failure(format!("the server is not ready ({status}): {}", body.trim_end()))),
    }
}

fn unanswered(address: SocketAddr, path: &str, error: &std::io::Error) -> CliError {
    CliError::failure(format!("no server answers at http://{address}{path}: {error}"))
        .with_hint("METRICS_ADDRESS says where it listens for its operator")
}

/// Status and body of the answer.
fn get(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut reply = String::new();
    stream.take(PAGE_BYTES_MAX).read_to_string(&mut reply)?;
    let answer = reply.split_once("\r\n\r\n").and_then(|(head, body)| {
        let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        Some((status, body.to_owned()))
    });
    answer.ok_or_else(|| std::io::Error::other("what is there does not speak HTTP/1.1"))
}

/// A label's value out of `{name="value",...}`.
fn label<'l>(labels: &'l str, name: &str) -> &'l str {
    let value = labels.split(['{', ',', '}']).find_map(|pair| pair.strip_prefix(name)?.strip_prefix("=\""));
    value.and_then(|value| value.strip_suffix('"')).unwrap_or("")
}

fn render(before: &Page, now: &Page) -> String {
    let seconds = (now.taken - before.taken).as_secs_f64();
    let rate = |name: &str| (now.sum(name) - before.sum(name)) / seconds;
    let mut out = String::new();
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "{name:<12}{text}");
    };
    if let Some((labels, _)) = now.family("jeday_build_info").next() {
        line("version", label(labels, "version").to_owned());
    }
    line(
        "requests",
        format!("{:.0}/s over {:.0} connections", rate("jeday_http_requests_total"), now.sum("jeday_connections_open")),
    );
    line("memory", format!("{:.0} MiB", now.sum("process_resident_memory_bytes") / f64::from(1 << 20)));
    if now.has("jeday_weak_passwords") {
        let (weak, age) = (now.sum("jeday_weak_passwords"), now.sum("jeday_weak_password_age_seconds"));
        line("weak", if weak == 0.0 { "none".to_owned() } else { format!("{weak:.0}, the oldest {age:.0} s old") });
    }
    line("hashes", format!("{:.1}/s", rate("jeday_password_hashes_total")));
    for (labels, busy) in now.family("jeday_password_busy_seconds_total") {
        let series = format!("jeday_password_busy_seconds_total{labels}");
        let busy = (busy - before.samples.get(&series).copied().unwrap_or(0.0)) / seconds;
        line(
            "",
            format!(
                "worker {} on CPU {} ({}): {:.0} % busy",
                label(labels, "worker"),
                label(labels, "cpu"),
                label(labels, "serves"),
                busy * 100.0
            ),
        );
    }
    let waiting = |queue: &str| {
        let series = format!("jeday_password_jobs_waiting{{queue=\"{queue}\"}}");
        now.samples.get(&series).copied().unwrap_or(0.0)
    };
    let since = |name: &str| now.sum(name) - before.sum(name);
    let (count, sum) = (since("jeday_password_wait_seconds_count"), since("jeday_password_wait_seconds_sum"));
    let wait = if count > 0.0 { format!(", which waited {:.0} ms each", sum / count * 1000.0) } else { String::new() };
    let (foreground, background) = (waiting("foreground"), waiting("background"));
    line("queue", format!("{foreground:.0} in the foreground{wait}, {background:.0} in the background"));
    out
}
