//! `jeday status`: what a running server does now, from two looks at its metrics, or just whether it is ready. Asks the
//! server, never the database.

use super::{
    CliError, Context, Everything, SettingFlags, print,
    scrape::{self, METRICS, OK, Page, get, label},
};
use crate::config::Suggestions;
use std::{fmt::Write as _, net::SocketAddr, process::ExitCode, time::Duration};

const AFTER_HELP: &str = "\
Examples:
  jeday status                                 The server of this machine
  METRICS_ADDRESS=10.0.0.7:9090 jeday status   Another one
  jeday status --health                        Whether it is ready, in one line
  watch jeday status                           Again and again

The server is the one that listens on METRICS_ADDRESS. Rates are those of the
second in which the command looks.";

/// Between the two looks.
const INTERVAL: Duration = Duration::from_secs(1);

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
    let address = scrape::configured(config.metrics.address.as_ref())?;
    if args.health {
        print(&health(address)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let fetch = || Page::fetch(address).map_err(|error| unanswered(address, METRICS, &error));
    let first = fetch()?;
    std::thread::sleep(INTERVAL);
    let second = fetch()?;
    print(&render(&first, &second))?;
    Ok(ExitCode::SUCCESS)
}

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

fn render(before: &Page, now: &Page) -> String {
    let seconds = now.seconds_since(before);
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
        let busy = (busy - before.value(&series)) / seconds;
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
    let (stuck, replaced) = (now.sum("jeday_password_cores_stuck"), now.sum("jeday_password_cores_replaced_total"));
    if stuck + replaced > 0.0 {
        line("", format!("stuck in a hash: {stuck:.0}, and {replaced:.0} replaced"));
    }
    let waiting = |queue: &str| {
        let series = format!("jeday_password_jobs_waiting{{queue=\"{queue}\"}}");
        now.value(&series)
    };
    let since = |name: &str| now.sum(name) - before.sum(name);
    let (count, sum) = (since("jeday_password_wait_seconds_count"), since("jeday_password_wait_seconds_sum"));
    let wait = if count > 0.0 { format!(", which waited {:.0} ms each", sum / count * 1000.0) } else { String::new() };
    let (foreground, background) = (waiting("foreground"), waiting("background"));
    line("queue", format!("{foreground:.0} in the foreground{wait}, {background:.0} in the background"));
    out
}
