//! `jeday keygen`: makes the keys that a server needs, and exchanges them one by one. Never overwrites a file that it
//! did not read, and never shows a key of one that it did.

use super::{CliError, Context, OnlyKeys, SettingFlags, print, serve};
use crate::{
    config::{Config, Suggestions},
    keys::{self, Key, KeyFile, KeyFileError, KeyKind, Keys},
    telemetry::{SecurityEvent, SecurityEventKind},
};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;
use std::{fmt::Write, path::Path, process::ExitCode};

const AFTER_HELP: &str = "\
Examples:
  jeday keygen --key-file /etc/jeday/keys    Make the file, readable by its owner alone
  jeday keygen --stdout                      Print the keys instead, for a secret store
  jeday keygen --list                        Which keys there are and which are in use
  jeday keygen --rotate token-local          Exchange a key, on one node
  jeday keygen --stage token-local           Exchange a key, on several nodes: first this,
  jeday keygen --promote token-local         then this, each with a copy to every node

Kinds of keys:
  pepper        Goes into the record of every password
  token-local   Encrypts access tokens
  token-public  Signs access tokens whose keys are published
  refresh       Makes the secrets of refresh tokens

A server reads its keys when it starts: restart it after each step. A key that
was exchanged stays in the file, so that nobody is logged out; delete its line
when nothing depends on it any more. For access tokens that is when the last one
made with it has expired, for refresh tokens when every session has been
refreshed or has ended. An old pepper has to stay as long as any password is
stored under it: users move to the new one only when they log in.

Keep a copy in a safe place: without its keys, the passwords in a database
cannot be checked any more. An existing file is never overwritten by new keys.";

/// Make the peppers and keys that a server needs, or exchange one of them
#[derive(Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Print the keys instead of writing a file
    #[arg(long)]
    pub stdout: bool,

    /// What to do with a file that is there.
    #[command(flatten)]
    pub change: Change,

    /// Flags of single settings.
    #[command(flatten)]
    pub settings: SettingFlags<OnlyKeys>,
}

/// What to do with a file that is there, instead of making one; one thing at a time.
#[derive(Clone, clap::Args)]
#[group(multiple = false, conflicts_with = "stdout")]
pub struct Change {
    /// List the keys of the file: kinds, ids, ages and use; no secrets
    #[arg(long)]
    pub list: bool,

    /// Add a new key of this kind and use it from the next start on
    #[arg(long, value_name = "KIND", hide_possible_values = true, value_parser = kind_parser())]
    pub rotate: Option<KeyKind>,

    /// Add a new key of this kind that is known but not used yet
    #[arg(long, value_name = "KIND", hide_possible_values = true, value_parser = kind_parser())]
    pub stage: Option<KeyKind>,

    /// Use the staged key of this kind from the next start on
    #[arg(long, value_name = "KIND", hide_possible_values = true, value_parser = kind_parser())]
    pub promote: Option<KeyKind>,
}

fn kind_parser() -> impl TypedValueParser<Value = KeyKind> {
    PossibleValuesParser::new(KeyKind::ALL.map(KeyKind::as_str))
        .try_map(|name| name.parse().map_err(|()| "not a kind of key"))
}

