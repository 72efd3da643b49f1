//! Where the scratch database is: on the PostgreSQL that is configured, or on a private one of the sweep's own, which
//! is gone afterwards. Made empty for each run, dropped at the end; never touches another.

use super::{
    super::{CliError, serve},
    interrupt::Interrupt,
    procfs,
};
use crate::{
    config::{Config, Environment},
    postgres::{
        cluster::{Cluster, ClusterConfig, shared_buffers_mib_for},
        connect::{ConnectOptions, connect},
        link::{Link, LinkError},
        migrate,
        scratch::{self, ScratchName},
        target::Target,
    },
};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// For making or dropping a database, which waits for a checkpoint.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the private PostgreSQL may take to stop.
const CLUSTER_STOP: Duration = Duration::from_secs(20);

/// A server and the name of the scratch database on it.
pub(super) struct Database {
    name: ScratchName,
    /// Names a database that is there; a secret.
    url: String,
    target: Target,
    options: ConnectOptions,
    environment: Environment,
    cluster: Option<(Cluster, PathBuf)>,
    /// The process that all of PostgreSQL's descend from, where it runs on this machine.
    postmaster: Option<u32>,
    version: String,
}

impl Database {
    /// Reaches the configured PostgreSQL, or starts one for as many connections.
    pub(super) fn open(
        config: &Config,
        environment: &Environment,
        name: ScratchName,
        connections: usize,
        memory_bytes: u64,
        interrupt: &Interrupt,
    ) -> Result<Database, CliError> {
        let (url, cluster) = match &config.database.url {
            Some(url) => (url.expose().to_owned(), None),
            None => {
                let directory = config.cluster.state_directory.join("tune");
                let cluster = start(&directory, connections, memory_bytes, interrupt)?;
                (administrators(&cluster), Some((cluster, directory)))
            }
        };
        let target = serve::configured(&url, environment)?.for_writing();
        let mut database = Database {
            name,
            url,
            target,
            options: serve::options(&config.database),
            environment: environment.clone(),
            postmaster: cluster.as_ref().and_then(|(cluster, _)| cluster.pid()),
            cluster,
            version: String::new(),
        };
        let (backend, version) = database.ask(async |link, deadline| {
            let look = scratch::look(link, deadline).await?;
            // Only while it is connected is there a process to look at.
            Ok((look.backend.and_then(procfs::postmaster_of), link.server().version.clone()))
        })?;
        database.postmaster = database.postmaster.or(backend);
        database.version = version;
        Ok(database)
    }

    /// For people.
    pub(super) fn describe(&self) -> String {
        let kind = if self.cluster.is_some() { "a private" } else { "the configured" };
        format!("{kind} PostgreSQL {}", self.version)
    }

    pub(super) fn postmaster(&self) -> Option<u32> {
        self.postmaster
    }

    /// What a server connects with; a secret.
    pub(super) fn scratch_url(&self) -> String {
        self.name.within(&self.url)
    }

    /// Makes the scratch database anew, with tables.
    pub(super) fn renew(&self) -> Result<(), CliError> {
        self.ask(async |link, deadline| scratch::create(link, &self.name, deadline).await).map_err(|error| {
            error.with_hint(
                "the role needs CREATEDB for the time of the sweep; without DB_URL a private PostgreSQL is taken",
            )
        })?;
        let target = serve::configured(&self.scratch_url(), &self.environment)?.for_writing();
        on_shard(async {
            let link = connect(&target, &self.options).await.map_err(|error| CliError::failed(&error))?;
            migrate::up(link.client(), None).await.map_err(|error| CliError::failed(&error)).map(|_| ())
        })
    }

    /// Bytes of log that PostgreSQL has written so far.
    pub(super) fn wal_bytes(&self) -> Result<u64, CliError> {
        self.ask(async |link, deadline| scratch::look(link, deadline).await.map(|look| look.wal_bytes))
    }

    /// Drops the scratch database, and ends a private PostgreSQL with all its files.
    pub(super) fn close(self) -> Result<(), CliError> {
        let dropped = self.ask(async |link, deadline| scratch::drop(link, &self.name, deadline).await);
        if let Some((cluster, directory)) = self.cluster {
            cluster.stop(CLUSTER_STOP).map_err(|error| CliError::failed(&error))?;
            return fs::remove_dir_all(directory).map_err(|error| CliError::failed(&error));
        }
        dropped.map_err(|error| error.with_hint(format!("the database {} is left over", self.name)))
    }

    fn ask<T>(&self, work: impl AsyncFnOnce(&Link, Instant) -> Result<T, LinkError>) -> Result<T, CliError> {
        on_shard(async {
            let link = connect(&self.target, &self.options).await.map_err(|error| CliError::failed(&error))?;
            work(&link, Instant::now() + PATIENCE).await.map_err(|error| CliError::failed(&error))
        })
    }
}

fn on_shard<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    shards::block_on(work).map_err(|error| CliError::failed(&error))?
}

fn start(
    directory: &PathBuf,
    connections: usize,
    memory_bytes: u64,
    interrupt: &Interrupt,
) -> Result<Cluster, CliError> {
    let connections = u32::try_from(connections).unwrap_or(u32::MAX);
    let config = ClusterConfig {
        shared_buffers_mib: shared_buffers_mib_for(memory_bytes),
        cancelled: interrupt.flag(),
        ..ClusterConfig::new(directory, connections)
    };
    Cluster::start(&config, |_| ()).map_err(|error| CliError::failed(&error))
}

/// As the superuser, who may make databases.
fn administrators(cluster: &Cluster) -> String {
    let directory = cluster.socket_directory().display().to_string();
    let quoted = directory.replace('\\', r"\\").replace('\'', r"\'");
    let (port, user) = (cluster.port(), cluster.superuser());
    format!("host='{quoted}' port={port} user={user} dbname={user}")
}
