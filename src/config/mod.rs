//! Configuration: sources, their order, and one nested struct per module. Plain data; never opens a file, a socket or
//! the environment.
//!
//! [`settings::SETTINGS`] is the one table of what can be set. [`Config::resolve`] applies the sources to it in order
//! (built-in default, topology, tuning profile, file, environment, command line; the later wins) and says in
//! [`Provenance`] where each value came from.

use crate::http::{cors::Origins, network::Networks};
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
pub use values::http_url::HttpUrl;
pub use values::listen::ListenAddress;
pub use values::secret::{MASK, SYMMETRIC_KEY_BYTES, SecretText, SymmetricKey};
pub use values::words::{Argon2Preset, LogFormat, LogLevel, Prepare, ProxyProtocol, TokenMode};

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
    /// Access and refresh tokens.
    pub tokens: Tokens,
    /// Who may log in.
    pub login: Login,
    /// How often one may be wrong.
    pub limits: Limits,
    /// Peppers and keys.
    pub keys: Keys,
    /// Logs.
    pub log: Log,
    /// Traces.
    pub tracing: Tracing,
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
    /// Open connections of one address, over all shards; 0 sets no limit.
    pub connections_per_address_max: usize,
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
    /// Proxies that are believed when they say whom they forward for.
    pub trusted_proxies: Networks,
    /// Whether connections begin with a proxy's header.
    pub proxy_protocol: ProxyProtocol,
    /// Websites whose pages may read replies.
    pub cors_origins: Origins,
    /// The certificate and its chain, as PEM; none means plain HTTP.
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's key, as PEM; there exactly when the certificate is.
    pub tls_key: Option<PathBuf>,
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
    /// Whether this server does it.
    pub background: bool,
    /// Between two looks at the durable queue.
    pub worker_interval: Duration,
    /// How old a weak record may become while password cores are free.
    pub weak_age_max: Duration,
    /// Users claimed at once.
    pub claim_size: usize,
    /// Parameters of Argon2id that hold where none of the next three says otherwise.
    pub preset: Argon2Preset,
    /// Bytes of memory of one hash; none means the preset's.
    pub memory: Option<usize>,
    /// Passes over the memory; none means the preset's.
    pub passes: Option<usize>,
    /// Lanes; none means the preset's.
    pub lanes: Option<usize>,
    /// Whether parameters below the smallest recommendation are accepted.
    pub allow_weak_parameters: bool,
    /// Logins that wait for a password core, for each group of them.
    pub queue_max: usize,
    /// For a login to wait for a password core.
    pub login_deadline: Duration,
}

/// Access and refresh tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Tokens {
    /// Who can read access tokens.
    pub mode: TokenMode,
    /// The claim `iss`.
    pub issuer: String,
    /// The claim `aud`.
    pub audience: String,
    /// The Go version's key.
    pub symmetric_key: Option<SymmetricKey>,
    /// From issue to expiry.
    pub access_duration: Duration,
    /// From a session's last refresh to its end.
    pub refresh_idle: Duration,
    /// From a session's start to its end.
    pub refresh_absolute: Duration,
    /// For which the refresh token before the current one is honoured.
    pub refresh_grace: Duration,
    /// Sessions of one user at most.
    pub sessions_per_user: usize,
}

/// Who may log in.
#[derive(Debug, Clone, PartialEq)]
pub struct Login {
    /// Whether users whose status is still pending may.
    pub allow_pending: bool,
}

/// How often one may be wrong. 0 sets no limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Wrong passwords for one account before delays set in.
    pub login_failures_per_account: usize,
    /// Wrong passwords from one address before delays set in.
    pub login_failures_per_address: usize,
    /// Registrations from one address in an hour.
    pub registrations_per_address: usize,
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

/// Traces.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracing {
    /// Where a collector takes everything, by a path for each kind; none sends nothing.
    pub collector: Option<HttpUrl>,
    /// Where a collector takes traces; none means a path of `collector`.
    pub endpoint: Option<HttpUrl>,
    /// The share of requests that are recorded.
    pub sample_ratio: f64,
    /// Under which name this service is known.
    pub service_name: String,
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
