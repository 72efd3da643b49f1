//! A PostgreSQL of the bench's own, with the durability of a production server, gone at the end.

use super::{
    Outcome,
    client::{Console, DATABASE, PORT, USER},
    interrupt,
    process::{DATABASE_USER, Process, bound_as_owner, run},
};
use rustix::process::{Signal, geteuid};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What differs from the defaults. Durability is as it is by default, said aloud.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("synchronous_commit", "on"),
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("shared_buffers", "512MB"),
    ("max_wal_size", "4GB"),
    // Files of the write-ahead log are made once, by the warm-up, and not in the middle of a measurement.
    ("min_wal_size", "2GB"),
    ("listen_addresses", ""),
];

const START_MAX: Duration = Duration::from_secs(30);
const STOP_MAX: Duration = Duration::from_secs(60);
const VERSION_MIN: u32 = 15;

/// A running server; stopped and removed on drop.
pub(crate) struct Cluster {
    // In this order: the server is stopped before its files are removed.
    postmaster: Process,
    sockets: TempDir,
    files: TempDir,
}

impl Cluster {
    /// Makes a cluster on the file system of the target directory, starts it, and makes an empty database.
    pub(crate) fn start() -> Outcome<Cluster> {
        let programs = programs()?;
        let files = tempfile::Builder::new().prefix("bench-postgresql-").tempdir_in(place()?)?;
        // Apart from the files, because a socket's path has to be short.
        let sockets = tempfile::Builder::new().prefix("jeday-bench-").tempdir()?;
        for directory in [&files, &sockets] {
            own(directory.path())?;
        }
        let data = files.path().join("data");
        let mut initdb = bound_as_owner(programs.join("initdb"), "KILL");
        initdb.args(["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-D"]).arg(&data);
        run(initdb.current_dir(files.path()))?;
        let mut server = bound_as_owner(programs.join("postgres"), "INT");
        server.arg("-D").arg(&data).current_dir(files.path());
        server.arg("-c").arg(format!("unix_socket_directories={}", sockets.path().display()));
        server.arg("-c").arg(format!("port={PORT}"));
        for (name, value) in SETTINGS {
            server.arg("-c").arg(format!("{name}={value}"));
        }
        // Interrupt is PostgreSQL's fast shutdown: sessions end, the last checkpoint is made.
        let postmaster = Process::start(server, Signal::INT, STOP_MAX, &files.path().join("log"))?;
        let mut cluster = Cluster { postmaster, sockets, files };
        let console = cluster.await_start().map_err(|error| format!("PostgreSQL does not start: {error}"))?;
        console.run(&format!("CREATE DATABASE {DATABASE}"))?;
        Ok(cluster)
    }

    /// The directory of its socket.
    pub(crate) fn socket_directory(&self) -> &Path {
        self.sockets.path()
    }

    /// The directory of its files.
    pub(crate) fn directory(&self) -> &Path {
        self.files.path()
    }

    /// A connection string.
    pub(crate) fn url(&self) -> String {
        format!("postgres://{USER}@/{DATABASE}?host={}&port={PORT}", self.socket_directory().display())
    }

    /// The process that all its others descend from.
    pub(crate) fn postmaster(&self) -> u32 {
        self.postmaster.id()
    }

    pub(crate) fn console(&self) -> Outcome<Console> {
        Console::connect(self.socket_directory(), DATABASE)
    }

    fn await_start(&mut self) -> Outcome<Console> {
        let deadline = Instant::now() + START_MAX;
        loop {
            self.postmaster.check()?;
            match Console::connect(self.socket_directory(), "postgres") {
                Ok(console) => return Ok(console),
                Err(error) if Instant::now() > deadline => {
                    return Err(format!("{error}\n{}", self.postmaster.log_end()).into());
                }
                Err(_) => interrupt::pause(Duration::from_millis(20))?,
            }
        }
    }
}

/// Where PostgreSQL's programs are: on the path, or where Debian keeps those of each version.
fn programs() -> Outcome<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::env::split_paths(&path).collect();
    for entry in fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        found.push(entry.path().join("bin"));
    }
    let versions = found.into_iter().filter_map(|directory| version(&directory).map(|version| (version, directory)));
    match versions.max() {
        Some((version, directory)) if version >= VERSION_MIN => Ok(directory),
        Some((version, _)) => Err(format!("PostgreSQL {version} is too old: {VERSION_MIN} or later is needed").into()),
        None => Err("PostgreSQL's server is missing; on Debian: apt-get install postgresql".into()),
    }
}

/// The major version of the server in a directory, if there is one.
fn version(directory: &Path) -> Option<u32> {
    let output = Command::new(directory.join("postgres")).arg("--version").output().ok()?;
    major_version(std::str::from_utf8(&output.stdout).ok()?)
}

fn major_version(said: &str) -> Option<u32> {
    let number = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// A directory on the file system of the target directory that the database's user can reach.
fn place() -> Outcome<PathBuf> {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&target)?;
    let device = fs::metadata(&target)?.dev();
    let others = [PathBuf::from("/var/tmp"), std::env::temp_dir()];
    let found = std::iter::once(target.clone())
        .chain(others)
        .find(|place| fs::metadata(place).is_ok_and(|metadata| metadata.dev() == device) && reachable(place));
    found.ok_or_else(|| {
        format!(
            "user {DATABASE_USER} can reach no directory on the file system of {}: run as another user than root, \
             or build in a directory whose parents everybody may enter",
            target.display()
        )
        .into()
    })
}

/// Whether the database's user may enter all directories on the way. The last one is not written to by that user.
fn reachable(place: &Path) -> bool {
    const ENTER: u32 = 0o001;
    !geteuid().is_root()
        || place.ancestors().all(|parent| fs::metadata(parent).is_ok_and(|it| it.permissions().mode() & ENTER != 0))
}

fn own(directory: &Path) -> Outcome<()> {
    if geteuid().is_root() {
        run(Command::new("chown").arg(format!("{DATABASE_USER}:")).arg(directory))?;
    }
    Ok(())
}
