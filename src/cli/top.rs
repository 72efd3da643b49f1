//! `jeday top`: what running servers do, again and again, on a terminal; once and as plain text anywhere else. Asks
//! servers only, never a database.

mod figures;
#[cfg(test)]
mod pages;
mod screen;
mod server;
mod view;

use super::{CliError, Context, Everything, SettingFlags, print, scrape};
use crate::config::{ListenAddress, Suggestions, values::duration};
use server::Server;
use std::{
    io::{self, IsTerminal},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};
use view::View;

const AFTER_HELP: &str = "\
Examples:
  jeday top                              The server of this machine
  jeday top 10.0.0.7:8081 10.0.0.8:8081  Several, by where they serve metrics
  jeday top --interval 5s                Less often
  jeday top --once                       As plain text, for a script

Keys: q quits, space holds the picture, tab or left and right choose a server,
s sorts the shards, up and down scroll.
Rates and times are those of the interval. Without a terminal it prints once, and
the exit status is 1 when a server does not answer.";

/// More often, a server would be asked for its metrics more than for anything else.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Who looks more seldom has forgotten the unit.
const INTERVAL_MAX: Duration = Duration::from_secs(3600);

/// Watch what running servers do, shard by shard
#[derive(Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Where servers serve their metrics; by default where the one of this machine does
    #[arg(value_name = "ADDRESS", value_parser = address)]
    addresses: Vec<ListenAddress>,

    /// Time between two looks
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    interval: Duration,

    /// Look twice, print what happened between, and end
    #[arg(long)]
    once: bool,

    /// Flags of single settings.
    #[command(flatten)]
    pub settings: SettingFlags<Everything>,
}

fn address(text: &str) -> Result<ListenAddress, String> {
    ListenAddress::parse(text).map_err(|error| error.to_string())
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration::parse(text).map_err(|error| error.to_string())?;
    match (INTERVAL_MIN..=INTERVAL_MAX).contains(&interval) {
        true => Ok(interval),
        false => Err("it must be from 100ms to 1h".to_owned()),
    }
}

/// Shows the servers until the user has seen enough.
///
/// # Errors
/// When there is no server to ask, or the terminal cannot be used.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let servers = servers(args, context)?;
    if args.once || !io::stdout().is_terminal() {
        return once(servers, args.interval);
    }
    screen::watch(servers, args.interval).map_err(|error| CliError::failed(&error))?;
    Ok(ExitCode::SUCCESS)
}

fn servers(args: &Args, context: &Context) -> Result<Vec<Server>, CliError> {
    if args.addresses.is_empty() {
        let (config, _) = context.settings(&args.settings.values, Suggestions::none())?;
        let address = scrape::configured(config.metrics.address.as_ref())?;
        return Ok(vec![Server::new(address.to_string(), address)]);
    }
    let server = |address: &ListenAddress| {
        let reachable = scrape::reachable(address)
            .map_err(|error| CliError::failure(format!("{address}: {}", super::error::plain(&error))))?;
        Ok(Server::new(address.to_string(), reachable))
    };
    args.addresses.iter().map(server).collect()
}

/// One picture of all servers, of as many lines as it takes.
fn once(mut servers: Vec<Server>, interval: Duration) -> Result<ExitCode, CliError> {
    look(&mut servers);
    thread::sleep(interval);
    look(&mut servers);
    let all_answer = servers.iter().all(Server::answers);
    let pictures: Vec<String> = (0..servers.len())
        .map(|selected| {
            let servers = &servers[selected..=selected];
            View { servers, interval, now: Instant::now(), ..View::default() }.text(view::COLUMNS_MIN)
        })
        .collect();
    print(&pictures.join("\n"))?;
    Ok(if all_answer { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks all of them at the same time: one that does not answer takes seconds.
fn look(servers: &mut [Server]) {
    thread::scope(|scope| {
        for server in servers {
            scope.spawn(|| server.take(scrape::Page::fetch(server.address()), Instant::now()));
        }
    });
}
