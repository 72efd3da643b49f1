//! A private PostgreSQL for tests: one cluster per test process, made on first use, gone when the process ends, however
//! it ends. Needs the server's programs (Debian: postgresql); as root it runs them as user postgres.
#![allow(dead_code, clippy::unwrap_used)]

use std::{
    ffi::OsStr,
    fs,
    io::{self, Read, Write},
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Everybody is let in, also for replication.
const HBA_OPEN: &str = "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 trust\n\
                        host all all ::1/128 trust\n";

/// What differs from the defaults.
#[derive(Default)]
pub(crate) struct Spec<'a> {
    /// Lines for postgresql.conf.
    pub(crate) settings: &'a str,
    /// pg_hba.conf; empty lets everybody in.
    pub(crate) hba: &'a str,
    /// Files for the data directory, with mode 0600.
    pub(crate) files: &'a [(&'a str, &'a str)],
}

/// A running PostgreSQL, stopped and removed on drop or at the end of the process.
pub(crate) struct TestCluster {
    root: PathBuf,
    port: u16,
    databases: AtomicUsize,
    keeper: Option<Child>,
}

impl TestCluster {
    /// The one that tests share; each test takes a database of its own from it.
    pub(crate) fn shared() -> &'static TestCluster {
        static SHARED: OnceLock<TestCluster> = OnceLock::new();
        SHARED.get_or_init(|| TestCluster::start(&Spec::default()))
    }

    /// One of its own.
    pub(crate) fn start(spec: &Spec<'_>) -> TestCluster {
        let cluster = TestCluster::empty();
        run(cluster.as_owner("initdb").args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]));
        let data = cluster.data();
        let hba = if spec.hba.is_empty() { HBA_OPEN } else { spec.hba };
        fs::write(data.join("pg_hba.conf"), hba).unwrap();
        for (name, content) in spec.files {
            let file = data.join(name);
            fs::write(&file, content).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            own(&file);
        }
        cluster.configure(spec.settings);
        cluster.launch();
        cluster
    }

    /// A streaming standby of this one.
    pub(crate) fn standby(&self) -> TestCluster {
        let standby = TestCluster::empty();
        let mut backup = standby.as_owner("pg_basebackup");
        backup.args(["-R", "-X", "stream", "-c", "fast", "--no-sync", "-U", "postgres", "-D"]).arg(standby.data());
        run(backup.arg("-h").arg(&self.root).args(["-p", &self.port.to_string()]));
        standby.configure("");
        standby.launch();
        standby
    }

    /// The directory of the Unix socket.
    pub(crate) fn socket_directory(&self) -> &Path {
        &self.root
    }

    /// The port, on 127.0.0.1 and in the socket's name.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A superuser's connection string, by Unix socket.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@/{database}?host={}&port={}", self.root.display(), self.port)
    }

    /// A connection string by TCP; `user` may carry a password, as `name:password`.
    pub(crate) fn tcp_url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database and returns its name.
    pub(crate) fn create_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// Runs statements as superuser and returns what psql prints, unaligned and without headers.
    pub(crate) fn sql(&self, database: &str, text: &str) -> String {
        String::from_utf8(run(&mut self.psql(database, text)).stdout).unwrap().trim_end().to_owned()
    }

    /// The same where it may fail; whether it has not.
    pub(crate) fn try_sql(&self, database: &str, text: &str) -> bool {
        self.psql(database, text).output().is_ok_and(|output| output.status.success())
    }

    fn psql(&self, database: &str, text: &str) -> Command {
        let mut psql = Command::new(program("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-c", text]);
        psql.arg("-h").arg(&self.root).args(["-p", &self.port.to_string()]);
        psql
    }

    /// Stops the server as `pg_ctl stop -m` does: smart, fast or immediate.
    pub(crate) fn stop(&self, mode: &str) {
        run(self.as_owner("pg_ctl").args(["stop", "-w", "-m", mode]));
    }

    /// Starts the server again after [`TestCluster::stop`].
    pub(crate) fn launch(&self) {
        let log = self.root.join("log");
        let mut start = self.as_owner("pg_ctl");
        start.args(["start", "-w", "-t", "60", "-l"]).arg(&log);
        // The server would hold on to a pipe and this would wait for its end.
        let status = start.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("pg_ctl runs");
        assert!(status.success(), "PostgreSQL did not start: {}", fs::read_to_string(&log).unwrap_or_default());
    }

    /// Makes a standby the primary, as `pg_ctl promote` does.
    pub(crate) fn promote(&self) {
        run(self.as_owner("pg_ctl").args(["promote", "-s", "-w"]));
    }

    /// Whether the server lets somebody in just now: it does, or refuses, at once.
    pub(crate) fn takes_connections(&self) -> bool {
        // StartupMessage of protocol 3.0, without its length.
        const START: &[u8] = b"\0\x03\0\0user\0postgres\0database\0postgres\0\0";
        let ask = || -> io::Result<u8> {
            let mut stream = UnixStream::connect(self.root.join(format!(".s.PGSQL.{}", self.port)))?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            stream.write_all(&[&(START.len() as u32 + 4).to_be_bytes(), START].concat())?;
            let mut first = [0];
            stream.read_exact(&mut first)?;
            Ok(first[0])
        };
        // `R` begins what is said to whom it lets in, `E` an error.
        ask().is_ok_and(|first| first == b'R')
    }

    /// What the server has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.root.join("log")).unwrap_or_default()
    }

    /// A command that runs a program of PostgreSQL, or any other, as the user who owns the cluster.
    pub(crate) fn as_owner(&self, name: &str) -> Command {
        let mut command = as_owner(program(name));
        command.current_dir(&self.root).env("PGDATA", self.data());
        command
    }

    fn empty() -> TestCluster {
        let root = tempfile::Builder::new().prefix("jeday-pg-").tempdir().unwrap().keep();
        own(&root);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let keeper = keep(&root);
        TestCluster { root, port, databases: AtomicUsize::new(0), keeper: Some(keeper) }
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The last of equal settings counts.
    fn configure(&self, more: &str) {
        let text = format!(
            "port = {}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\nshared_buffers = 32MB\n\
             max_connections = 60\ncluster_name = 'jeday-test'\n{more}\n",
            self.port,
            self.root.display(),
        );
        let file = self.data().join("postgresql.auto.conf");
        let before = fs::read_to_string(&file).unwrap_or_default();
        fs::write(&file, before + &text).unwrap();
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

/// A shell that outlives this process by as much as it takes to stop the server and remove its files: it waits for the
/// end of its input, which comes when this process ends, even killed.
fn keep(root: &Path) -> Child {
    let script = "trap '' INT TERM HUP; cat >/dev/null; \"$1\" stop -s -D \"$2/data\" -m immediate; rm -rf \"$2\"";
    let mut shell = as_owner(OsStr::new("sh"));
    shell.arg("-c").arg(script).arg("keeper").arg(program("pg_ctl")).arg(root).current_dir("/");
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh runs")
}

fn as_owner(program: impl AsRef<OsStr>) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
    command
}

fn own(path: &Path) {
    if rustix::process::geteuid().is_root() {
        run(Command::new("chown").arg("postgres:postgres").arg(path));
    }
}

/// On the path, or where Debian keeps those of each version.
fn program(name: &str) -> PathBuf {
    let on_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    let sbin = PathBuf::from("/usr/sbin");
    versions
        .into_iter()
        .rev()
        .chain(on_path)
        .chain([sbin])
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is missing; on Debian: apt-get install postgresql pgbouncer"))
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// A process ended on drop.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it, its output thrown away.
    pub(crate) fn start(command: &mut Command) -> Running {
        Running(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs"))
    }

    /// What it wrote to its standard error, when it has ended.
    pub(crate) fn errors_if_ended(&mut self) -> Option<String> {
        self.0.try_wait().ok().flatten()?;
        let mut text = String::new();
        self.0.stderr.take()?.read_to_string(&mut text).ok()?;
        Some(text)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
