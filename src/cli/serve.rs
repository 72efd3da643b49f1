//! `jeday serve`: brings everything up in order, waits, and takes it down again. Serves no request itself.

mod database;
mod interrupts;
mod keys;
mod listeners;
mod oversight;
mod password_cores;
mod process;
pub(super) mod tls;

pub(super) use database::{configured, options};

use super::{CliError, Context, Everything, SettingFlags, placement};
use crate::{
    account::PasswordPolicy,
    batch::{GroupConfig, Window},
    config, connection,
    hardening::{BacklogConfig, BacklogGauge, Pace, PasswordCores},
    http::{body::BodyLimits, head::HeadLimits},
    limits::{self, BACKLOG_WORKERS, HASHES_END_WITHIN, TRACE_FLUSH_WITHIN},
    postgres::cluster::{Cluster, ClusterEvent},
    routes::Front,
    server::{self, Policy, SessionLimits},
    telemetry::{self, Exporter, LogGuard, Registry, TraceConfig},
};
use database::Database;
use interrupts::Interrupts;
use oversight::Overseer;
use placement::Placement;
use shards::{Fleet, FleetError, Listener, ShardSpec, offload::Ending, preflight, topology::Plan};
use std::{
    io::{self, IsTerminal},
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

const AFTER_HELP: &str = "\
Examples:
  jeday serve
      Try it: a private PostgreSQL of its own, http://127.0.0.1:8080
  DB_URL=postgres://jeday:secret@db/auth jeday serve --address :8080 --key-file keys
      Every address of the machine, and a database of yours;
      'jeday migrate up' and 'jeday keygen' once before
  jeday serve --config /etc/jeday.toml --set log.level=debug
      A configuration file, and one setting overridden

Signals:
  SIGTERM, SIGINT   Stop accepting, answer what is under way, end with status 0;
                    a second one ends at once
  SIGHUP            Read certificate and key again, where TLS is spoken; connections
                    go on, and new ones get what is in the files

Exit status:
  70  Something inside did not get on any more, which the log describes: a
      shard without a sign of life, or no password core that ends a hash and
      none left to replace one.
      Whoever has started the server should start it again; systemd does by
      Restart=on-failure";

/// How long PostgreSQL may take to write its buffers when the private cluster is stopped.
const CLUSTER_STOP: Duration = Duration::from_secs(20);

/// Where a collector takes traces (OTLP 1.x, OTLP/HTTP Request).
const TRACES_PATH: &str = "v1/traces";

/// Run the server
///
/// Without a database it starts a private PostgreSQL cluster in its state directory and stops it again at the end.
#[derive(Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Flags of single settings.
    #[command(flatten)]
    pub settings: SettingFlags<Everything>,
}

/// What a process is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Serves clients, and hardens what they store.
    Server,
    /// Only hardens what servers have stored.
    Worker,
}

/// Serves until a signal comes or something fails.
///
/// # Errors
/// Whatever keeps the server from starting, or ends it before it is told to.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    bring_up(Role::Server, &placement::resolve(context, &args.settings.values)?, context)
}

