//! From sources to a configuration. Pure: everything comes in as an argument.

use super::error::{ConfigError, Problem};
use super::provenance::Provenance;
use super::settings::{self, Fallback, SETTINGS};
use super::sources::command_line::CliValues;
use super::sources::environment::Environment;
use super::sources::file::{FileText, Role};
use super::sources::{Given, Source, Suggestions};
use super::state_directory::state_directory;
use super::{
    Argon2Preset, Cluster, Config, Cores, Database, Hardening, Keys, Limits, ListenAddress, Log, LogFormat, LogLevel,
    Login, Metrics, Passwords, Prepare, ProxyProtocol, Registration, Server, TokenMode, Tokens, Tracing, relations,
};
use crate::http::{cors::Origins, network::Network};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

/// Name of the keys file inside the state directory.
const KEYS_FILE_NAME: &str = "keys";

/// What a configuration is made of; the later fields win over the earlier.
#[derive(Default)]
pub struct Sources<'a> {
    /// What the machine's topology suggests.
    pub topology: Suggestions,
    /// A tuning profile.
    pub profile: Option<&'a FileText>,
    /// The configuration file.
    pub file: Option<&'a FileText>,
    /// The environment.
    pub environment: Environment,
    /// The command line.
    pub cli: CliValues,
}

impl Config {
    /// Applies the sources in order, the built-in defaults first, and then checks settings against each other.
    /// A value is checked even when a later source overrides it: a mistake that hides is found when it hurts most.
    ///
    /// # Errors
    /// Everything that is wrong in any of the sources, at once.
    pub fn resolve(sources: &Sources<'_>) -> Result<(Self, Provenance), ConfigError> {
        let mut building = Building { config: blank(), provenance: Provenance::unset(), problems: Vec::new() };
        building.defaults(&sources.environment);
        building.topology(&sources.topology);
        let mut problems = Vec::new();
        let mut given = Vec::new();
        if let Some(profile) = sources.profile {
            given.extend(profile.given(Role::Profile, &mut problems));
        }
        if let Some(file) = sources.file {
            given.extend(file.given(Role::Configuration, &mut problems));
        }
        given.extend(sources.environment.given(&mut problems));
        given.extend(sources.cli.given(&mut problems));
        for given in &given {
            building.apply(given);
        }
        building.keys_file();
        problems.append(&mut building.problems);
        if problems.is_empty() {
            problems = relations::check(&building.config, &building.provenance);
        }
        if problems.is_empty() { Ok((building.config, building.provenance)) } else { Err(ConfigError { problems }) }
    }
}

/// The built-in defaults, as they hold for a process with an empty environment.
impl Default for Config {
    fn default() -> Self {
        let (config, _) =
            Self::resolve(&Sources::default()).expect("a test resolves the built-in defaults without any source");
        config
    }
}

struct Building {
    config: Config,
    provenance: Provenance,
    problems: Vec<Problem>,
}

impl Building {
    fn apply(&mut self, given: &Given) {
        let Given { setting, source, text } = given;
        match setting.assign(text, &mut self.config) {
            Ok(value) => self.provenance.record(setting, value, source.clone()),
            Err(reason) => self.problems.push(Problem::bad_value(setting, source, text, &reason)),
        }
    }

    fn defaults(&mut self, environment: &Environment) {
        for &setting in SETTINGS {
            let (text, source) = match setting.default {
                Fallback::Value(text) => (text.to_owned(), Source::Default),
                Fallback::StateDirectory => state_directory(environment),
                Fallback::Unset(_) | Fallback::KeysFile => continue,
            };
            self.apply(&Given { setting, source, text });
        }
    }

    fn topology(&mut self, suggestions: &Suggestions) {
        for (key, text) in suggestions.iter() {
            match settings::find(key) {
                Some(setting) => self.apply(&Given { setting, source: Source::Topology, text: text.to_owned() }),
                None => self.problems.push(Problem::unknown_key("topology", key)),
            }
        }
    }

    /// Known only when the state directory and the database are: a given database belongs to an operator, who is to
    /// say where its keys are, because other nodes need the same ones.
    fn keys_file(&mut self) {
        if self.config.keys.file.is_some() || self.config.database.url.is_some() {
            return;
        }
        let path = self.config.cluster.state_directory.join(KEYS_FILE_NAME);
        for &setting in SETTINGS {
            if setting.default == Fallback::KeysFile {
                self.apply(&Given {
                    setting,
                    source: Source::Derived("cluster.state_directory"),
                    text: path.to_string_lossy().into_owned(),
                });
            }
        }
    }
}

/// Every field is overwritten by its setting's default, or stays empty by that default; a test checks that none keeps
/// the values chosen here, which stand out.
fn blank() -> Config {
    let address = ListenAddress::Any { port: 0 };
    Config {
        server: Server {
            address: address.clone(),
            backlog: usize::MAX,
            connections_max: usize::MAX,
            connections_per_address_max: usize::MAX,
            header_timeout: Duration::MAX,
            body_timeout: Duration::MAX,
            idle_timeout: Duration::MAX,
            write_timeout: Duration::MAX,
            body_bytes_max: usize::MAX,
            header_bytes_max: usize::MAX,
            share_address: true,
            drain_timeout: Duration::MAX,
            trusted_proxies: [Network::from(IpAddr::V4(Ipv4Addr::BROADCAST))].into_iter().collect(),
            proxy_protocol: ProxyProtocol::Required,
            cors_origins: Origins::parse("http://blank.invalid").unwrap_or_default(),
            tls_certificate: None,
            tls_key: None,
        },
        metrics: Metrics { address: Some(address) },
        database: Database {
            url: None,
            write_connections: usize::MAX,
            read_connections: usize::MAX,
            deadline: Duration::MAX,
            connect_timeout: Duration::MAX,
            prepare: Prepare::Never,
            allow_unsafe_durability: true,
        },
        cluster: Cluster { state_directory: PathBuf::new() },
        registration: Registration { batch_size: usize::MAX, batch_wait: Duration::MAX, queue_max: usize::MAX },
        passwords: Passwords { min_chars: usize::MAX, max_chars: usize::MAX },
        hardening: Hardening {
            background: false,
            worker_interval: Duration::MAX,
            weak_age_max: Duration::MAX,
            claim_size: usize::MAX,
            preset: Argon2Preset::Owasp7m,
            memory: Some(usize::MAX),
            passes: Some(usize::MAX),
            lanes: Some(usize::MAX),
            allow_weak_parameters: true,
            queue_max: usize::MAX,
            login_deadline: Duration::MAX,
        },
        tokens: Tokens {
            mode: TokenMode::Public,
            issuer: String::new(),
            audience: String::new(),
            symmetric_key: None,
            access_duration: Duration::MAX,
            refresh_idle: Duration::MAX,
            refresh_absolute: Duration::MAX,
            refresh_grace: Duration::MAX,
            sessions_per_user: usize::MAX,
        },
        login: Login { allow_pending: false },
        limits: Limits {
            login_failures_per_account: usize::MAX,
            login_failures_per_address: usize::MAX,
            registrations_per_address: usize::MAX,
        },
        keys: Keys { file: None },
        log: Log { level: LogLevel::Off, format: LogFormat::Human },
        tracing: Tracing { collector: None, endpoint: None, sample_ratio: f64::MAX, service_name: String::new() },
        cores: Cores {
            request_shards: Some(usize::MAX),
            password_cores: Some(usize::MAX),
            cpus: Some(super::CpuList::none()),
        },
    }
}
