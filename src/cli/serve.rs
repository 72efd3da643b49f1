//! `jeday serve`: brings everything up in order, waits, and takes it down again. Serves no request itself.

mod database;
mod interrupts;
mod keys;
mod listeners;

pub(super) use database::{configured, options};

use super::{CliError, Context, Everything, SettingFlags, placement};
use crate::{
    account::{PasswordPolicy, RoutingKey},
    batch::{GroupConfig, Window},
    config, connection,
    http::{body::BodyLimits, head::HeadLimits},
    limits,
    postgres::cluster::{Cluster, ClusterEvent},
    routes,
    server::{self, Secrets},
    telemetry::{self, Registry},
};
use database::Database;
use interrupts::Interrupts;
use placement::Placement;
use shards::{Fleet, FleetError, Listener, ShardSpec, preflight};
use std::{
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
                    a second one ends at once";

/// How long PostgreSQL may take to write its buffers when the private cluster is stopped.
const CLUSTER_STOP: Duration = Duration::from_secs(20);

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

/// Serves until a signal comes or something fails.
///
/// # Errors
/// Whatever keeps the server from starting, or ends it before it is told to.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let placement = placement::resolve(context, &args.settings.values)?;
    let Placement { config, provenance, topology, plan } = &placement;
    let log_format = telemetry_format(config.log.format);
    let logs = telemetry::init(config.log.level.name(), log_format).map_err(|error| CliError::failed(&error))?;
    let interrupts = Interrupts::watch()?;
    for entry in provenance.without_effect() {
        tracing::warn!(setting = entry.setting.key, since = %entry.setting.since, "is set, but has no effect yet");
    }
    check_machine(config, plan.shards.len())?;

    let (address, public) = listeners::public(&config.server, plan.shards.len())?;
    let operator = config.metrics.address.as_ref().map(listeners::operator).transpose()?;
    let operator_address = operator.as_ref().map(|(address, _)| *address);
    let connections = database_connections(config, plan.shards.len());
    let cancelled = interrupts.cancelled();
    let mut database = database::open(config, context.environment(), connections, topology.memory_bytes, cancelled)?;
    // After the private cluster, which has made the directory that both are in, and has locked it.
    let peppers = keys::peppers(config)?;

    let registry = Arc::new(Registry::new(server::NAMES, plan.shards.len()));
    registry.export_dropped_lines(logs.dropped_lines());
    let secrets = Secrets { peppers, routing_key: RoutingKey::new(&database.routing_key) };
    let specs: Vec<_> =
        plan.shards.iter().map(|shard| ShardSpec { index: shard.index, cpu: Some(shard.cpu) }).collect();
    let serving = Serving {
        config: Arc::new(server_config(config, &database, plan.shards.len())?),
        secrets: Arc::new(secrets),
        registry,
        listeners: assign(public, operator.map(|(_, listener)| listener)),
    };
    let ready = ready_line(&placement, &database, address, operator_address);
    let cluster = database.cluster.take().map(supervise).transpose()?;
    let fleet = launch(&specs, serving, ready)?;
    interrupts.hand_over(fleet.controller());

    let outcome = fleet.wait(config.server.drain_timeout);
    if let Some(cluster) = cluster {
        cluster.stop(CLUSTER_STOP).map_err(|error| CliError::failed(&error))?;
    }
    finish(outcome)
}

