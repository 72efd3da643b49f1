//! Opens one connection: finds the host, negotiates TLS, logs in, and makes sure that the server is one to entrust
//! confirmed registrations to. Never retries by itself and keeps no state: that is the connection group's business.
//!
//! Durability. A commit must have reached the disk before a client is told so. Of `synchronous_commit`, `off` is
//! refused. `on` and `remote_apply` are accepted, and `remote_write` too: it flushes locally like `on` and lets go of
//! the standby's flush alone, so that only the loss of both machines at once could lose a commit. `local` is the same
//! as `on` where no synchronous standby is named, and refused where one is: a failover would lose what was confirmed.

mod error;
mod keys;
mod session;

pub use super::tls::TlsFault;
pub use error::{ConnectError, UNREACHABLE};
pub(super) use keys::CancelRequest;
pub use session::Weakness;

use super::{
    link::{Link, Server},
    target::{ChannelBinding, Host, Place, SessionAttributes, Target, look_up_password},
    tls::Tls,
    transport::{Address, Dialer, Done},
};
use session::Facts;
use std::{
    fs,
    net::{SocketAddr, ToSocketAddrs},
    os::unix::fs::MetadataExt,
    path::Path,
    rc::Rc,
    time::Duration,
};
use tokio_postgres::config::{self, Config, SslNegotiation};

/// For one server to answer, when the connection string sets no `connect_timeout`: several lost packets or a busy
/// start, yet soon enough to try the next host.
const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);

/// Where PostgreSQL puts its socket when nobody says otherwise: distributions' choice, then the sources' own.
const DEFAULT_SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];

const APPLICATION_NAME_DEFAULT: &str = "jeday";

/// How statements are prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prepare {
    /// Named statements, unless a pooler stands in between.
    #[default]
    Auto,
    /// Named statements: right for a pooler in session mode, or one that follows prepared statements.
    Always,
    /// Unnamed statements, parsed again at each call: right for every pooler.
    Never,
}

/// What the connection string does not say.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Accept a server that may lose committed transactions; [`Server::weakness`] then tells.
    pub allow_unsafe_durability: bool,
    /// How statements are prepared.
    pub prepare: Prepare,
    /// For each address, when the connection string sets no `connect_timeout`.
    pub connect_timeout: Duration,
}

impl Default for ConnectOptions {
    fn default() -> ConnectOptions {
        ConnectOptions {
            allow_unsafe_durability: false,
            prepare: Prepare::default(),
            connect_timeout: CONNECT_TIMEOUT_DEFAULT,
        }
    }
}

/// Connects to the first acceptable host, on the current shard.
///
/// # Errors
/// [`ConnectError`]: that of the only host tried, or of all in order. Hosts after one that answered with a final
/// refusal (a wrong password, a missing database) are not tried, as in libpq.
pub async fn connect(target: &Target, options: &ConnectOptions) -> Result<Link, ConnectError> {
    let files = {
        let target = target.clone();
        shards::blocking(move || Files::load(&target)).await?
    };
    let attempt = Attempt { target, options, files };
    let passes: &[SessionAttributes] = match &target.attributes {
        SessionAttributes::PreferStandby => &[SessionAttributes::Standby, SessionAttributes::Any],
        wanted => &[*wanted],
    };
    let mut hosts: Vec<&Host> = target.hosts.iter().collect();
    let mut failures = Vec::new();
    for wanted in passes {
        if target.random_order {
            shuffle(&mut hosts);
        }
        failures.clear();
        for host in &hosts {
            match attempt.host(host, *wanted).await {
                Ok(link) => return Ok(link),
                Err(mut errors) => {
                    let is_final = errors.last().is_some_and(|error| !error.may_pass());
                    failures.append(&mut errors);
                    if is_final {
                        return Err(ConnectError::of(failures));
                    }
                }
            }
        }
    }
    Err(ConnectError::of(failures))
}

/// What is read from disk, off the shard.
struct Files {
    user: String,
    passwords: Option<String>,
    dialer: Dialer,
}

impl Files {
    fn load(target: &Target) -> Result<Files, ConnectError> {
        let user = match &target.user {
            Some(user) => user.clone(),
            None => whoami::username().map_err(|error| ConnectError::NoUser { reason: error.to_string() })?,
        };
        let has_tcp = target.hosts.iter().any(|host| matches!(host.place, Place::Tcp { .. }));
        let tls = if has_tcp { Tls::load(&target.tls).map_err(|fault| ConnectError::Files { fault })? } else { None };
        let passwords = match (&target.password, &target.passfile) {
            (None, Some(file)) => read_passwords(file),
            _ => None,
        };
        let dialer = Dialer { keepalive: target.keepalive, user_timeout: target.user_timeout, tls };
        Ok(Files { user, passwords, dialer })
    }
}