/// Brings up what the role needs, waits, and takes it down again.
pub(super) fn bring_up(role: Role, placement: &Placement, context: &Context) -> Result<ExitCode, CliError> {
    let Placement { config, provenance, topology, plan, .. } = placement;
    let logs = init_logs(&config.log)?;
    let speaks_tls = role == Role::Server && config.server.tls_certificate.is_some();
    // Started by hand, a server is to end with its terminal; by systemd, a reload must not end it.
    let interrupts = Interrupts::watch(speaks_tls || !io::stderr().is_terminal())?;
    for entry in provenance.without_effect() {
        tracing::warn!(setting = entry.setting.key, since = %entry.setting.since, "is set, but has no effect yet");
    }
    check_machine(config, plan)?;
    let certificates = if speaks_tls { tls::load(&config.server)? } else { None };
    tls::reload_by(&interrupts, certificates.clone());

    let public = match role {
        Role::Server => Some(listeners::public(&config.server, plan.shards.len())?),
        Role::Worker => None,
    };
    let operator = config.metrics.address.as_ref().map(listeners::operator).transpose()?;
    let addresses = Addresses {
        public: public.as_ref().map(|(address, _)| *address),
        operator: operator.as_ref().map(|(address, _)| *address),
        scheme: if speaks_tls { "https" } else { "http" },
    };
    let cancelled = interrupts.cancelled();
    let connections = database_connections(config, plan);
    let mut database = database::open(config, context.environment(), connections, topology.memory_bytes, cancelled)?;
    // After the private cluster, which has made the directory that both are in, and has locked it.
    let keys = keys::load(config)?;
    let registry = Arc::new(Registry::new(server::NAMES, plan.shards.len()));
    registry.export_dropped_lines(logs.dropped_lines());
    let password_cores = password_cores::start(placement)?;
    let backlog = BacklogGauge::default();
    if let Some(certificates) = &certificates {
        registry.export_certificate(tls::figures(certificates));
    }
    registry.export_hardening(password_cores::figures(&password_cores, &backlog));
    let exporter = match role {
        Role::Server => exporter(&config.tracing)?,
        Role::Worker => None,
    };
    let traces = exporter.as_ref().map(Exporter::traces);
    exporter.iter().for_each(|exporter| registry.export_traces(exporter.counts()));
    let mut overseer = Overseer::new(registry.clone(), &password_cores);
    let serving = Serving {
        config: Arc::new(server_config(config, &database, plan)?),
        process: Arc::new(process::process(config, &keys, &database.routing_key, certificates, registry, traces)?),
        own: own(plan, public, operator, &password_cores, &backlog_config(config, &database), &backlog),
    };
    let ready = ready_line(role, placement, &database, addresses);
    let cluster = database.cluster.take().map(supervise).transpose()?;
    let specs: Vec<_> =
        plan.shards.iter().map(|shard| ShardSpec { index: shard.index, cpu: Some(shard.cpu) }).collect();
    let fleet = launch(&specs, serving, ready)?;
    interrupts.hand_over(fleet.controller());

    let outcome = fleet.wait(config.server.drain_timeout, &mut overseer);
    // What still waits there is in the durable queue as well.
    if !password_cores.stop(Ending::Discard, HASHES_END_WITHIN) {
        tracing::warn!("a hash has not come to its end: it ends with the process");
    }
    end_traces(exporter);
    if let Some(cluster) = cluster {
        cluster.stop(CLUSTER_STOP).map_err(|error| CliError::failed(&error))?;
    }
    finish(outcome)
}

/// Where the process listens.
#[derive(Clone, Copy)]
struct Addresses {
    public: Option<SocketAddr>,
    operator: Option<SocketAddr>,
    /// Of URLs of the public address.
    scheme: &'static str,
}

/// What every shard gets, and what is its own.
struct Serving {
    config: Arc<server::Config>,
    process: Arc<server::Process>,
    own: Vec<server::Own>,
}

/// What each shard is started with. The first one serves the operator as well; the first one of each group of password
/// cores works off the durable queue for them.
fn own(
    plan: &Plan,
    public: Option<(SocketAddr, Vec<Listener>)>,
    operator: Option<(SocketAddr, Listener)>,
    password_cores: &PasswordCores,
    backlog: &Option<BacklogConfig>,
    gauge: &BacklogGauge,
) -> Vec<server::Own> {
    let mut public: Vec<_> = public.into_iter().flat_map(|(_, listeners)| listeners).map(Some).collect();
    public.resize_with(plan.shards.len(), || None);
    let mut own: Vec<_> = (public.into_iter().enumerate())
        .map(|(shard, listener)| {
            let leads = plan.groups.iter().any(|group| group.shards.first() == Some(&shard));
            server::Own {
                listeners: listener.into_iter().map(|listener| (listener, Front::Public)).collect(),
                password_cores: password_cores.handle(shard),
                backlog: backlog.clone().filter(|_| leads).map(|config| (config, gauge.clone())),
            }
        })
        .collect();
    own[0].listeners.extend(operator.map(|(_, listener)| (listener, Front::Operator)));
    own
}

