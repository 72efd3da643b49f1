//! Configuration: sources, their order, and one nested struct per module. Plain data; never opens a file, a socket or
//! the environment.
//!
//! [`settings::SETTINGS`] is the one table of what can be set. [`Config::resolve`] applies the sources to it in order
//! (built-in default, topology, tuning profile, file, environment, command line; the later wins) and says in
//! [`Provenance`] where each value came from.

use std::path::PathBuf;
use std::time::Duration;

mod error;
mod provenance;
mod relations;
mod resolve;
pub mod settings;
mod sources;
mod state_directory;
pub mod values;

#[cfg(test)]
mod tests;

pub use error::{ConfigError, Problem};
pub use provenance::{Entry, Provenance};
pub use resolve::Sources;
pub use sources::command_line::CliValues;
pub use sources::environment::Environment;
pub use sources::file::FileText;
pub use sources::{Source, Suggestions};
pub use values::cpus::CpuList;
pub use values::database_url::mask as mask_database_url;
pub use values::listen::ListenAddress;
pub use values::secret::{MASK, SYMMETRIC_KEY_BYTES, SecretText, SymmetricKey};
pub use values::words::{LogFormat, LogLevel, Prepare};

/// Everything that can be set. The meaning, range and default of each field stand in [`settings::SETTINGS`].
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The public HTTP front.
    pub server: Server,
    /// The operator's HTTP front.
    pub metrics: Metrics,
    /// The way to PostgreSQL.
    pub database: Database,
    /// Jeday's own state and private database cluster.
    pub cluster: Cluster,
    /// Batching of registrations.
    pub registration: Registration,
    /// What a password must look like.
    pub passwords: Passwords,
    /// Hardening of stored passwords.
    pub hardening: Hardening,
    /// Access tokens.
    pub tokens: Tokens,
    /// Peppers and keys.
    pub keys: Keys,
    /// Logs.
    pub log: Log,
    /// How the machine's cores are used.
    pub cores: Cores,
}

/// The public HTTP front.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Where clients connect.
    pub address: ListenAddress,
    /// Connections the kernel holds for each listener before they are accepted.
    pub backlog: usize,
    /// Open connections, over all shards.
    pub connections_max: usize,
    /// From the first byte of a request to the end of its header.
    pub header_timeout: Duration,
    /// From the end of the header to the end of the body.
    pub body_timeout: Duration,
    /// Between two requests.
    pub idle_timeout: Duration,
    /// For a reply to be taken by the client.
    pub write_timeout: Duration,
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Bytes of a request's header.
    pub header_bytes_max: usize,
    /// Whether another server of the same user may listen there too.
    pub share_address: bool,
    /// From the signal to stop to the end.
    pub drain_timeout: Duration,
}

/// The operator's HTTP front.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// Where it listens; none when it is off.
    pub address: Option<ListenAddress>,
}

/// The way to PostgreSQL.
#[derive(Debug, Clone, PartialEq)]
pub struct Database {
    /// URL or `key=value` pairs; none means the private cluster.
    pub url: Option<SecretText>,
    /// Connections for statements that write, for each shard.
    pub write_connections: usize,
    /// Connections for statements that only read, for each shard.
    pub read_connections: usize,
    /// For a batch, from its sending to its answer.
    pub deadline: Duration,
    /// For a connection to be made.
    pub connect_timeout: Duration,
    /// Whether statements are prepared.
    pub prepare: Prepare,
    /// Whether a server that may lose confirmed commits is accepted.
    pub allow_unsafe_durability: bool,
}

/// Jeday's own state and private database cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// Where the private cluster and the keys it goes with are kept.
    pub state_directory: PathBuf,
}

/// Batching of registrations.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// Registrations in one statement at most.
    pub batch_size: usize,
    /// Extra wait for a batch to grow.
    pub batch_wait: Duration,
    /// Registrations that wait for a statement, for each shard.
    pub queue_max: usize,
}

/// What a password must look like.
#[derive(Debug, Clone, PartialEq)]
pub struct Passwords {
    /// Fewest code points.
    pub min_chars: usize,
    /// Most code points.
    pub max_chars: usize,
}

/// Hardening of stored passwords.
#[derive(Debug, Clone, PartialEq)]
pub struct Hardening {
    /// Between two looks at the durable queue.
    pub worker_interval: Duration,
    /// Users claimed at once.
    pub claim_size: usize,
}

/// Access tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Tokens {
    /// The Go version's key.
    pub symmetric_key: Option<SymmetricKey>,
    /// From issue to expiry.
    pub access_duration: Duration,
}

/// Peppers and keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Keys {
    /// The file; none when a database was given and no file: then there is no place to make one unasked.
    pub file: Option<PathBuf>,
}

/// Logs.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// How much is logged.
    pub level: LogLevel,
    /// How it looks.
    pub format: LogFormat,
}

/// How the machine's cores are used.
#[derive(Debug, Clone, PartialEq)]
pub struct Cores {
    /// Shards that serve requests; none leaves it to the topology.
    pub request_shards: Option<usize>,
    /// Cores that compute password hashes; none leaves it to the topology.
    pub password_cores: Option<usize>,
    /// CPUs to use; none means all that the process may use.
    pub cpus: Option<CpuList>,
}
