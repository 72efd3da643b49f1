//! Flags of single settings, made from the table of settings. Never a flag, default or help text of its own.

use crate::config::CliValues;
use crate::config::settings::{Fallback, Kind, SETTINGS, Setting};
use clap::{Arg, ArgMatches, Command, ValueHint};
use std::marker::PhantomData;

/// Which settings a subcommand has flags for.
pub trait Scope {
    /// Whether the section's settings belong to it.
    fn includes(section: &str) -> bool;
}

/// All settings that have a flag.
#[derive(Debug, Clone, Copy)]
pub enum Everything {}

/// Where the database is, for subcommands that only talk to it.
#[derive(Debug, Clone, Copy)]
pub enum OnlyDatabase {}

/// Where the keys are.
#[derive(Debug, Clone, Copy)]
pub enum OnlyKeys {}

impl Scope for Everything {
    fn includes(_: &str) -> bool {
        true
    }
}

impl Scope for OnlyDatabase {
    fn includes(section: &str) -> bool {
        section == "database"
    }
}

impl Scope for OnlyKeys {
    fn includes(section: &str) -> bool {
        section == "keys"
    }
}

/// The flags that were given; flatten it into a subcommand's arguments.
#[derive(Clone)]
pub struct SettingFlags<S> {
    /// For [`super::Context::settings`].
    pub values: CliValues,
    scope: PhantomData<S>,
}

fn flags<S: Scope>() -> impl Iterator<Item = (&'static Setting, &'static str)> {
    SETTINGS
        .iter()
        .copied()
        .filter(|setting| S::includes(setting.section()))
        .filter_map(|setting| Some((setting, setting.flag?)))
}

fn argument(setting: &'static Setting, flag: &'static str) -> Arg {
    let mut help = setting.help.trim_end_matches('.').to_owned();
    for name in setting.variables {
        help.push_str(&format!(" [env: {name}]"));
    }
    if let Fallback::Value(default) = setting.default {
        help.push_str(&format!(" [default: {default}]"));
    }
    let argument = Arg::new(setting.key).long(flag).help(help);
    match setting.kind {
        // `--flag` alone says yes; `--flag=false` takes back what a file says.
        Kind::Switch(_) => {
            argument.value_name("BOOL").num_args(0..=1).require_equals(true).default_missing_value("true")
        }
        Kind::Address(_) | Kind::AddressOrOff(_) => argument.value_name("ADDRESS").value_hint(ValueHint::Other),
        Kind::DatabaseUrl(_) => argument.value_name("URL").value_hint(ValueHint::Other),
        Kind::File(_) => argument.value_name("FILE").value_hint(ValueHint::FilePath),
        Kind::Directory(_) => argument.value_name("DIR").value_hint(ValueHint::DirPath),
        _ => argument.value_name("VALUE").value_hint(ValueHint::Other),
    }
    .help_heading("Settings")
}

impl<S: Scope> clap::Args for SettingFlags<S> {
    fn augment_args(command: Command) -> Command {
        flags::<S>().fold(command, |command, (setting, flag)| command.arg(argument(setting, flag)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: Scope> clap::FromArgMatches for SettingFlags<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = flags::<S>().filter_map(|(setting, _)| Some((setting, matches.get_one::<String>(setting.key)?)));
        let values = given.fold(CliValues::none(), |values, (setting, text)| values.flag(setting, text));
        Ok(Self { values, scope: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
