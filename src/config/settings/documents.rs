//! What is generated from the table: a sample file and a Markdown table. Says nothing that the table does not say.

use super::{Effective, FILE_VARIABLES, Fallback, Kind, SETTINGS, Setting, bytes, duration, secret};
use std::fmt::Write;

/// A configuration file with every setting explained, all commented out: as it stands it changes nothing.
pub fn sample() -> String {
    let mut text = String::from(
        "# Configuration of jeday. Every line that begins with \"#name =\" shows a default; remove the # to change it.\n\
         # Sources in order of precedence: command line, environment, this file, tuning profile, topology, default.\n",
    );
    let chunks = SETTINGS.chunk_by(|left, right| left.section() == right.section());
    for section in chunks {
        let name = section.first().map_or("", |setting| setting.section());
        let _ = writeln!(text, "\n[{name}]");
        for setting in section {
            let _ = writeln!(text, "# {}", setting.help);
            if !setting.has_effect() {
                let _ = writeln!(text, "# {}", without_effect(setting));
            }
            let _ = writeln!(text, "# Accepted: {}.", setting.accepts());
            let _ = writeln!(text, "# Environment: {}.", variables(setting).join(" or "));
            let _ = match setting.default {
                Fallback::Value(_) => writeln!(text, "#{} = {}\n", setting.name(), toml(setting)),
                _ => writeln!(text, "# Default: {}.\n", default(setting)),
            };
        }
        text.pop();
    }
    text
}

/// One table for each section, for the README.
pub fn markdown() -> String {
    let mut text = String::new();
    for section in SETTINGS.chunk_by(|left, right| left.section() == right.section()) {
        let name = section.first().map_or("", |setting| setting.section());
        let _ = writeln!(
            text,
            "### `[{name}]`\n\n| key | environment, flag | default | what it is |\n| --- | --- | --- | --- |"
        );
        for setting in section {
            let mut names: Vec<String> = setting.variables.iter().map(|name| format!("`{name}`")).collect();
            names.extend(setting.flag.map(|flag| format!("`--{flag}`")));
            let default = match setting.default {
                Fallback::Value(text) => format!("`{text}`"),
                _ => default(setting),
            };
            let mut notes = vec![setting.help.to_owned(), format!("{}.", kind(setting))];
            if setting.tuning {
                notes.push("May stand in a tuning profile.".to_owned());
            }
            if setting.is_secret() {
                notes.push("Secret: masked wherever it is shown.".to_owned());
            }
            if !setting.has_effect() {
                notes.push(without_effect(setting));
            }
            let _ = writeln!(text, "| `{}` | {} | {default} | {} |", setting.name(), names.join(", "), notes.join(" "));
        }
        text.push('\n');
    }
    text.push_str(
        "Every setting can also be given as the environment variable `JEDAY_SECTION_KEY` (such as `JEDAY_SERVER_IDLE_TIMEOUT`), \
         which wins over the names above, and as `--set section.key=value`. Files are named by ",
    );
    let files: Vec<String> =
        FILE_VARIABLES.iter().map(|(variable, flag, what)| format!("`{flag}` or `{variable}`: {what}")).collect();
    let _ = writeln!(text, "{}.", files.join("; "));
    text
}

/// The names of a setting's environment variables, the one that wins first.
pub(super) fn variables(setting: &Setting) -> Vec<String> {
    let others = setting.variables.iter().map(|name| (*name).to_owned());
    [setting.own_variable()].into_iter().chain(others).collect()
}

fn without_effect(setting: &Setting) -> String {
    format!("Parsed and checked now, in effect from version {} on.", setting.since)
}

fn default(setting: &Setting) -> String {
    match setting.default {
        Fallback::Value(text) => text.to_owned(),
        Fallback::Unset(meaning) => format!("none: {meaning}"),
        Fallback::StateDirectory => {
            "systemd's STATE_DIRECTORY, else XDG_STATE_HOME/jeday, else /var/lib/jeday for root, else ~/.local/state/jeday".to_owned()
        }
        Fallback::KeysFile => {
            "the file keys in the state directory with the private cluster, none with a database of your own".to_owned()
        }
    }
}

/// The default as it is written in a file.
fn toml(setting: &Setting) -> String {
    let Fallback::Value(text) = setting.default else {
        return String::new();
    };
    let is_bare = match setting.kind {
        Kind::Count(..) | Kind::CountOrAuto(..) | Kind::Ratio(_) | Kind::Switch(_) => text != "auto",
        _ => false,
    };
    match is_bare {
        true => text.to_owned(),
        false => Effective::text(text).toml().unwrap_or_default(),
    }
}

fn kind(setting: &Setting) -> String {
    match &setting.kind {
        Kind::Count(_, range) => format!("Number, {} to {}", range.start(), range.end()),
        Kind::CountOrAuto(_, range) => {
            format!("`auto`, or number, {} to {}", range.start(), range.end())
        }
        Kind::Bytes(_, range) => format!("Size, {} to {}", bytes::show(*range.start()), bytes::show(*range.end())),
        Kind::BytesOrAuto(_, range) => {
            format!("`auto`, or size, {} to {}", bytes::show(*range.start()), bytes::show(*range.end()))
        }
        Kind::Time(_, range) => {
            format!("Duration, {} to {}", duration::show(*range.start()), duration::show(*range.end()))
        }
        Kind::Switch(_) => "`true` or `false`".to_owned(),
        Kind::Address(_) => "Address".to_owned(),
        Kind::AddressOrOff(_) => "Address, or `off`".to_owned(),
        Kind::Word(accepted, _) => format!("One of {accepted}"),
        Kind::Ratio(_) => "Number, 0 to 1".to_owned(),
        Kind::HttpUrl(_) => "URL".to_owned(),
        Kind::Text(_, bytes_max) => format!("Text of 1 to {bytes_max} bytes"),
        Kind::Networks(_) => "`none`, or a list such as `10.0.0.0/8,192.0.2.7,2001:db8::/32`".to_owned(),
        Kind::Origins(_) => "`none`, or a list such as `https://app.example.com,http://localhost:3000`".to_owned(),
        Kind::Directory(_) => "Directory".to_owned(),
        Kind::File(_) => "File".to_owned(),
        Kind::Cpus(_) => "`auto`, or a list such as `0,2-5`".to_owned(),
        Kind::DatabaseUrl(_) => "URL or key=value pairs".to_owned(),
        Kind::Key(_) => format!("Exactly {} bytes", secret::SYMMETRIC_KEY_BYTES),
    }
}
