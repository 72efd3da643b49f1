//! State directories, sessions, and other processes that own a cluster.

use jeday::postgres::cluster::{Cluster, ClusterConfig};
use nix::unistd::{Uid, User};
use shards::Stream;
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

/// Generous: the machine may be busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// As strict as a state directory can be when Jeday finds it.
pub(crate) fn state() -> TempDir {
    let state = tempfile::tempdir().unwrap();
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o700)).unwrap();
    state
}

pub(crate) fn config(state: &Path) -> ClusterConfig {
    ClusterConfig::new(state, 20)
}

pub(crate) fn start(state: &Path) -> Cluster {
    Cluster::start(&config(state), |_| {}).unwrap()
}

/// Where and as whom to connect.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) socket: PathBuf,
    pub(crate) user: String,
    pub(crate) database: String,
}

impl Door {
    pub(crate) fn of(cluster: &Cluster) -> Door {
        Door {
            socket: cluster.socket_directory().join(format!(".s.PGSQL.{}", cluster.port())),
            user: cluster.user().to_owned(),
            database: cluster.database().to_owned(),
        }
    }

    /// Runs `work` with a session.
    pub(crate) fn session<T>(&self, work: impl AsyncFnOnce(&Client) -> T) -> T {
        shards::block_on(async {
            let stream = Stream::connect_unix(&self.socket).await.unwrap();
            let mut config = Config::new();
            config.user(&self.user).dbname(&self.database);
            let (client, connection) = config.connect_raw(stream, NoTls).await.unwrap();
            let connection = shards::spawn(connection);
            let done = work(&client).await;
            drop(client);
            let _ = connection.await;
            done
        })
        .unwrap()
    }

    /// One value of one row, as text.
    pub(crate) fn value(&self, sql: &str) -> String {
        self.session(async |client| {
            let rows = client.simple_query(sql).await.unwrap();
            rows.iter()
                .find_map(|message| match message {
                    tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
                    _ => None,
                })
                .unwrap_or_default()
        })
    }
}

pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn alive(pid: u32) -> bool {
    // A zombie has ended; whoever inherited it may never take leave of it.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')))
}

/// Another process that owns a cluster.
pub(crate) struct Owner {
    child: Child,
    /// The postmaster's process id.
    pub(crate) postmaster: u32,
    _program: TempDir,
}

const STATE_VARIABLE: &str = "JEDAY_TEST_OWNER_OF";

impl Owner {
    /// Starts one, as `user` or as whoever runs the tests.
    pub(crate) fn start(state: &Path, user: Option<&User>) -> Owner {
        // The folder of the tests' programs may be closed to that user.
        let program = tempfile::tempdir().unwrap();
        fs::set_permissions(program.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let copy = program.path().join("owner");
        fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        let mut command = Command::new(copy);
        command.args(["support::owner", "--exact", "--ignored", "--nocapture"]).env(STATE_VARIABLE, state);
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(user) = user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        // While another test's thread is between fork and exec, it holds the copy open for writing.
        let mut child = None;
        wait_until("the copy can be run", || match command.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => false,
            spawned => {
                child = Some(spawned.unwrap());
                true
            }
        });
        let mut child = child.unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let postmaster = lines
            .find_map(|line| line.unwrap().split_once("postmaster ")?.1.parse().ok())
            .expect("the owner says which process its PostgreSQL is");
        // Keeps the pipe open and empty.
        thread::spawn(move || lines.for_each(drop));
        Owner { child, postmaster, _program: program }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Lets it stop its cluster and end.
    pub(crate) fn dismiss(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// What [`Owner`] runs.
#[test]
#[ignore = "started by other tests as a process of its own"]
fn owner() {
    let Some(state) = std::env::var_os(STATE_VARIABLE) else { return };
    let cluster = start(Path::new(&state));
    println!("\npostmaster {}", cluster.pid().unwrap());
    // Until it is dismissed, or whoever started it has gone.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(cluster);
}

/// A user other than root to run tests as; `None`, with a message, where tests do not run as root.
pub(crate) fn somebody(name: &str) -> Option<User> {
    if !Uid::effective().is_root() {
        eprintln!("skipped: only root can run PostgreSQL as others");
        return None;
    }
    let user = User::from_name(name).unwrap();
    if user.is_none() {
        eprintln!("skipped: there is no user {name}");
    }
    user
}

/// A state directory that belongs to `user`.
pub(crate) fn state_of(user: &User) -> TempDir {
    let state = state();
    chown(state.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    state
}
