//! Why there is no connection, told apart by what an operator does about it. Every text is a sentence with a remedy;
//! none holds a secret.

use super::{
    super::{
        link::LinkError,
        sqlstate::Class,
        tls::TlsFault,
        transport::{Address, DialError},
    },
    session::Weakness,
};
use std::{error::Error as _, io, time::Duration};
use tokio_postgres::{Error, error::DbError};

/// In short, whatever is wrong with the way to the database.
pub const UNREACHABLE: &str = "unreachable";

/// What stands between Jeday and the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The host name leads nowhere.
    #[error("the database host {host} was not found ({reason}); check its spelling and the name server")]
    Name {
        /// As configured.
        host: String,
        /// The resolver's words.
        reason: String,
    },
    /// Nobody listens there.
    #[error("no PostgreSQL listens at {place}; start it, or correct the host and port")]
    Refused {
        /// The address or socket.
        place: String,
    },
    /// The operating system could not get there.
    #[error("{place} cannot be reached: {reason}; check the network and the socket's permissions")]
    Unreachable {
        /// The address or socket.
        place: String,
        /// The system's words.
        reason: String,
    },
    /// No answer in time.
    #[error("{place} did not answer within {} ms while {doing}; check the network, or raise connect_timeout", limit.as_millis())]
    TimedOut {
        /// The address or socket.
        place: String,
        /// Which step took too long.
        doing: &'static str,
        /// What was allowed.
        limit: Duration,
    },
    /// The server ended the connection without a word.
    #[error("{place} ended the connection during log-in ({reason}); is it PostgreSQL, and is it healthy?")]
    Dropped {
        /// The address or socket.
        place: String,
        /// What was seen.
        reason: String,
    },
    /// Wrong user, password or certificate.
    #[error("{place} did not accept the credentials of user {user}: {reason}; check the user and the password")]
    Authentication {
        /// The address or socket.
        place: String,
        /// Who tried.
        user: String,
        /// The server's words.
        reason: String,
    },
    /// The server's rules keep this user out, whatever the password.
    #[error(
        "{place} does not let user {user} in: {reason}; see that the role exists with LOGIN and that pg_hba.conf has a \
         line for it"
    )]
    NotAllowed {
        /// The address or socket.
        place: String,
        /// Who tried.
        user: String,
        /// The server's words.
        reason: String,
    },
    /// A password is wanted and there is none.
    #[error("{place} asks for the password of user {user}; give it in the database URL, PGPASSWORD or ~/.pgpass")]
    PasswordMissing {
        /// The address or socket.
        place: String,
        /// Who tried.
        user: String,
    },
    /// No such database.
    #[error("there is no database {database} at {place}; create it (createdb {database}) or correct the name")]
    DatabaseMissing {
        /// The address or socket.
        place: String,
        /// The name that was asked for.
        database: String,
    },
    /// TLS did not come about.
    #[error("no TLS to {place}: {fault}")]
    Tls {
        /// The address.
        place: String,
        /// What went wrong.
        fault: TlsFault,
    },
    /// Files for TLS cannot be used.
    #[error("TLS to the database is not possible: {fault}")]
    Files {
        /// What is wrong.
        fault: TlsFault,
    },
    /// The operating system's user has no name.
    #[error("the database URL names no user and the system's is unknown ({reason}); add user= or PGUSER")]
    NoUser {
        /// The system's words.
        reason: String,
    },
    /// All places are taken.
    #[error("{place} has no connection left; raise max_connections there, or let Jeday use fewer")]
    TooManyConnections {
        /// The address or socket.
        place: String,
    },
    /// Not up yet, or going down.
    #[error("{place} takes no connections just now ({reason}); wait until it is up")]
    StartingUp {
        /// The address or socket.
        place: String,
        /// The server's words.
        reason: String,
    },
    /// Not the kind of server that was asked for.
    #[error(
        "{place} is not a {wanted} server, as is wanted here (target_session_attrs); add the right host to the list, or see \
         default_transaction_read_only"
    )]
    Attributes {
        /// The address or socket.
        place: String,
        /// libpq's word for what was wanted.
        wanted: &'static str,
    },
    /// Confirmed registrations could be lost.
    #[error(
        "{place} has {} = {}: {}; run there: {}",
        weakness.setting, weakness.value, weakness.danger, weakness.remedy
    )]
    NotDurable {
        /// The address or socket.
        place: String,
        /// The setting at fault.
        weakness: Weakness,
    },
    /// A pooler does not pass a parameter on.
    #[error(
        "{place} takes no start-up parameter {name}; remove it from the database URL and set it with ALTER ROLE ... SET, \
         or add it to ignore_startup_parameters in pgbouncer.ini"
    )]
    StartupParameter {
        /// The address or socket.
        place: String,
        /// The parameter.
        name: String,
    },
    /// Another refusal.
    #[error("{place} refused the connection (SQLSTATE {code}): {message}")]
    Server {
        /// The address or socket.
        place: String,
        /// The code.
        code: String,
        /// The server's words.
        message: String,
    },
    /// Our statements could not be prepared on the new connection.
    #[error("the database does not take Jeday's statements: {0}{remedy}", remedy = remedy(.0))]
    Prepare(#[from] LinkError),
    /// None of several would do.
    #[error("none of the database's hosts will do: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    All(Vec<ConnectError>),
}

fn remedy(error: &LinkError) -> &'static str {
    match error {
        LinkError::Refused(refusal) if refusal.class() == Class::Schema => {
            "; run: jeday migrate up, as a role that may create tables, and grant Jeday's role access to them"
        }
        _ => "",
    }
}

