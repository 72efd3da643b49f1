//! Why a connection string was refused. Repeats names of parameters at most, never values: what looks like a port or
//! a name may be a piece of a password that was not escaped.

/// What is wrong with a connection string or its environment, and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Neither form.
    #[error(
        "the database URL is neither a URI (postgres://user:password@host:5432/database) nor keyword=value pairs \
         (host=... user=... dbname=...)"
    )]
    Form,
    /// Another kind of URI.
    #[error("the database URL must begin with postgres:// or postgresql://")]
    Scheme,
    /// Bad percent-encoding.
    #[error(
        "the {part} in the database URI has a '%' without two hexadecimal digits after it, or an escape that is not \
         text; write a literal % as %25"
    )]
    Escape {
        /// Which part of the URI.
        part: String,
    },
    /// Characters that end the user or password too soon, or would if they stood there.
    #[error(
        "the database URI has a character that must be percent-encoded, most likely in the password: write @ as %40, \
         / as %2F, : as %3A, ? as %3F, # as %23, % as %25"
    )]
    Unescaped,
    /// Bad brackets.
    #[error("an IPv6 address in the database URI is written in brackets, as [::1]:5432")]
    Brackets,
    /// A query parameter without a value.
    #[error("a query parameter of the database URI lacks its '=': write name=value, joined by '&'")]
    QueryPair,
    /// A keyword without `=`.
    #[error("'=' is missing after the word that follows {after}; put values with blanks in single quotes")]
    Pair {
        /// What stands before it.
        after: String,
    },
    /// An open quote.
    #[error("{keyword} has no closing quote; write ' as \\' and \\ as \\\\ inside quotes")]
    Quote {
        /// Whose value.
        keyword: String,
    },
    /// No such parameter.
    #[error("there is no connection parameter {name}{}", nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default())]
    Unknown {
        /// As written.
        name: String,
        /// The most similar known one.
        nearest: Option<&'static str>,
    },
    /// A word after an unquoted password, which may be part of it.
    #[error("an unknown connection parameter follows the password; put a password with blanks in single quotes")]
    UnknownAfterPassword,
    /// Known to libpq or another client, not supported here.
    #[error("{name} is not supported: {reason}")]
    Unsupported {
        /// The parameter or environment variable.
        name: String,
        /// Why, and what to do.
        reason: &'static str,
    },
    /// A value that is not among those accepted.
    #[error("the value of {name} is not valid: accepted is {accepted}")]
    Value {
        /// The parameter or environment variable.
        name: String,
        /// What would be.
        accepted: &'static str,
    },
    /// Lists of different length.
    #[error("{name} lists {count} entries for {hosts} hosts: give one for each host{}", if *.one_is_enough { ", or one for all" } else { "" })]
    Count {
        /// The parameter or environment variable.
        name: String,
        /// How many it lists.
        count: usize,
        /// How many hosts there are.
        hosts: usize,
        /// Whether a single entry would do.
        one_is_enough: bool,
    },
    /// Parameters that contradict each other.
    #[error("{0}")]
    Conflict(&'static str),
}
