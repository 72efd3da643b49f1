//! Where values come from. Each source yields texts with their place; what a text means is the setting's part.

use std::fmt;

pub(super) mod command_line;
pub(super) mod environment;
pub(super) mod file;

use super::settings::Setting;

/// Where a value comes from, named so that a person finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Built in.
    Default,
    /// Follows from something else, named here.
    Derived(&'static str),
    /// Suggested by the machine's topology.
    Topology,
    /// A tuning profile.
    Profile {
        /// As given.
        path: String,
        /// From 1.
        line: usize,
    },
    /// The configuration file.
    File {
        /// As given.
        path: String,
        /// From 1.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag of its own.
    Flag(&'static str),
    /// The flag `--set`.
    Set,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Derived(from) => f.write_str(from),
            Self::Topology => f.write_str("topology"),
            Self::Profile { path, line } | Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Set => f.write_str("--set"),
        }
    }
}

/// A text that a source gives for a setting. No `Debug`: the text may be a secret.
pub(super) struct Given {
    pub(super) setting: &'static Setting,
    pub(super) source: Source,
    pub(super) text: String,
}

/// Values that the machine's topology suggests; anything that a person says has precedence.
#[derive(Debug, Clone, Default)]
pub struct Suggestions(Vec<(&'static str, String)>);

impl Suggestions {
    /// No suggestion.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a value for the setting with this key.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.push((key, value.to_string()));
        self
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(key, text)| (*key, text.as_str()))
    }
}