impl ConnectError {
    /// Whether waiting or another host may help, as opposed to somebody having to change something.
    pub fn may_pass(&self) -> bool {
        match self {
            ConnectError::Name { .. }
            | ConnectError::Refused { .. }
            | ConnectError::Unreachable { .. }
            | ConnectError::TimedOut { .. }
            | ConnectError::Dropped { .. }
            | ConnectError::TooManyConnections { .. }
            | ConnectError::StartingUp { .. }
            | ConnectError::Attributes { .. } => true,
            ConnectError::Authentication { .. }
            | ConnectError::NotAllowed { .. }
            | ConnectError::PasswordMissing { .. }
            | ConnectError::DatabaseMissing { .. }
            | ConnectError::Tls { .. }
            | ConnectError::Files { .. }
            | ConnectError::NoUser { .. }
            | ConnectError::NotDurable { .. }
            | ConnectError::StartupParameter { .. }
            | ConnectError::Server { .. } => false,
            ConnectError::Prepare(LinkError::Refused(refusal)) => refusal.class() != Class::Schema,
            ConnectError::Prepare(_) => true,
            ConnectError::All(errors) => errors.iter().all(ConnectError::may_pass),
        }
    }

    /// What is wrong, in words that name no host and no user. Of several hosts, one that could be reached says most.
    pub fn in_short(&self) -> &'static str {
        match self {
            ConnectError::TooManyConnections { .. } => "no connection left",
            ConnectError::Attributes { .. } => "read-only",
            ConnectError::NotDurable { .. } => "not durable",
            ConnectError::Prepare(LinkError::Refused(refusal)) if refusal.class() == Class::Schema => "not migrated",
            ConnectError::Authentication { .. }
            | ConnectError::NotAllowed { .. }
            | ConnectError::PasswordMissing { .. }
            | ConnectError::DatabaseMissing { .. } => "access refused",
            ConnectError::All(errors) => {
                let words = errors.iter().map(ConnectError::in_short);
                words.fold(UNREACHABLE, |most, next| if next == UNREACHABLE { most } else { next })
            }
            _ => UNREACHABLE,
        }
    }

    /// Whether sslmode=prefer goes on without TLS: it failed, or pg_hba.conf has no line for it (28000).
    pub(super) fn plain_may_do(&self) -> bool {
        matches!(self, ConnectError::Tls { .. } | ConnectError::Dropped { .. } | ConnectError::NotAllowed { .. })
    }

    /// One error as it is, several as a list.
    pub(super) fn of(mut errors: Vec<ConnectError>) -> ConnectError {
        if errors.len() == 1 { errors.swap_remove(0) } else { ConnectError::All(errors) }
    }

    pub(super) fn dialing(error: DialError, address: &Address) -> ConnectError {
        let place = address.to_string();
        match error {
            DialError::Tls(fault) => ConnectError::Tls { place, fault },
            DialError::Io(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => ConnectError::Refused { place },
                io::ErrorKind::NotFound => ConnectError::Refused { place },
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                    ConnectError::Dropped { place, reason: error.to_string() }
                }
                _ => ConnectError::Unreachable { place, reason: error.to_string() },
            },
        }
    }

    pub(super) fn logging_in(error: &Error, place: &str, user: &str, database: &str) -> ConnectError {
        let place = place.to_owned();
        let user = user.to_owned();
        if let Some(refusal) = error.as_db_error() {
            return ConnectError::refused(refusal, place, user, database);
        }
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        // tokio-postgres keeps the kind to itself: its texts are all there is to go by, and pinned by tests.
        if cause == "password missing" {
            return ConnectError::PasswordMissing { place, user };
        }
        if error.to_string() == "authentication error" {
            return ConnectError::Authentication { place, user, reason: cause };
        }
        // In TLS 1.3 the server judges the client's certificate when the handshake is over for the client.
        let io = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        if let Some(io) = io.filter(|io| io.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())) {
            return ConnectError::Tls { fault: TlsFault::explain(io, &place, None), place };
        }
        ConnectError::Dropped { place, reason: cause }
    }

    fn refused(refusal: &DbError, place: String, user: String, database: &str) -> ConnectError {
        let message = refusal.message().to_owned();
        let has = |words: &str| message.contains(words);
        match refusal.code().code() {
            "28P01" => ConnectError::Authentication { place, user, reason: message },
            "28000" => ConnectError::NotAllowed { place, user, reason: message },
            "3D000" => ConnectError::DatabaseMissing { place, database: database.to_owned() },
            "53300" => ConnectError::TooManyConnections { place },
            "57P03" | "57P01" | "57P02" => ConnectError::StartingUp { place, reason: message },
            // PgBouncer has one code for everything.
            "08P01" if has("unsupported startup parameter") => {
                let name = message.rsplit(':').next().unwrap_or_default().trim().to_owned();
                ConnectError::StartupParameter { place, name }
            }
            "08P01" if has("no such database") || (has("database") && has("does not exist")) => {
                ConnectError::DatabaseMissing { place, database: database.to_owned() }
            }
            "08P01" if has("no such user") || has("authentication failed") => {
                ConnectError::Authentication { place, user, reason: message }
            }
            "08P01" if has("no more connections") => ConnectError::TooManyConnections { place },
            "08P01" if has("login") || has("shut down") || has("server") => {
                ConnectError::StartingUp { place, reason: message }
            }
            code => ConnectError::Server { place, code: code.to_owned(), message },
        }
    }
}