/// Starts the shards. The last one to have its database says `ready`.
fn launch(specs: &[ShardSpec], serving: Serving, ready: impl Fn() + Send + Sync + 'static) -> Result<Fleet, CliError> {
    let Serving { config, process, own } = serving;
    let own = Mutex::new(own.into_iter().map(Some).collect::<Vec<_>>());
    let waited_for = AtomicUsize::new(specs.len());
    let announce = Arc::new(move || {
        if waited_for.fetch_sub(1, Ordering::AcqRel) == 1 {
            ready();
        }
    });
    shards::launch(specs, move |shard| {
        let mut all = own.lock().unwrap_or_else(PoisonError::into_inner);
        let own = all[shard.index].take().expect("each shard is started once");
        let announce = announce.clone();
        server::run(shard, config.clone(), process.clone(), own, move || announce())
    })
    .map_err(|error| CliError::failed(&error).with_hint("jeday doctor looks for the reason"))
}

/// The line that says what has come up.
fn ready_line(
    role: Role,
    placement: &Placement,
    database: &Database,
    addresses: Addresses,
) -> impl Fn() + Send + Sync + use<> {
    let cpus = |cpus: Vec<usize>| cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let shards = placement.plan.shards.len();
    let shard_cpus = cpus(placement.plan.shards.iter().map(|shard| shard.cpu).collect());
    let password_cpus = cpus(placement.plan.password_cores.iter().map(|core| core.cpu).collect());
    let server = &database.server;
    let kind = if database.cluster.is_some() { "private PostgreSQL" } else { "PostgreSQL" };
    let database = format!("{kind} {} at {}, schema {}", server.version, server.place, database.schema_version);
    let off = |address: Option<SocketAddr>, scheme: &str, path: &str| {
        address.map_or_else(|| "off".to_owned(), |address| format!("{scheme}://{address}{path}"))
    };
    let address = off(addresses.public, addresses.scheme, "");
    let metrics = off(addresses.operator, "http", "/metrics");
    let role = match role {
        Role::Server => "server",
        Role::Worker => "worker",
    };
    move || {
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            role,
            address,
            metrics,
            shards,
            cpus = shard_cpus,
            password_cpus,
            database,
            "ready"
        );
    }
}

/// Keeps the private cluster running; its death is told in the log and, by its absence, to every request.
fn supervise(mut cluster: Cluster) -> Result<Cluster, CliError> {
    let tell = |event: ClusterEvent| match event {
        ClusterEvent::Died { how } => tracing::error!(how, "the private PostgreSQL has ended, starting it again"),
        ClusterEvent::Restarted { after } => {
            tracing::info!(after_ms = after.as_millis(), "the private PostgreSQL is back");
        }
        ClusterEvent::NotRestarted { error, pause } => {
            tracing::error!(%error, pause_ms = pause.as_millis(), "the private PostgreSQL cannot be started");
        }
    };
    cluster.supervise(tell).map_err(|error| CliError::failed(&error))?;
    Ok(cluster)
}

