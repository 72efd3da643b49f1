//! `jeday man`: manual pages made from the command line and the table of settings.

use super::error::plain;
use super::output::print_bytes;
use super::{CliError, command};
use crate::config::settings::{Fallback, SETTINGS, Setting};
use clap::{Command, ValueHint};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  jeday man | man -l -                       Read it
  jeday man config | man -l -                Read a subcommand's page
  jeday man --directory ~/.local/share/man/man1";

/// Print a manual page
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The page of this subcommand (such as config), instead of jeday's own
    subcommand: Vec<String>,

    /// Write all pages into this directory instead
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "subcommand")]
    directory: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, CliError> {
    let root = built();
    match &args.directory {
        Some(directory) => {
            std::fs::create_dir_all(directory).map_err(|error| cannot_write(directory, &error))?;
            write_all(&root, directory)?;
        }
        None => {
            let page = page(chosen(&root, &args.subcommand)?)?;
            print_bytes(&page)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The subcommand `help` has no page: it would repeat all the others.
pub(super) fn built() -> Command {
    let mut root = command().disable_help_subcommand(true);
    root.build();
    root
}

fn chosen<'a>(root: &'a Command, names: &[String]) -> Result<&'a Command, CliError> {
    names.iter().try_fold(root, |command, name| {
        command.find_subcommand(name).ok_or_else(|| {
            let known: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
            let refusal = CliError::usage(format!("there is no page for the subcommand {name:?}"));
            match known.is_empty() {
                true => refusal,
                false => refusal.with_hint(format!("there are {}", known.join(", "))),
            }
        })
    })
}

fn write_all(command: &Command, directory: &std::path::Path) -> Result<(), CliError> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = directory.join(format!("{name}.1"));
    std::fs::write(&path, page(command)?).map_err(|error| cannot_write(&path, &error))?;
    command.get_subcommands().try_for_each(|subcommand| write_all(subcommand, directory))
}

fn cannot_write(path: &std::path::Path, error: &io::Error) -> CliError {
    CliError::failure(format!("{} cannot be written: {}", path.display(), plain(error)))
}

pub(super) fn page(command: &Command) -> io::Result<Vec<u8>> {
    let version = env!("CARGO_PKG_VERSION");
    let man = Man::new(command.clone())
        .source(format!("jeday {version}"))
        // No date, so that a build repeats byte for byte; an empty one would let the next field take its place.
        .date(" ")
        .manual("Jeday");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut rest = Roff::default();
    if let Some(text) = command.get_after_help() {
        sections(&mut rest, &text.to_string());
    }
    if command.get_name() == "jeday" {
        environment(&mut rest);
    }
    rest.to_writer(&mut page)?;
    Ok(page)
}

/// Help that follows the options: a line that ends with a colon and is not indented opens a section, indented lines are
/// kept as they stand.
fn sections(roff: &mut Roff, text: &str) {
    let mut verbatim = false;
    for line in text.lines() {
        let indented = line.starts_with(' ');
        if verbatim && !indented {
            roff.control("fi", []);
        }
        if indented && !verbatim {
            roff.control("nf", []);
        }
        verbatim = indented;
        match line.strip_suffix(':') {
            Some(title) if !indented => {
                roff.control("SH", [title.to_uppercase().as_str()]);
            }
            _ if line.is_empty() => {
                roff.control("PP", []);
            }
            _ => {
                roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
            }
        }
    }
    if verbatim {
        roff.control("fi", []);
    }
}

/// Every setting by its environment variables.
fn environment(roff: &mut Roff) {
    roff.control("SH", ["ENVIRONMENT"]);
    roff.text([roman(
        "Each setting is named by JEDAY_SECTION_KEY, by the other names given here, and by its key in a configuration file.",
    )]);
    for setting in SETTINGS {
        roff.control("TP", []);
        let mut names = vec![bold(setting.own_variable())];
        for name in setting.variables {
            names.extend([roman(", "), bold(*name)]);
        }
        roff.text(names);
        roff.text([roman(description(setting))]);
    }
}

fn description(setting: &Setting) -> String {
    let mut text = format!("{}: {} Accepted: {}.", setting.key, setting.help, setting.accepts());
    if let Fallback::Value(default) = setting.default {
        text.push_str(&format!(" Default: {default}."));
    }
    if !setting.has_effect() {
        text.push_str(&format!(" In effect from version {} on.", setting.since));
    }
    text
}
