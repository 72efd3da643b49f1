//! What a setting is: its names, its type, its range, and how a text becomes its value. The table itself stands in
//! `table`.

use super::values::{bytes, cpus, database_url, duration, listen, ratio, secret, words};
use super::{Config, CpuList, HttpUrl, ListenAddress, SecretText, SymmetricKey};
use crate::http::{cors::Origins, network::Networks};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

mod documents;
mod effective;
mod table;

pub use documents::{markdown, sample};
pub use effective::Effective;
pub use table::SETTINGS;

/// Names that do not stand for a setting but for a file of them: variable, flag, what it is.
pub const FILE_VARIABLES: [(&str, &str, &str); 2] = [
    ("JEDAY_CONFIG", "--config", "configuration file (TOML)"),
    ("JEDAY_PROFILE", "--profile", "tuning profile (TOML, settings marked as tuning only)"),
];

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// `section.name`, as in the TOML file.
    pub key: &'static str,
    /// Environment names beside `JEDAY_SECTION_NAME`, the Go version's among them.
    pub variables: &'static [&'static str],
    /// Command-line flag without its dashes, when it has one of its own (`--set` reaches the others).
    pub flag: Option<&'static str>,
    /// Type, range and place in [`Config`].
    pub kind: Kind,
    /// What holds when no source says anything.
    pub default: Fallback,
    /// Whether a tuning profile may set it.
    pub tuning: bool,
    /// The version from which on it has an effect; until then it is parsed and checked.
    pub since: &'static str,
    /// One sentence.
    pub help: &'static str,
}