fn finish(outcome: Result<(), FleetError>) -> Result<ExitCode, CliError> {
    match outcome {
        Ok(()) => {
            tracing::info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        Err(FleetError::Aborted) => Err(CliError::failure("stopped at once by a second signal")),
        Err(error @ FleetError::DrainDeadline(_)) => {
            Err(CliError::failed(&error)
                .with_hint("server.drain_timeout says how long requests under way are waited for"))
        }
        Err(error @ FleetError::Stalled(_)) => Err(CliError::Stalled { message: error.to_string() }),
        Err(error) => Err(CliError::failed(&error)),
    }
}

fn check_machine(config: &config::Config, plan: &Plan) -> Result<(), CliError> {
    // Both are wishes: what they leave undone the checks find.
    let _ = preflight::raise_open_files();
    let _ = preflight::raise_locked_memory();
    let needs = preflight::Needs { executors: plan.shards.len(), connections: descriptors(config, plan) };
    let checks = preflight::run(&needs);
    for check in checks.iter().filter(|check| check.verdict == preflight::Verdict::Warning) {
        tracing::warn!(
            check = check.name,
            found = check.value,
            remedy = check.remedy,
            "the machine could serve better"
        );
    }
    preflight::fatal(&checks).map_err(|error| CliError::failed(&error).with_hint("jeday doctor shows all checks"))
}

/// Connections that may be open at once, of clients and to the database.
pub(super) fn descriptors(config: &config::Config, plan: &Plan) -> u64 {
    (config.server.connections_max + database_connections(config, plan)) as u64
}

/// Connections to the database that the process opens.
pub(super) fn database_connections(config: &config::Config, plan: &Plan) -> usize {
    let config::Database { write_connections, read_connections, .. } = config.database;
    // Those of the workers on the durable queue, and one for the checks at start.
    plan.shards.len() * (write_connections + read_connections) + plan.groups.len() * BACKLOG_WORKERS + 1
}

fn group_config(config: &config::Database, database: &Database, connections: usize) -> GroupConfig {
    GroupConfig {
        target: database.target.clone(),
        connect: database.options.clone(),
        connections,
        answer_within: config.deadline,
    }
}

/// How the durable queue is worked off, unless that is left to others.
fn backlog_config(config: &config::Config, database: &Database) -> Option<BacklogConfig> {
    config.hardening.background.then(|| BacklogConfig {
        target: database.target.clone(),
        connect: database.options.clone(),
        pace: Pace {
            interval: config.hardening.worker_interval,
            claim_size: config.hardening.claim_size,
            deadline: config.database.deadline,
            weak_age_max: config.hardening.weak_age_max,
        },
    })
}

fn server_config(config: &config::Config, database: &Database, plan: &Plan) -> Result<server::Config, CliError> {
    let config::Config { server, registration, passwords, tokens, .. } = config;
    Ok(server::Config {
        connection: connection::Config {
            head: HeadLimits { head_bytes_max: server.header_bytes_max, ..limits::HEAD },
            body: BodyLimits { body_bytes_max: server.body_bytes_max as u64, ..limits::BODY },
            header_timeout: server.header_timeout,
            body_timeout: server.body_timeout,
            idle_timeout: server.idle_timeout,
            write_timeout: server.write_timeout,
            trusted_proxies: server.trusted_proxies.clone(),
            proxy_protocol: server.proxy_protocol == config::ProxyProtocol::Required,
            cors_origins: Some(server.cors_origins.clone()).filter(|origins| !origins.is_empty()),
        },
        connections_max: (server.connections_max / plan.shards.len()).max(1),
        write: group_config(&config.database, database, config.database.write_connections),
        read: group_config(&config.database, database, config.database.read_connections),
        registration: Window { length_max: registration.batch_size, wait: registration.batch_wait },
        registration_queue_max: registration.queue_max,
        passwords: PasswordPolicy::new(passwords.min_chars, passwords.max_chars)
            .map_err(|error| CliError::failed(&error))?,
        policy: Policy {
            pending_may_log_in: config.login.allow_pending,
            sessions: SessionLimits {
                idle: tokens.refresh_idle,
                absolute: tokens.refresh_absolute,
                per_user_max: u32::try_from(tokens.sessions_per_user).unwrap_or(u32::MAX),
            },
            refresh_grace: tokens.refresh_grace,
        },
        hardens: config.hardening.background,
        allow_unsafe_durability: config.database.allow_unsafe_durability,
    })
}

/// Starts to export traces, if there is a collector for them.
fn exporter(config: &config::Tracing) -> Result<Option<Exporter>, CliError> {
    let config::Tracing { collector, endpoint, sample_ratio, service_name } = config;
    let endpoint = endpoint.as_ref().map(|url| url.as_str().to_owned());
    let Some(endpoint) = endpoint.or_else(|| Some(collector.as_ref()?.join(TRACES_PATH))) else { return Ok(None) };
    let config = TraceConfig { endpoint, service_name: service_name.clone(), sample_ratio: *sample_ratio };
    Exporter::start(&config).map(Some).map_err(|error| CliError::failed(&error))
}

/// Gives what was recorded last to the collector.
fn end_traces(exporter: Option<Exporter>) {
    let lost = exporter.map_or(0, |exporter| exporter.stop(TRACE_FLUSH_WITHIN));
    if lost > 0 {
        tracing::warn!(spans = lost, "the collector has not taken the last traces: they are lost");
    }
}

/// Starts the log as it is configured.
pub(super) fn init_logs(config: &config::Log) -> Result<LogGuard, CliError> {
    let format = match config.format {
        config::LogFormat::Auto => telemetry::LogFormat::Auto,
        config::LogFormat::Human => telemetry::LogFormat::Human,
        config::LogFormat::Json => telemetry::LogFormat::Json,
    };
    telemetry::init(config.level.name(), format).map_err(|error| CliError::failed(&error))
}
