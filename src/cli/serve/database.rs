//! The database that `serve` works with: the one that is configured, or a private cluster. Sees to it that its tables
//! are those of this version before a shard starts.

use crate::{
    cli::CliError,
    config,
    postgres::{
        cluster::{Cluster, ClusterConfig, ClusterError, shared_buffers_mib_for},
        connect::{ConnectOptions, Prepare, connect},
        link::{Link, Server},
        migrate::{self, SchemaProblem},
        target::Target,
    },
};
use std::sync::{Arc, atomic::AtomicBool};

/// A database that is ready to be served from.
pub(super) struct Database {
    pub(super) target: Arc<Target>,
    pub(super) options: ConnectOptions,
    /// What the first connection found.
    pub(super) server: Server,
    pub(super) schema_version: u32,
    pub(super) routing_key: [u8; 32],
    pub(super) cluster: Option<Cluster>,
}

/// Connects to the configured database, or starts the private one and brings it up to date.
pub(super) fn open(
    config: &config::Config,
    environment: &config::Environment,
    connections: usize,
    memory_bytes: u64,
    cancelled: &Arc<AtomicBool>,
) -> Result<Database, CliError> {
    let (target, cluster) = match &config.database.url {
        // One that takes no writes is as good as none: better told at the connection than by each batch.
        Some(url) => (configured(url.expose(), environment)?.for_writing(), None),
        None => {
            let cluster = start_private(config, connections, memory_bytes, cancelled)?;
            (private(&cluster)?, Some(cluster))
        }
    };
    let options = options(&config.database);
    let opened = shards::block_on(async {
        let link = connect(&target, &options).await.map_err(|error| CliError::failed(&error))?;
        let schema_version = prepare_schema(&link, cluster.is_some()).await?;
        let deployment = migrate::deployment(link.client()).await.map_err(|error| CliError::failed(&error))?;
        Ok::<_, CliError>((link.server().clone(), deployment.routing_key, schema_version))
    });
    let (server, routing_key, schema_version) = opened.map_err(|error| CliError::failed(&error))??;
    Ok(Database { target: Arc::new(target), options, server, schema_version, routing_key, cluster })
}

/// What `DB_URL` and the like name.
pub(in crate::cli) fn configured(url: &str, environment: &config::Environment) -> Result<Target, CliError> {
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    Target::parse(url, variable).map_err(|error| {
        CliError::failed(&error).with_hint("DB_URL takes what psql takes, as postgres://user@host/database")
    })
}

/// How connections are made.
pub(in crate::cli) fn options(config: &config::Database) -> ConnectOptions {
    ConnectOptions {
        allow_unsafe_durability: config.allow_unsafe_durability,
        prepare: match config.prepare {
            config::Prepare::Auto => Prepare::Auto,
            config::Prepare::Always => Prepare::Always,
            config::Prepare::Never => Prepare::Never,
        },
        connect_timeout: config.connect_timeout,
    }
}

fn start_private(
    config: &config::Config,
    connections: usize,
    memory_bytes: u64,
    cancelled: &Arc<AtomicBool>,
) -> Result<Cluster, CliError> {
    let connections = u32::try_from(connections).unwrap_or(u32::MAX);
    let cluster = ClusterConfig {
        shared_buffers_mib: shared_buffers_mib_for(memory_bytes),
        cancelled: cancelled.clone(),
        ..ClusterConfig::new(&config.cluster.state_directory, connections)
    };
    Cluster::start(&cluster, |progress| tracing::info!("{progress}")).map_err(|error| match error {
        // All others name their remedy themselves.
        ClusterError::Io { .. } => CliError::failed(&error)
            .with_hint("see what is wrong there, or choose another state directory by JEDAY_STATE_DIRECTORY"),
        _ => CliError::failed(&error),
    })
}

fn private(cluster: &Cluster) -> Result<Target, CliError> {
    let directory = cluster.socket_directory().display().to_string();
    let quoted = directory.replace('\\', r"\\").replace('\'', r"\'");
    let (port, user, database) = (cluster.port(), cluster.user(), cluster.database());
    let text = format!("host='{quoted}' port={port} user={user} dbname={database}");
    Target::parse(&text, |_| None).map_err(|error| CliError::failed(&error))
}

/// A private database is nobody else's and is brought up to date; any other is its operator's to change.
/// Returns the version it has then.
async fn prepare_schema(link: &Link, is_private: bool) -> Result<u32, CliError> {
    if is_private {
        for step in migrate::up(link.client(), None).await.map_err(|error| CliError::failed(&error))? {
            tracing::info!(migration = %step, "applied");
        }
    }
    let found = migrate::check(link.client()).await.map_err(|problem| match problem {
        SchemaProblem::Empty | SchemaProblem::Behind { .. } => {
            CliError::failed(&problem).with_hint("with the same DB_URL: jeday migrate up")
        }
        SchemaProblem::Unusable(_) => CliError::failed(&problem),
    })?;
    if found > migrate::required_version() {
        tracing::warn!(
            database = found,
            known = migrate::required_version(),
            "a newer jeday has migrated the database, in a way that this one can work with: replace this one soon"
        );
    }
    Ok(found)
}
