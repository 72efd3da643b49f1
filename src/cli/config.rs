//! `jeday config`: shows what is set and where it comes from. Never shows a secret.

use super::{CliError, Context, Everything, SettingFlags, placement, print};
use crate::config::{Provenance, settings};
use std::fmt::Write;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  jeday config                             Effective values, each with its source
  jeday config --config jeday.toml         Check a file before the server gets it
  jeday config --json | jq .server.address.value
  jeday config --defaults > jeday.toml     Every setting explained, to start from";

/// Show the effective settings and where each comes from
///
/// Secrets are masked. Every mistake in any source is reported; the exit status is then 2.
#[derive(Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Print JSON: {"section": {"name": {"value": ..., "source": "..."}}}
    #[arg(long, group = "form")]
    json: bool,

    /// Print a sample configuration file with every setting explained, and nothing else
    #[arg(long, group = "form")]
    defaults: bool,

    /// Print the reference of all settings as Markdown, and nothing else
    #[arg(long, group = "form")]
    markdown: bool,

    #[command(flatten)]
    settings: SettingFlags<Everything>,
}

/// Prints what the arguments ask for.
///
/// # Errors
/// The settings cannot be used, or standard output cannot be written.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    print(&text(args, context)?)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn text(args: &Args, context: &Context) -> Result<String, CliError> {
    if args.defaults {
        return Ok(settings::sample());
    }
    if args.markdown {
        return Ok(settings::markdown());
    }
    let provenance = placement::resolve(context, &args.settings.values)?.provenance;
    Ok(match args.json {
        true => format!("{:#}\n", provenance.to_json()),
        false => commented(&provenance),
    })
}

fn commented(provenance: &Provenance) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("# Effective settings of jeday {version}\n");
    for entry in provenance.without_effect() {
        let setting = entry.setting;
        let _ = writeln!(text, "# {} is set, but has no effect before version {}", setting.key, setting.since);
    }
    text + &provenance.to_toml()
}
