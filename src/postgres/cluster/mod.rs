//! The private PostgreSQL cluster that is used when no database is named: found, made once, started, watched over and
//! stopped with the server. Blocking code for a thread of its own or one that has nothing else to do; never for a
//! shard.
//!
//! # Who may enter
//! There is no password: nothing listens but a Unix socket, and three things stand before it.
//! - Its directory (mode 0700) is of the user as whom PostgreSQL runs. The kernel lets in that user and root.
//! - The socket itself has mode 0700.
//! - PostgreSQL asks the kernel who is at the other end (`peer`), and admits that user and, where root runs Jeday,
//!   root. So a directory opened by mistake does not open the database.
//!
//! Whoever is that user could read the data's files anyway, and root can do everything: neither is kept out of anything
//! by a password. Where another PostgreSQL of the system runs as the same user `postgres`, its superusers can reach
//! this data; a user `jeday`, made before the first start, keeps them apart.

mod account;
mod create;
mod error;
mod log;
mod orphan;
mod place;
mod postmaster;
mod process;
mod programs;
mod settings;
mod supervise;

pub use error::ClusterError;
pub use process::Stopped;
pub use settings::{SPARE_CONNECTIONS, shared_buffers_mib_for};
pub use supervise::ClusterEvent;

use account::{Account, Runner};
use create::Creation;
use log::Log;
use place::{Lock, Place};
use postmaster::Postmaster;
use settings::Sizes;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use supervise::Watched;

/// The role that Jeday connects as: owner of its database, no superuser.
const USER: &str = "jeday";

/// The database.
const DATABASE: &str = "jeday";

/// The role of whoever has to do more than Jeday may.
const SUPERUSER: &str = "postgres";

/// Part of the socket's name, and nothing else: no port is opened.
const PORT: u16 = 5432;

/// What `Drop` grants PostgreSQL to stop in good order.
const DROP_DEADLINE: Duration = Duration::from_secs(10);

/// What the private cluster depends on.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// Where all of it is kept; made if it is not there.
    pub state_directory: PathBuf,
    /// Connections that the server will open; some are added for people and tools.
    pub max_connections: u32,
    /// PostgreSQL's own cache, in MiB; see [`shared_buffers_mib_for`].
    pub shared_buffers_mib: u32,
    /// The folder of PostgreSQL's programs, if they are not to be looked for.
    pub programs: Option<PathBuf>,
    /// Once true, a start that is under way is given up; as a signal's handler would set it.
    pub cancelled: Arc<AtomicBool>,
}

impl ClusterConfig {
    /// The rest as it is by default.
    pub fn new(state_directory: impl Into<PathBuf>, max_connections: u32) -> ClusterConfig {
        ClusterConfig {
            state_directory: state_directory.into(),
            max_connections,
            shared_buffers_mib: shared_buffers_mib_for(0),
            programs: None,
            cancelled: Arc::default(),
        }
    }
}

/// The running cluster; dropping it stops PostgreSQL.
#[derive(Debug)]
pub struct Cluster {
    watched: Arc<Watched>,
    watcher: Option<JoinHandle<()>>,
    stopped: bool,
    // Last: the directory is given free only once nothing runs in it any more.
    _lock: Lock,
}

impl Cluster {
    /// Takes the state directory, makes the data if there is none, and starts PostgreSQL; returns once it takes
    /// connections. `progress` is told what takes longer than an ordinary start.
    ///
    /// # Errors
    /// [`ClusterError`], whose text says what to do; nothing is left running then.
    pub fn start(config: &ClusterConfig, progress: impl Fn(&str)) -> Result<Cluster, ClusterError> {
        let (place, lock) = Place::take(&config.state_directory)?;
        let cancelled = || config.cancelled.load(Ordering::Relaxed);
        let existing = place.data();
        let account = Account::choose(existing.as_ref().map(|(_, data)| data.as_path()))?;
        place.prepare(&account)?;
        let runner = Runner { account, directory: place.home.clone() };
        let wanted = existing.as_ref().map(|(major, data)| (*major, data.as_path()));
        let programs = programs::find(&runner, config.programs.as_deref(), wanted)?;
        let log = Log { path: place.log() };

        let data = place.home.join(programs.major.to_string());
        if existing.is_none() {
            progress(&format!("setting up PostgreSQL {} in {}, once", programs.major, data.display()));
            let creation =
                Creation { runner: &runner, programs: &programs, home: &place.home, log: &log, cancelled: &cancelled };
            creation.run(&data)?;
        }
        let sizes = Sizes { max_connections: config.max_connections, shared_buffers_mib: config.shared_buffers_mib };
        place.write_settings(&runner.account, sizes)?;
        let socket_directory = place.socket_directory(&runner.account)?;

        let postmaster = Postmaster { runner, programs, home: place.home, data, socket_directory, log };
        let process = postmaster.start(&cancelled, &progress)?;
        Ok(Cluster { watched: Watched::new(postmaster, process), watcher: None, stopped: false, _lock: lock })
    }

    /// The directory of the Unix socket: the `host` of a connection.
    pub fn socket_directory(&self) -> &Path {
        &self.watched.postmaster().socket_directory
    }

    /// The part of the socket's name that a port would be.
    pub fn port(&self) -> u16 {
        PORT
    }

    /// The role to connect as; needs no password.
    pub fn user(&self) -> &str {
        USER
    }

    /// The database to connect to.
    pub fn database(&self) -> &str {
        DATABASE
    }

    /// PostgreSQL's major version.
    pub fn major_version(&self) -> u32 {
        self.watched.postmaster().programs.major
    }

    /// The process id of the postmaster; `None` while it is dead.
    pub fn pid(&self) -> Option<u32> {
        self.watched.pid()
    }

    /// From now on PostgreSQL is started again when it dies; `tell` learns of it, on the thread that watches.
    /// Call it from a thread that is not pinned to a core: what is started later inherits its cores.
    ///
    /// # Errors
    /// [`ClusterError::Io`] when the thread cannot be started.
    pub fn supervise(&mut self, tell: impl Fn(ClusterEvent) + Send + 'static) -> Result<(), ClusterError> {
        if self.watcher.is_none() {
            let watched = self.watched.clone();
            let thread = thread::Builder::new().name("postgresql".to_owned()).spawn(move || watched.watch(&tell));
            let log = &self.watched.postmaster().log.path;
            self.watcher = Some(thread.map_err(ClusterError::io("start a thread to watch over", log))?);
        }
        Ok(())
    }

    /// Stops PostgreSQL: in good order within `deadline`, else by force. Clients still connected are cut off.
    ///
    /// # Errors
    /// [`ClusterError::Unkillable`].
    pub fn stop(mut self, deadline: Duration) -> Result<Stopped, ClusterError> {
        self.end(deadline)
    }

    fn end(&mut self, deadline: Duration) -> Result<Stopped, ClusterError> {
        self.stopped = true;
        let stopped = self.watched.stop(deadline);
        if let Some(watcher) = self.watcher.take() {
            // Its panic has been reported where it happened; what it watched is stopped all the same.
            let _ = watcher.join();
        }
        stopped
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !self.stopped {
            // There is nobody to tell; the next start sees to what is left.
            let _ = self.end(DROP_DEADLINE);
        }
    }
}