/// What holds when no source says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This text, parsed like any other.
    Value(&'static str),
    /// No value; the text says what that means.
    Unset(&'static str),
    /// `STATE_DIRECTORY`, `XDG_STATE_HOME` and `HOME` in this order.
    StateDirectory,
    /// The keys file in the state directory, when the private cluster is used.
    KeysFile,
}

/// The place of a value in [`Config`].
pub type Field<T> = fn(&mut Config) -> &mut T;

/// Type, range and place of a setting. The field's type must fit, so that a wrong pairing does not compile.
#[derive(Debug)]
pub enum Kind {
    /// A whole number.
    Count(Field<usize>, RangeInclusive<usize>),
    /// A whole number, or `auto`.
    CountOrAuto(Field<Option<usize>>, RangeInclusive<usize>),
    /// A size in bytes.
    Bytes(Field<usize>, RangeInclusive<usize>),
    /// A size in bytes, or `auto`.
    BytesOrAuto(Field<Option<usize>>, RangeInclusive<usize>),
    /// A duration.
    Time(Field<Duration>, RangeInclusive<Duration>),
    /// Yes or no.
    Switch(Field<bool>),
    /// An address to listen on.
    Address(Field<ListenAddress>),
    /// An address to listen on, or `off`.
    AddressOrOff(Field<Option<ListenAddress>>),
    /// One of a few words: what is accepted, and how a word is stored; it gives back the word's proper spelling.
    Word(&'static str, fn(&mut Config, &str) -> Option<&'static str>),
    /// A share between 0 and 1.
    Ratio(Field<f64>),
    /// Where something is reached by HTTP.
    HttpUrl(Field<Option<HttpUrl>>),
    /// A text: how many bytes it may have.
    Text(Field<String>, usize),
    /// Networks, or `none`.
    Networks(Field<Networks>),
    /// Origins of websites, or `none`.
    Origins(Field<Origins>),
    /// A directory, always known.
    Directory(Field<PathBuf>),
    /// A file.
    File(Field<Option<PathBuf>>),
    /// CPUs, or `auto`.
    Cpus(Field<Option<CpuList>>),
    /// Where the database is; secret in part.
    DatabaseUrl(Field<Option<SecretText>>),
    /// A key; secret.
    Key(Field<Option<SymmetricKey>>),
}

impl Setting {
    /// The part of the key before the point.
    pub fn section(&self) -> &'static str {
        self.key.split('.').next().unwrap_or(self.key)
    }

    /// The part of the key after the point.
    pub fn name(&self) -> &'static str {
        self.key.rsplit('.').next().unwrap_or(self.key)
    }

    /// `JEDAY_SECTION_NAME`.
    pub fn own_variable(&self) -> String {
        format!("JEDAY_{}", self.key.replace('.', "_").to_ascii_uppercase())
    }

    /// Whether the value, or a part of it, must not be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::DatabaseUrl(_) | Kind::Key(_))
    }

    /// Whether this version does anything with the value yet.
    pub fn has_effect(&self) -> bool {
        let numbers =
            |version: &str| -> Vec<u32> { version.split('.').filter_map(|number| number.parse().ok()).collect() };
        numbers(self.since) <= numbers(env!("CARGO_PKG_VERSION"))
    }

    /// What is accepted, as the rest of a sentence that begins with "accepted:".
    pub fn accepts(&self) -> String {
        match &self.kind {
            Kind::Count(_, range) => format!("a whole number, {}", between(range, usize::to_string)),
            Kind::CountOrAuto(_, range) => {
                format!("auto, or a whole number, {}", between(range, usize::to_string))
            }
            Kind::Bytes(_, range) => format!(
                "a number of bytes such as 65536, 64KiB or 1MiB, {}",
                between(range, |bytes| bytes::show(*bytes))
            ),
            Kind::BytesOrAuto(_, range) => format!(
                "auto, or a number of bytes such as 65536, 64KiB or 1MiB, {}",
                between(range, |bytes| bytes::show(*bytes))
            ),
            Kind::Time(_, range) => format!(
                "a duration such as 500ms, 10s or 1m30s, {}",
                between(range, |time| duration::show(*time))
            ),
            Kind::Switch(_) => "true or false".to_owned(),
            Kind::Address(_) => {
                "an address such as 127.0.0.1:8080, [::1]:8080, localhost:8080, :8080 (every address) or 8080 (loopback)"
                    .to_owned()
            }
            Kind::AddressOrOff(_) => {
                "off, or an address such as 127.0.0.1:8081, [::1]:8081, localhost:8081, :8081 (every address) or 8081 (loopback)"
                    .to_owned()
            }
            Kind::Word(accepted, _) => (*accepted).to_owned(),
            Kind::Ratio(_) => "a number from 0 to 1, such as 0.01".to_owned(),
            Kind::HttpUrl(_) => "a URL such as http://127.0.0.1:4318 or https://collector.example.org".to_owned(),
            Kind::Text(_, bytes_max) => format!("a text of 1 to {bytes_max} bytes without control characters"),
            Kind::Networks(_) => {
                "none, or addresses and networks such as 10.0.0.0/8,192.0.2.7,2001:db8::/32".to_owned()
            }
            Kind::Origins(_) => "none, or origins such as https://app.example.com,http://localhost:3000".to_owned(),
            Kind::Directory(_) => "the path of a directory".to_owned(),
            Kind::File(_) => "the path of a file".to_owned(),
            Kind::Cpus(_) => "auto, or CPU numbers and ranges such as 0,2-5".to_owned(),
            Kind::DatabaseUrl(_) => {
                "a URL such as postgres://user:password@host:5432/database, or key=value pairs".to_owned()
            }
            Kind::Key(_) => format!("exactly {} bytes", secret::SYMMETRIC_KEY_BYTES),
        }
    }

    /// Parses the text, checks it, and puts the value in its place.
    ///
    /// # Errors
    /// The reason, as the rest of a sentence about the value. It never contains the value. `config` is then unchanged.
    pub(super) fn assign(&self, text: &str, config: &mut Config) -> Result<Effective, String> {
        fn reason(error: impl std::error::Error) -> String {
            error.to_string()
        }
        let is = |word: &str| text.trim().eq_ignore_ascii_case(word);
        match &self.kind {
            Kind::Count(field, range) => {
                let number = count(text, range)?;
                *field(config) = number;
                Ok(Effective::Number(number))
            }
            Kind::CountOrAuto(field, _) if is("auto") => {
                *field(config) = None;
                Ok(Effective::text("auto"))
            }
            Kind::CountOrAuto(field, range) => {
                let number = count(text, range)?;
                *field(config) = Some(number);
                Ok(Effective::Number(number))
            }
            Kind::Bytes(field, range) => {
                let size = size(text, range)?;
                *field(config) = size;
                Ok(Effective::Bytes(size))
            }
            Kind::BytesOrAuto(field, _) if is("auto") => {
                *field(config) = None;
                Ok(Effective::text("auto"))
            }
            Kind::BytesOrAuto(field, range) => {
                let size = size(text, range)?;
                *field(config) = Some(size);
                Ok(Effective::Bytes(size))
            }
            Kind::Time(field, range) => {
                let time = duration::parse(text).map_err(reason)?;
                within(&time, range, |time| duration::show(*time))?;
                *field(config) = time;
                Ok(Effective::text(duration::show(time)))
            }
            Kind::Switch(field) => {
                let on = words::parse_switch(text).ok_or("it is neither true nor false")?;
                *field(config) = on;
                Ok(Effective::Switch(on))
            }
            Kind::Address(field) => {
                let address = ListenAddress::parse(text).map_err(reason)?;
                let shown = Effective::text(address.to_string());
                *field(config) = address;
                Ok(shown)
            }
            Kind::AddressOrOff(field) => {
                let address = match is("off") {
                    true => None,
                    false => Some(ListenAddress::parse(text).map_err(reason)?),
                };
                let shown = address.as_ref().map(listen::ListenAddress::to_string);
                *field(config) = address;
                Ok(Effective::text(shown.unwrap_or_else(|| "off".to_owned())))
            }
            Kind::Word(_, store) => {
                store(config, text).map(Effective::text).ok_or_else(|| "it is none of the known words".to_owned())
            }
            Kind::Ratio(field) => {
                let share = ratio::parse(text).map_err(reason)?;
                *field(config) = share;
                Ok(Effective::text(share.to_string()))
            }
            Kind::HttpUrl(field) => {
                let url = HttpUrl::parse(text).map_err(reason)?;
                let shown = Effective::text(url.as_str());
                *field(config) = Some(url);
                Ok(shown)
            }
            Kind::Text(field, bytes_max) => {
                *field(config) = plain_text(text, *bytes_max)?;
                Ok(Effective::text(text))
            }
            Kind::Networks(field) => {
                // An empty array in a file.
                let networks = match is("none") || text.is_empty() {
                    true => Networks::default(),
                    false => Networks::parse(text).map_err(reason)?,
                };
                let shown = if networks.is_empty() { "none".to_owned() } else { networks.to_string() };
                *field(config) = networks;
                Ok(Effective::text(shown))
            }
            Kind::Origins(field) => {
                let origins = match is("none") || text.is_empty() {
                    true => Origins::default(),
                    false => Origins::parse(text).map_err(reason)?,
                };
                let shown = if origins.is_empty() { "none".to_owned() } else { origins.to_string() };
                *field(config) = origins;
                Ok(Effective::text(shown))
            }
            Kind::Directory(field) => {
                *field(config) = path(text)?;
                Ok(Effective::text(text))
            }
            Kind::File(field) => {
                *field(config) = Some(path(text)?);
                Ok(Effective::text(text))
            }
            Kind::Cpus(field) => {
                let list = match is("auto") {
                    true => None,
                    false => Some(cpus::CpuList::parse(text).map_err(reason)?),
                };
                let shown = list.as_ref().map(CpuList::to_string);
                *field(config) = list;
                Ok(Effective::text(shown.unwrap_or_else(|| "auto".to_owned())))
            }
            Kind::DatabaseUrl(field) => {
                database_url::check(text).map_err(reason)?;
                *field(config) = Some(SecretText::new(text.trim()));
                Ok(Effective::text(database_url::mask(text)))
            }
            Kind::Key(field) => {
                *field(config) = Some(SymmetricKey::from_text(text).map_err(reason)?);
                Ok(Effective::text(secret::MASK))
            }
        }
    }
}

