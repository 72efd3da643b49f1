//! What is said when a subcommand cannot do its work, and with which exit status. Never a type's debug output.

use crate::config::ConfigError;
use std::error::Error;
use std::fmt::Write;
use std::io;
use std::process::ExitCode;

const FAILURE: u8 = 1;
const USAGE: u8 = 2;
/// An internal error of the program, as sysexits.h has it: what supervisors are told of it by.
const STALLED: u8 = 70;

/// Why a subcommand ended without success.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// The arguments make no sense in a way that the parser cannot know.
    #[error("{message}")]
    Usage {
        /// A sentence without its end.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// It was tried and failed.
    #[error("{message}")]
    Failed {
        /// A sentence without its end.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The process has found that it does not get on, and ends to be started again.
    #[error("{message}")]
    Stalled {
        /// A sentence without its end.
        message: String,
    },
    /// Standard output did not take what was printed.
    #[error("standard output cannot be written: {}", plain(.0))]
    Output(#[from] io::Error),
}

/// The system's words without the number that Rust appends to them.
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

impl CliError {
    /// It was tried and failed: the error's own words, followed by those of its causes.
    pub fn failed(error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let words = error.to_string();
            // Some errors already repeat their cause.
            if !message.ends_with(&words) {
                message.push_str(": ");
                message.push_str(&words);
            }
            cause = error.source();
        }
        Self::Failed { message, hint: None }
    }

    /// It was tried and failed, in these words.
    pub fn failure(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), hint: None }
    }

    /// The arguments make no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    /// Adds what to do about it; settings errors and output errors say that themselves.
    #[must_use]
    pub fn with_hint(mut self, remedy: impl Into<String>) -> Self {
        if let Self::Usage { hint, .. } | Self::Failed { hint, .. } = &mut self {
            *hint = Some(remedy.into());
        }
        self
    }

    /// `jeday: error: ...` lines, each followed by `hint: ...` where there is a remedy.
    pub fn report(&self) -> String {
        let mut text = String::new();
        let mut line = |message: &str, hint: Option<&str>| {
            let _ = writeln!(text, "jeday: error: {message}");
            if let Some(hint) = hint {
                let _ = writeln!(text, "hint: {hint}");
            }
        };
        match self {
            Self::Settings(error) => {
                for problem in &error.problems {
                    line(&problem.message, problem.hint.as_deref());
                }
            }
            Self::Usage { message, hint } | Self::Failed { message, hint } => {
                line(message, hint.as_deref());
            }
            Self::Stalled { message } => line(message, None),
            Self::Output(_) => line(&self.to_string(), None),
        }
        text
    }

    /// 2 when arguments or settings are to be changed before trying again, 70 when a server has found that it does not
    /// get on any more, 1 otherwise.
    pub fn status(&self) -> ExitCode {
        ExitCode::from(self.status_number())
    }

    pub(super) fn status_number(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Usage { .. } => USAGE,
            Self::Failed { .. } | Self::Output(_) => FAILURE,
            Self::Stalled { .. } => STALLED,
        }
    }

    pub(super) fn usage_status() -> ExitCode {
        ExitCode::from(USAGE)
    }
}