/// Makes or exchanges keys, or lists them.
///
/// # Errors
/// The file cannot be read or written, cannot be changed as asked, or exists where it is to be made; or the system has
/// no randomness to give.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let now = Timestamp::now();
    if args.stdout {
        let keys = keys::generate(now).map_err(|error| CliError::failed(&error))?;
        print(&keys::render(&keys, now))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (config, _) = context.settings(&args.settings.values, Suggestions::none())?;
    let path = config.keys.file.clone().ok_or_else(|| {
        CliError::usage("no file is named for the keys").with_hint("name one with --key-file FILE or KEY_FILE=FILE")
    })?;
    let failed = |error: KeyFileError| CliError::failed(&error);
    let said = match &args.change {
        Change { list: true, .. } => listed(KeyFile::load(&path).map_err(failed)?.keys(), now),
        Change { rotate: Some(kind), .. } => {
            let file = KeyFile::rotate(&path, *kind, now).map_err(failed)?;
            record(&config, *kind, &file)?;
            changed(&file, file.keys().newest(*kind), ROTATED)
        }
        Change { stage: Some(kind), .. } => {
            let file = KeyFile::stage(&path, *kind, now).map_err(failed)?;
            changed(&file, file.keys().staged(*kind), STAGED)
        }
        Change { promote: Some(kind), .. } => {
            let file = KeyFile::promote(&path, *kind, now).map_err(failed)?;
            record(&config, *kind, &file)?;
            changed(&file, file.keys().newest(*kind), PROMOTED)
        }
        _ => return created(&path, now),
    };
    print(&said)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes down, as servers do with what concerns security, that a kind has another key in use.
fn record(config: &Config, kind: KeyKind, file: &KeyFile) -> Result<(), CliError> {
    let _logs = serve::init_logs(&config.log)?;
    let key = file.keys().newest(kind).map(Key::id).expect("a change that succeeded leaves its key in its place");
    SecurityEvent::new(SecurityEventKind::KeyRotated).reason(kind.as_str()).key(&key).write();
    Ok(())
}

const ROTATED: &str = "new, and in use once the server has been restarted";
const STAGED: &str = "new; bring the file to every node, restart them, and then promote it";
const PROMOTED: &str = "in use once a server with this file has been restarted: bring it to every node";

fn changed(file: &KeyFile, key: Option<&Key>, what: &str) -> String {
    let key = key.expect("a change that succeeded leaves its key in its place");
    format!("{}: {} {} is {what}\n", file.path().display(), key.kind().as_str(), key.id())
}

fn created(path: &Path, now: Timestamp) -> Result<ExitCode, CliError> {
    let keys = keys::generate(now).map_err(|error| CliError::failed(&error))?;
    KeyFile::create(path, keys, now).map_err(|error| match error {
        KeyFileError::Exists { .. } => {
            CliError::failed(&error).with_hint("--list shows what is in it; --rotate and --stage add a key to it")
        }
        _ => CliError::failed(&error).with_hint("--key-file names another place; --stdout prints the keys instead"),
    })?;
    print(&format!("{}: new keys, readable by their owner alone; keep a copy in a safe place\n", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// One line a key, in the order of the file.
fn listed(keys: &Keys, now: Timestamp) -> String {
    let mut text = format!("{:<14}{:<14}{:<22}{:<10}{}\n", "KIND", "ID", "CREATED", "AGE", "USE");
    for kind in KeyKind::ALL {
        for (number, key) in keys.of(kind).enumerate() {
            let usage = match (key.is_staged(), number) {
                (true, _) => "staged",
                (false, 0) => "in use",
                (false, _) => "old",
            };
            let (created, age) = match key.created() {
                Some(created) => (format!("{created:.0}"), age(created, now)),
                None => ("unknown".to_owned(), "unknown".to_owned()),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{:<14}{:<14}{created:<22}{age:<10}{usage}", kind.as_str(), key.id());
        }
    }
    text
}

/// In the largest unit of which there are two. A key from the future is one of now: its maker's clock was fast.
fn age(created: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(created.as_second()).max(0);
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    match units.into_iter().find(|(length, _)| seconds >= 2 * length) {
        Some((length, unit)) => format!("{} {unit}", seconds / length),
        None => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn ages_are_told_in_a_unit_that_fits() {
        let told = |seconds| age(Timestamp::UNIX_EPOCH, Timestamp::from_second(seconds).unwrap());
        let told: Vec<_> = [-5, 0, 119, 120, 7_199, 7_200, 172_799, 172_800, 31_536_000].map(told).into();
        expect!["0 s, 0 s, 119 s, 2 min, 119 min, 2 h, 47 h, 2 d, 365 d"].assert_eq(&told.join(", "));
    }

    #[test]
    fn kinds_in_the_help_are_all_there_are() {
        let listed: Vec<_> = AFTER_HELP
            .lines()
            .skip_while(|line| *line != "Kinds of keys:")
            .skip(1)
            .map_while(|line| line.split_whitespace().next())
            .collect();
        assert_eq!(listed, KeyKind::ALL.map(KeyKind::as_str));
    }
}
