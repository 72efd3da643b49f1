//! The command line as a source: flags of single settings, and `--set KEY=VALUE` for any. Never parses arguments
//! itself.

use super::super::error::Problem;
use super::super::settings::{self, Setting};
use super::{Given, Source};

const SET_FORM: &str = "write --set section.key=value, such as --set server.idle_timeout=30s";

/// What was given on the command line. No `Debug`: a text may be a secret.
#[derive(Clone, Default)]
pub struct CliValues {
    flags: Vec<(&'static Setting, String)>,
    assignments: Vec<String>,
}

impl CliValues {
    /// Nothing given.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds the value of a setting's own flag.
    #[must_use]
    pub fn flag(mut self, setting: &'static Setting, text: impl Into<String>) -> Self {
        self.flags.push((setting, text.into()));
        self
    }

    /// Adds a `KEY=VALUE` as `--set` takes it; a mistake in it is reported by [`super::super::Config::resolve`].
    #[must_use]
    pub fn set(mut self, assignment: impl Into<String>) -> Self {
        self.assignments.push(assignment.into());
        self
    }

    /// The texts, those that win last: a flag of its own says more than `--set`.
    pub(in crate::config) fn given(&self, problems: &mut Vec<Problem>) -> Vec<Given> {
        let mut given = Vec::new();
        for assignment in &self.assignments {
            match assigned(assignment) {
                Ok((setting, text)) => given.push(Given { setting, source: Source::Set, text: text.to_owned() }),
                Err(problem) => problems.push(problem),
            }
        }
        for (setting, text) in &self.flags {
            given.push(Given {
                setting,
                source: Source::Flag(setting.flag.unwrap_or(setting.key)),
                text: text.clone(),
            });
        }
        given
    }
}

/// Repeats nothing but what looks like a key: a database address without one may hold a password.
fn assigned(assignment: &str) -> Result<(&'static Setting, &str), Problem> {
    let Some((key, text)) = assignment.split_once('=') else {
        return Err(Problem::new("--set: the value is missing").hint(SET_FORM));
    };
    let key = key.trim();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if key.is_empty() || !key.bytes().all(fits) {
        return Err(Problem::new("--set: no key stands before the =").hint(SET_FORM));
    }
    match settings::find(key) {
        Some(setting) => Ok((setting, text)),
        None => Err(Problem::unknown_key("--set", key)),
    }
}