/// A password file that others may read is left alone, as libpq does.
fn read_passwords(file: &Path) -> Option<String> {
    let metadata = fs::metadata(file).ok().filter(fs::Metadata::is_file)?;
    if metadata.mode() & 0o077 != 0 {
        tracing::warn!(file = %file.display(), "password file ignored: others may read it; chmod 0600 it");
        return None;
    }
    fs::read_to_string(file).ok()
}

struct Attempt<'a> {
    target: &'a Target,
    options: &'a ConnectOptions,
    files: Files,
}

impl Attempt<'_> {
    /// Tries every address of one host.
    async fn host(&self, host: &Host, wanted: SessionAttributes) -> Result<Link, Vec<ConnectError>> {
        let limit = self.target.connect_timeout.unwrap_or(self.options.connect_timeout);
        let found = shards::timeout(limit, addresses(host)).await.unwrap_or_else(|_| {
            Err(ConnectError::TimedOut { place: host.to_string(), doing: "looking up its name", limit })
        });
        let mut addresses = found.map_err(|error| vec![error])?;
        if self.target.random_order {
            shuffle(&mut addresses);
        }
        let mut failures = Vec::new();
        for address in &addresses {
            let place = address.to_string();
            let outcome = shards::timeout(limit, Box::pin(self.address(host, address, wanted)))
                .await
                .unwrap_or(Err(ConnectError::TimedOut { place, doing: "connecting", limit }));
            match outcome {
                Ok(link) => return Ok(link),
                Err(error) => {
                    let is_final = !error.may_pass();
                    failures.push(error);
                    if is_final {
                        break;
                    }
                }
            }
        }
        Err(failures)
    }

    async fn address(&self, host: &Host, address: &Address, wanted: SessionAttributes) -> Result<Link, ConnectError> {
        match self.session(host, address, wanted, true).await {
            // sslmode=prefer: a server that fails at TLS, or whose pg_hba.conf has no line for it, may do without.
            Err(error) if self.files.dialer.tls.as_ref().is_some_and(Tls::is_optional) && error.plain_may_do() => {
                self.session(host, address, wanted, false).await
            }
            outcome => outcome,
        }
    }

    async fn session(
        &self,
        host: &Host,
        address: &Address,
        wanted: SessionAttributes,
        encrypt: bool,
    ) -> Result<Link, ConnectError> {
        let place = address.to_string();
        let transport =
            self.files.dialer.dial(address, encrypt).await.map_err(|error| ConnectError::dialing(error, address))?;
        let encrypted = transport.is_encrypted();
        let config = self.config(host);
        let (client, connection) = config
            .connect_raw(transport, Done)
            .await
            .map_err(|error| ConnectError::logging_in(&error, &place, &self.files.user, self.database()))?;
        let key = keys::capture(&client.cancel_token()).await;
        let dialer = Rc::new(self.files.dialer.clone());
        let driver = super::link::Driver::start(connection, dialer, address.clone(), encrypted, key);
        let facts = Facts::ask(&client)
            .await
            .map_err(|error| ConnectError::logging_in(&error, &place, &self.files.user, self.database()))?;
        if !facts.satisfies(wanted) {
            return Err(ConnectError::Attributes { place, wanted: wanted.as_str() });
        }
        let weakness = facts.weakness();
        if let Some(weakness) = weakness.filter(|_| !self.options.allow_unsafe_durability) {
            return Err(ConnectError::NotDurable { place, weakness });
        }
        let pooled = key.process_id() != facts.backend;
        let named = match self.options.prepare {
            Prepare::Auto => !pooled,
            Prepare::Always => true,
            Prepare::Never => false,
        };
        let server = Server { place, version: facts.version, encrypted, pooled, weakness };
        Ok(Link::new(client, driver, server, named))
    }

    fn database(&self) -> &str {
        self.target.database.as_deref().unwrap_or(&self.files.user)
    }

    fn config(&self, host: &Host) -> Config {
        let target = self.target;
        let mut config = Config::new();
        // The transport has settled TLS already; this makes tokio-postgres take it as it is.
        config.ssl_mode(config::SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        config.user(&self.files.user).dbname(self.database());
        config.application_name(target.application_name.as_deref().unwrap_or(APPLICATION_NAME_DEFAULT));
        if let Some(options) = &target.options {
            config.options(options);
        }
        config.channel_binding(match target.channel_binding {
            ChannelBinding::Disable => config::ChannelBinding::Disable,
            ChannelBinding::Prefer => config::ChannelBinding::Prefer,
            ChannelBinding::Require => config::ChannelBinding::Require,
        });
        if let Some(password) = &target.password {
            config.password(password.expose());
        } else if let Some(password) = self.files.passwords.as_ref().and_then(|text| {
            look_up_password(text, &host.name_in_password_file(), host.port, self.database(), &self.files.user)
        }) {
            config.password(password.expose());
        }
        config
    }
}