/// What every shard gets, and the sockets of each.
struct Serving {
    config: Arc<server::Config>,
    secrets: Arc<Secrets>,
    registry: Arc<Registry>,
    listeners: Vec<Vec<(Listener, &'static routes::Table)>>,
}

/// The first shard serves the operator as well.
fn assign(public: Vec<Listener>, operator: Option<Listener>) -> Vec<Vec<(Listener, &'static routes::Table)>> {
    let mut listeners: Vec<_> = public.into_iter().map(|listener| vec![(listener, routes::PUBLIC)]).collect();
    listeners[0].extend(operator.map(|listener| (listener, routes::OPERATOR)));
    listeners
}

/// Starts the shards. The last one to have its database says `ready`.
fn launch(specs: &[ShardSpec], serving: Serving, ready: impl Fn() + Send + Sync + 'static) -> Result<Fleet, CliError> {
    let Serving { config, secrets, registry, listeners } = serving;
    let listeners = Mutex::new(listeners.into_iter().map(Some).collect::<Vec<_>>());
    let waited_for = AtomicUsize::new(specs.len());
    let announce = Arc::new(move || {
        if waited_for.fetch_sub(1, Ordering::AcqRel) == 1 {
            ready();
        }
    });
    shards::launch(specs, move |shard| {
        let mut listeners = listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let own = listeners[shard.index].take().expect("each shard is started once");
        let announce = announce.clone();
        server::run(shard, config.clone(), secrets.clone(), registry.clone(), own, move || announce())
    })
    .map_err(|error| CliError::failed(&error).with_hint("jeday doctor looks for the reason"))
}

/// The line that says what has come up.
fn ready_line(
    placement: &Placement,
    database: &Database,
    address: SocketAddr,
    operator: Option<SocketAddr>,
) -> impl Fn() + Send + Sync + use<> {
    let cpus: Vec<_> = placement.plan.shards.iter().map(|shard| shard.cpu.to_string()).collect();
    let (shards, cpus) = (cpus.len(), cpus.join(","));
    let server = &database.server;
    let kind = if database.cluster.is_some() { "private PostgreSQL" } else { "PostgreSQL" };
    let database = format!("{kind} {} at {}, schema {}", server.version, server.place, database.schema_version);
    let metrics = operator.map_or_else(|| "off".to_owned(), |address| format!("http://{address}/metrics"));
    move || {
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            address = %format_args!("http://{address}"),
            metrics,
            shards,
            cpus,
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
        Err(error) => Err(CliError::failed(&error)),
    }
}

fn check_machine(config: &config::Config, shards: usize) -> Result<(), CliError> {
    // Both are wishes: what they leave undone the checks find.
    let _ = preflight::raise_open_files();
    let _ = preflight::raise_locked_memory();
    let checks = preflight::run(&preflight::Needs { executors: shards, connections: descriptors(config, shards) });
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
pub(super) fn descriptors(config: &config::Config, shards: usize) -> u64 {
    (config.server.connections_max + database_connections(config, shards)) as u64
}

fn database_connections(config: &config::Config, shards: usize) -> usize {
    // One more for the checks at start.
    shards * config.database.write_connections + 1
}

fn server_config(config: &config::Config, database: &Database, shards: usize) -> Result<server::Config, CliError> {
    let config::Config { server, registration, passwords, .. } = config;
    Ok(server::Config {
        connection: connection::Config {
            head: HeadLimits { head_bytes_max: server.header_bytes_max, ..limits::HEAD },
            body: BodyLimits { body_bytes_max: server.body_bytes_max as u64, ..limits::BODY },
            header_timeout: server.header_timeout,
            body_timeout: server.body_timeout,
            idle_timeout: server.idle_timeout,
            write_timeout: server.write_timeout,
        },
        connections_max: (server.connections_max / shards).max(1),
        database: GroupConfig {
            target: database.target.clone(),
            connect: database.options.clone(),
            connections: config.database.write_connections,
            answer_within: config.database.deadline,
        },
        registration: Window { length_max: registration.batch_size, wait: registration.batch_wait },
        registration_queue_max: registration.queue_max,
        passwords: PasswordPolicy::new(passwords.min_chars, passwords.max_chars)
            .map_err(|error| CliError::failed(&error))?,
        allow_unsafe_durability: config.database.allow_unsafe_durability,
    })
}

fn telemetry_format(format: config::LogFormat) -> telemetry::LogFormat {
    match format {
        config::LogFormat::Auto => telemetry::LogFormat::Auto,
        config::LogFormat::Human => telemetry::LogFormat::Human,
        config::LogFormat::Json => telemetry::LogFormat::Json,
    }
}