/// The setting with this key.
pub fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().copied().find(|setting| setting.key == key)
}

/// The key that was probably meant: by its spelling, by its name in another section, or by the name of its variable.
pub fn nearest_key(wrong: &str) -> Option<&'static str> {
    let name = wrong.rsplit('.').next().unwrap_or(wrong);
    let by_variable =
        SETTINGS.iter().copied().find(|setting| setting.variables.contains(&name) || setting.own_variable() == name);
    let similarity = |setting: &'static Setting| {
        let whole = strsim::normalized_damerau_levenshtein(wrong, setting.key);
        // The right name in a wrong section is more likely meant than another name of similar spelling.
        let moved = if setting.name() == name { 0.9 } else { 0.0 };
        f64::max(whole, moved + whole / 10.0)
    };
    by_variable.or_else(|| nearest(SETTINGS.iter().copied(), similarity)).map(|setting| setting.key)
}

/// The candidate most similar to what was written, unless none is similar enough to be meant.
pub(super) fn nearest<T: Copy>(candidates: impl Iterator<Item = T>, similarity: impl Fn(T) -> f64) -> Option<T> {
    /// Below this, more than a third of the letters differ, and a suggestion would mislead.
    const SIMILAR: f64 = 0.65;
    candidates
        .map(|candidate| (similarity(candidate), candidate))
        .filter(|(score, _)| *score >= SIMILAR)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}

fn between<T>(range: &RangeInclusive<T>, show: impl Fn(&T) -> String) -> String {
    format!("from {} to {}", show(range.start()), show(range.end()))
}

fn within<T: PartialOrd>(value: &T, range: &RangeInclusive<T>, show: impl Fn(&T) -> String) -> Result<(), String> {
    if value < range.start() {
        Err(format!("the least is {}", show(range.start())))
    } else if value > range.end() {
        Err(format!("the most is {}", show(range.end())))
    } else {
        Ok(())
    }
}

fn count(text: &str, range: &RangeInclusive<usize>) -> Result<usize, String> {
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("it is not a whole number".to_owned());
    }
    // Only digits: what does not fit is larger than any range.
    let number = text.parse().unwrap_or(usize::MAX);
    within(&number, range, usize::to_string)?;
    Ok(number)
}

fn size(text: &str, range: &RangeInclusive<usize>) -> Result<usize, String> {
    let size = bytes::parse(text).map_err(|error| error.to_string())?;
    within(&size, range, |size| bytes::show(*size))?;
    Ok(size)
}

fn plain_text(text: &str, bytes_max: usize) -> Result<String, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.len() > bytes_max {
        return Err(format!("it has {} bytes, and {bytes_max} are the most", text.len()));
    }
    match text.chars().any(char::is_control) {
        true => Err("it has a control character".to_owned()),
        false => Ok(text.to_owned()),
    }
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    if text.contains('\0') {
        return Err("a path cannot contain a NUL character".to_owned());
    }
    // Only a shell replaces the tilde; taken as it stands it would name a directory called "~".
    if text == "~" || text.starts_with("~/") {
        return Err("~ is not expanded here: write the whole path".to_owned());
    }
    Ok(PathBuf::from(text))
}
