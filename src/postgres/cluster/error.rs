//! Why there is no private cluster, in sentences that say what to do.

use super::programs::MAJOR_MIN;
use std::{io, path::PathBuf};

/// The private cluster could not be made, started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// PostgreSQL is not installed, or not where it is looked for.
    #[error(
        "PostgreSQL is not installed: `apt-get install postgresql` (Debian, Ubuntu) or `dnf install postgresql-server` \
         (Fedora, RHEL) brings it, or set DB_URL to a database that runs elsewhere"
    )]
    NotInstalled,
    /// Only versions too old were found.
    #[error("PostgreSQL {found} is too old: the private cluster needs {MAJOR_MIN} or newer")]
    TooOld {
        /// The newest major version found.
        found: u32,
    },
    /// There is data, but not the programs that made it.
    #[error(
        "the data in {} was made by PostgreSQL {data}, but {}: \
         install PostgreSQL {data}, or move the data over with pg_upgrade",
        directory.display(), installed(*found)
    )]
    OtherVersion {
        /// Where the data is.
        directory: PathBuf,
        /// Its major version.
        data: u32,
        /// The newest major version installed, if any.
        found: Option<u32>,
    },
    /// Root has nobody to run PostgreSQL as.
    #[error(
        "PostgreSQL refuses to run as root, and there is neither a user `jeday` nor `postgres` to run it as: \
         `useradd --system jeday` makes one"
    )]
    NoAccount,
    /// PostgreSQL needs a name for the user that it runs as.
    #[error("user id {0} has no name in the system's user database, which PostgreSQL requires")]
    NamelessUser(u32),
    /// The data belongs to another user.
    #[error("{} belongs to {owner}: run as root or as that user, or choose another state directory", directory.display())]
    OthersData {
        /// Where the data is.
        directory: PathBuf,
        /// Name or number of its owner.
        owner: String,
    },
    /// The user that PostgreSQL runs as cannot reach the state directory.
    #[error(
        "the user {account}, as whom PostgreSQL runs, may not enter {}: choose a state directory elsewhere \
         (JEDAY_STATE_DIRECTORY=/var/lib/jeday), or let it through with `chmod o+x {}`",
        closed.display(), closed.display()
    )]
    Closed {
        /// Who cannot enter.
        account: String,
        /// The directory that stops it.
        closed: PathBuf,
    },
    /// Another server has the state directory.
    #[error(
        "{} is in use by another jeday{}: stop that one, or give this one a state directory of its own \
         (JEDAY_STATE_DIRECTORY)",
        directory.display(), process(*pid)
    )]
    InUse {
        /// The state directory.
        directory: PathBuf,
        /// Its user's process id, if it has said so.
        pid: Option<u32>,
    },
    /// PostgreSQL runs on this data where it cannot be seen from here.
    #[error(
        "a PostgreSQL that cannot be seen from here, perhaps in another container, runs on {}: stop it first",
        directory.display()
    )]
    InUseElsewhere {
        /// Where the data is.
        directory: PathBuf,
    },
    /// A directory for the socket is there, but not ours.
    #[error("{} is not a private directory of {account}: remove it, or use a shorter state directory", directory.display())]
    NotPrivate {
        /// The directory.
        directory: PathBuf,
        /// Who should own it.
        account: String,
    },
    /// The operating system refused something.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was to be done, as a verb.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// `initdb` or what follows it failed.
    #[error("PostgreSQL's data could not be set up: {reason} (more in {})", log.display())]
    Setup {
        /// PostgreSQL's own words.
        reason: String,
        /// Where all of them are.
        log: PathBuf,
    },
    /// PostgreSQL ended instead of starting.
    #[error("PostgreSQL did not start: {reason} (more in {})", log.display())]
    Start {
        /// PostgreSQL's own words.
        reason: String,
        /// Where all of them are.
        log: PathBuf,
    },
    /// It has been starting for too long and was stopped.
    #[error("PostgreSQL was not ready after {seconds} s (see {})", log.display())]
    Slow {
        /// How long it was waited for.
        seconds: u64,
        /// Where it says what it was doing.
        log: PathBuf,
    },
    /// Nothing ended it.
    #[error("PostgreSQL (process {0}) does not end, not even when killed: its disk may be hanging")]
    Unkillable(u32),
    /// Given up on request.
    #[error("starting PostgreSQL was given up on request")]
    Cancelled,
}

impl ClusterError {
    /// For `map_err`: what was to be done to which file.
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> ClusterError {
        let path = path.into();
        move |source| ClusterError::Io { what, path, source }
    }
}

fn installed(found: Option<u32>) -> String {
    found.map_or_else(|| "PostgreSQL is not installed".to_owned(), |major| format!("PostgreSQL {major} is installed"))
}

fn process(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
