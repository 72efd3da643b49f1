//! Where an account stands in its life.
//! Never decides what a status permits: that is for the handlers.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The state of an account, stored as a `smallint`. The numbers are part of the database's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum Status {
    /// Registered; the address is not confirmed yet.
    Pending = 0,
    /// In normal use.
    Active = 1,
    /// Shut out by an operator.
    Blocked = 2,
    /// Gone for its owner; the row keeps the address taken.
    Deleted = 3,
}

/// A number or a name that is no [`Status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not the status of an account")]
pub struct StatusError;

impl Status {
    /// Every status, by number.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::Blocked, Self::Deleted];

    /// The number in the database.
    #[must_use]
    pub const fn as_i16(self) -> i16 {
        self as i16
    }

    /// The name in replies, logs and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Blocked => "blocked",
            Self::Deleted => "deleted",
        }
    }
}

impl TryFrom<i16> for Status {
    type Error = StatusError;

    fn try_from(number: i16) -> Result<Self, StatusError> {
        Self::ALL.into_iter().find(|status| status.as_i16() == number).ok_or(StatusError)
    }
}

impl FromStr for Status {
    type Err = StatusError;

    fn from_str(name: &str) -> Result<Self, StatusError> {
        Self::ALL.into_iter().find(|status| status.as_str() == name).ok_or(StatusError)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_stable() {
        let known = [("pending", 0), ("active", 1), ("blocked", 2), ("deleted", 3)];
        for ((name, number), status) in known.into_iter().zip(Status::ALL) {
            assert_eq!((status.as_str(), status.as_i16()), (name, number));
            assert_eq!(Status::try_from(number), Ok(status));
            assert_eq!(name.parse(), Ok(status));
        }
    }

    #[test]
    fn unknown_numbers_and_names_are_refused() {
        for number in [-1, 4, i16::MIN, i16::MAX] {
            assert_eq!(Status::try_from(number), Err(StatusError));
        }
        for name in ["", "Pending", "active "] {
            assert_eq!(name.parse::<Status>(), Err(StatusError));
        }
    }
}