impl Host {
    fn name_in_password_file(&self) -> String {
        match &self.place {
            Place::Tcp { name, address: Some(address) } if name.is_empty() => address.to_string(),
            Place::Tcp { name, .. } => name.clone(),
            Place::Socket(directory) if !is_default_directory(directory) => directory.to_string_lossy().into_owned(),
            Place::Socket(_) | Place::DefaultSocket => "localhost".to_owned(),
        }
    }
}

fn is_default_directory(directory: &Path) -> bool {
    DEFAULT_SOCKET_DIRECTORIES.iter().any(|default| directory == Path::new(default))
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Tcp { name, address: Some(address) } if name.is_empty() => write!(f, "{address}:{}", self.port),
            Place::Tcp { name, .. } => write!(f, "{name}:{}", self.port),
            Place::Socket(directory) => write!(f, "{} (port {})", directory.display(), self.port),
            Place::DefaultSocket => write!(f, "{} (port {})", DEFAULT_SOCKET_DIRECTORIES[0], self.port),
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "{}", path.display()),
            Address::Tcp { socket, host } if host.is_empty() || *host == socket.ip().to_string() => {
                write!(f, "{socket}")
            }
            Address::Tcp { socket, host } => write!(f, "{host} ({socket})"),
        }
    }
}

/// Never empty.
async fn addresses(host: &Host) -> Result<Vec<Address>, ConnectError> {
    let socket = |directory: &Path| Address::Unix(directory.join(format!(".s.PGSQL.{}", host.port)));
    match &host.place {
        Place::Socket(directory) => Ok(vec![socket(directory)]),
        Place::DefaultSocket => {
            Ok(DEFAULT_SOCKET_DIRECTORIES.iter().map(|directory| socket(Path::new(directory))).collect())
        }
        Place::Tcp { name, address: Some(address) } => {
            Ok(vec![Address::Tcp { socket: SocketAddr::new(*address, host.port), host: name.clone() }])
        }
        Place::Tcp { name, address: None } => {
            let (name, port) = (name.clone(), host.port);
            let looked_up = {
                let name = name.clone();
                shards::blocking(move || (name.as_str(), port).to_socket_addrs().map(Vec::from_iter)).await
            };
            match looked_up {
                Ok(sockets) if !sockets.is_empty() => {
                    let mut unique: Vec<SocketAddr> = Vec::with_capacity(sockets.len());
                    for socket in sockets {
                        if !unique.contains(&socket) {
                            unique.push(socket);
                        }
                    }
                    Ok(unique.into_iter().map(|socket| Address::Tcp { socket, host: name.clone() }).collect())
                }
                Ok(_) => Err(ConnectError::Name { host: name, reason: "it has no address".to_owned() }),
                Err(error) => Err(ConnectError::Name { host: name, reason: error.to_string() }),
            }
        }
    }
}

/// Fisher and Yates; an operating system without random numbers leaves the order as it is.
fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let random = getrandom::u64().unwrap_or(last as u64);
        items.swap(last, (random % (last as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Host {
        Target::parse(text, |_| None).unwrap().hosts.remove(0)
    }

    #[test]
    fn password_file_knows_default_sockets_as_localhost() {
        assert_eq!(host("").name_in_password_file(), "localhost");
        assert_eq!(host("host=/var/run/postgresql").name_in_password_file(), "localhost");
        assert_eq!(host("host=/srv/pg").name_in_password_file(), "/srv/pg");
        assert_eq!(host("host=db hostaddr=10.0.0.1").name_in_password_file(), "db");
        assert_eq!(host("hostaddr=10.0.0.1").name_in_password_file(), "10.0.0.1");
    }

    #[test]
    fn shuffling_keeps_every_host() {
        let mut items: Vec<u32> = (0..50).collect();
        shuffle(&mut items);
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
