//! What is wrong with a configuration: all of it at once, each with its place and a remedy. Never repeats a secret.

use super::settings::{self, Setting};
use super::sources::Source;
use std::fmt;

/// Longer values are cut in messages.
const VALUE_CHARS_SHOWN_MAX: usize = 60;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where and what.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A key that is not in the table.
    pub(super) fn unknown_key(place: &str, key: &str) -> Self {
        let problem = Self::new(format!("{place}: unknown setting {}", key.escape_debug()));
        match settings::nearest_key(key) {
            Some(meant) => problem.hint(format!("did you mean {meant}?")),
            None => problem.hint("jeday config --defaults lists every setting"),
        }
    }

    /// A value that its setting does not accept.
    pub(super) fn bad_value(setting: &Setting, source: &Source, text: &str, reason: &str) -> Self {
        let value = if setting.is_secret() {
            "(not shown)".to_owned()
        } else if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            text.to_owned()
        } else if text.chars().count() > VALUE_CHARS_SHOWN_MAX {
            let start: String = text.chars().take(VALUE_CHARS_SHOWN_MAX).collect();
            format!("{start:?}...")
        } else {
            format!("{text:?}")
        };
        let place = match source {
            Source::Flag(_) => format!("{source} {value}"),
            Source::Variable(_) => format!("{source}={value}"),
            Source::Set => format!("{source} {}={value}", setting.key),
            _ => format!("{source}: {} = {value}", setting.key),
        };
        Self::new(format!("{place}: {reason}")).hint(format!("accepted: {}", setting.accepts()))
    }
}

/// The configuration cannot be used; holds at least one problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// In the order of the sources, those with the least precedence first.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.problems.iter().enumerate() {
            if position > 0 {
                f.write_str("; ")?;
            }
            f.write_str(&problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
