//! How a statement failed, told apart by whether it can have had an effect.

use super::super::sqlstate::{Class, classify};
use std::error::Error as _;
use tokio_postgres::{Error, error::DbError};

/// Why a statement gave no rows. Texts are for the log, never for clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It never went out: it had no effect, and may be sent on another connection.
    #[error("not sent: {0}")]
    NotSent(Lost),
    /// It went out and no answer came: only looking again tells what it did.
    #[error("outcome unknown: {0}")]
    Unknown(Lost),
    /// The server undid it.
    #[error("refused: {0}")]
    Refused(Refusal),
}

impl LinkError {
    pub(super) fn lost(sent: bool, why: Lost) -> LinkError {
        if sent { LinkError::Unknown(why) } else { LinkError::NotSent(why) }
    }

    /// The same for a batch whose first statement went through before a later one failed with this: whatever became
    /// of the later one, the batch has had an effect.
    #[must_use]
    pub fn after_an_effect(self) -> LinkError {
        match self {
            LinkError::NotSent(why) | LinkError::Unknown(why) => LinkError::Unknown(why),
            LinkError::Refused(refusal) => LinkError::Unknown(Lost::LookUp(refusal)),
        }
    }
}

/// What kept a statement from being answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The caller's deadline passed.
    #[error("the deadline passed")]
    Deadline,
    /// The connection ended, or speaks nonsense.
    #[error("{0}")]
    Connection(String),
    /// The parameters do not fit the statement.
    #[error("{0}")]
    Parameters(String),
    /// The server refused to tell what the statement before has done.
    #[error("it could not be looked up: {0}")]
    LookUp(Refusal),
}

/// The server's refusal of a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (SQLSTATE {code}, {class})")]
pub struct Refusal {
    class: Class,
    code: String,
    message: String,
    constraint: Option<String>,
}

impl Refusal {
    pub(super) fn new(error: &DbError) -> Refusal {
        // Not the detail: it repeats values of rows.
        Refusal::of(error.code().code(), error.message(), error.constraint())
    }

    /// By its parts.
    pub(crate) fn of(code: &str, message: &str, constraint: Option<&str>) -> Refusal {
        Refusal {
            class: classify(code),
            code: code.to_owned(),
            message: message.to_owned(),
            constraint: constraint.map(str::to_owned),
        }
    }

    /// What to do about it.
    pub fn class(&self) -> Class {
        self.class
    }

    /// The SQLSTATE, five characters.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The constraint that was violated, if one was.
    pub fn constraint(&self) -> Option<&str> {
        self.constraint.as_deref()
    }
}

/// tokio-postgres' words with their cause.
pub(super) fn describe(error: &Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
