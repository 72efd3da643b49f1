//! Real servers for tests: processes of the built program with an environment that holds nothing but what a test puts
//! there, on ports that the kernel chooses. Waits for what the server says of itself, never for a time.
#![allow(dead_code, clippy::unwrap_used)]

use super::{client::Client, postgres::TestCluster};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    thread,
    time::Duration,
};
use tempfile::TempDir;

/// For whatever must happen some time. Generous: the machine may be busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Nobody hardens what is registered: what a test looks at stays weak, and queued.
pub(crate) const STAYS_WEAK: &str = "hardening.background=off";

/// Hashes that cost next to nothing, where the test is not about what they cost.
pub(crate) const CHEAP: &[&str] =
    &["hardening.memory=1MiB", "hardening.passes=1", "hardening.lanes=1", "hardening.allow_weak_parameters=true"];

/// The built program.
pub(crate) const JEDAY: &str = env!("CARGO_BIN_EXE_jeday");

/// The program with an environment of its own; it ends with the test's process, however that ends.
pub(crate) fn jeday<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig=TERM", "--", JEDAY]).args(arguments);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", "/nonexistent");
    command.stdin(Stdio::null()).current_dir("/");
    command
}

/// A database with the tables of this version and the key file that goes with it: what several servers may share.
pub(crate) struct Deployment<'c> {
    cluster: &'c TestCluster,
    database: String,
    files: TempDir,
}

impl Deployment<'static> {
    /// In the cluster that tests share.
    pub(crate) fn new() -> Deployment<'static> {
        Deployment::on(TestCluster::shared())
    }
}

impl<'c> Deployment<'c> {
    /// In that cluster.
    pub(crate) fn on(cluster: &'c TestCluster) -> Deployment<'c> {
        let deployment = Deployment { cluster, database: cluster.create_database(), files: TempDir::new().unwrap() };
        deployment.run(["migrate", "up"]);
        deployment.run(["keygen"]);
        deployment
    }

    /// The same database in another cluster, to which it was copied.
    pub(crate) fn moved_to<'d>(self, cluster: &'d TestCluster) -> Deployment<'d> {
        let Deployment { database, files, .. } = self;
        Deployment { cluster, database, files }
    }

    /// Where the keys are.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.files.path().join("keys")
    }

    /// A superuser's connection string, by Unix socket.
    pub(crate) fn url(&self) -> String {
        self.cluster.url(&self.database)
    }

    /// The name of the database.
    pub(crate) fn database(&self) -> &str {
        &self.database
    }

    /// Runs statements as superuser and returns what psql prints, unaligned and without headers.
    pub(crate) fn sql(&self, text: &str) -> String {
        self.cluster.sql(&self.database, text)
    }

    /// The program, told where database and keys are and to listen on free ports.
    pub(crate) fn jeday<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = jeday(arguments);
        command.env("DB_URL", self.url()).env("KEY_FILE", self.key_file());
        on_free_ports(&mut command);
        command
    }

    /// A server with default settings.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// A server with these settings, as `server.idle_timeout=1s`.
    pub(crate) fn serve_with(&self, settings: &[&str]) -> Server {
        Server::start(&mut self.jeday(["serve"].into_iter().chain(settings.iter().flat_map(|text| ["--set", text]))))
    }

    /// A worker with these settings.
    pub(crate) fn work_with(&self, settings: &[&str]) -> Server {
        Server::start(&mut self.jeday(["worker"].into_iter().chain(settings.iter().flat_map(|text| ["--set", text]))))
    }

    /// Makes everybody as old as the durable queue wants them: only what is some seconds old is claimed, and the time
    /// of an id is its first six bytes. Nobody is logged in afterwards.
    pub(crate) fn make_claimable(&self) {
        self.sql(
            "CREATE OR REPLACE FUNCTION older(id uuid) RETURNS uuid LANGUAGE sql AS \
             $$ SELECT ('01900000' || substr(id::text, 9))::uuid $$; \
             UPDATE users SET id = older(id); UPDATE password_upgrade_queue SET user_id = older(user_id)",
        );
    }

    /// How many records are still weak, or queued to be hardened.
    pub(crate) fn weak(&self) -> usize {
        let left = "SELECT (SELECT count(*) FROM users WHERE password_hash NOT LIKE '$argon2id$%') \
                    + (SELECT count(*) FROM password_upgrade_queue)";
        self.sql(left).parse().unwrap()
    }

    fn run<const N: usize>(&self, arguments: [&str; N]) {
        let output = self.jeday(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Lets the kernel choose the ports; the server tells them when it is ready.
pub(crate) fn on_free_ports(command: &mut Command) {
    command.env("SERVER_ADDRESS", "127.0.0.1:0").env("METRICS_ADDRESS", "127.0.0.1:0");
}

/// A server that has said `ready`; killed on drop.
pub(crate) struct Server {
    child: Child,
    log: Arc<Log>,
    address: Option<SocketAddr>,
    operator: Option<SocketAddr>,
}

impl Server {
    /// Starts a server and waits until it is ready.
    pub(crate) fn start(command: &mut Command) -> Server {
        Server::spawn(command).ready()
    }

    /// Starts a server and waits for nothing.
    pub(crate) fn spawn(command: &mut Command) -> Starting {
        let mut child = spawn_beside(command.stdout(Stdio::null()).stderr(Stdio::piped()));
        let log = Log::follow(child.stderr.take().unwrap());
        Starting { child: Some(child), log }
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address.expect("a worker serves no client")
    }

    /// Where the operator connects.
    pub(crate) fn operator_address(&self) -> SocketAddr {
        self.operator.expect("metrics are not off")
    }

    /// A client's connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// The operator's connection.
    pub(crate) fn connect_operator(&self) -> Client {
        Client::connect(self.operator_address())
    }

    /// The process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.log.await_end();
        self.child.wait().unwrap()
    }

    /// Stops the server as an operator does, which must succeed, and returns all that it has logged.
    pub(crate) fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert!(status.success(), "{status}: {}", self.log());
        self.log()
    }

    /// All that was logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// Waits for a line with this message and returns it.
    pub(crate) fn await_log(&self, message: &str) -> Value {
        self.log.await_message(message)
    }

    /// Waits for a security event of this name and returns its record.
    pub(crate) fn await_event(&self, name: &str) -> Value {
        self.log.await_record("event", name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that may not be ready yet; killed on drop.
pub(crate) struct Starting {
    child: Option<Child>,
    log: Arc<Log>,
}

impl Starting {
    /// Waits until it is ready.
    pub(crate) fn ready(mut self) -> Server {
        let line = self.log.await_message("ready");
        let socket = |text: &str| text.split_once("://")?.1.split('/').next()?.parse().ok();
        let address = line["address"].as_str().and_then(socket);
        let operator = line["metrics"].as_str().and_then(socket);
        Server { child: self.child.take().expect("taken once"), log: self.log.clone(), address, operator }
    }

    /// Waits for a line with this message and returns it.
    pub(crate) fn await_log(&self, message: &str) -> Value {
        self.log.await_message(message)
    }

    /// Waits for its first line.
    pub(crate) fn await_any_log(&self) {
        self.log.await_change("a line", |state| (!state.lines.is_empty()).then_some(()));
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().expect("not ready yet")), signal).unwrap();
    }

    /// Waits for the end and returns all that was logged.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        self.log.await_end();
        (self.child.take().expect("not ready yet").wait().unwrap(), self.log.text())
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a server has written to its standard error.
#[derive(Default)]
struct Log {
    state: Mutex<LogState>,
    changed: Condvar,
}

#[derive(Default)]
struct LogState {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    fn follow(from: ChildStderr) -> Arc<Log> {
        let log = Arc::new(Log::default());
        let to = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                to.state().lines.push(line);
                to.changed.notify_all();
            }
            to.state().ended = true;
            to.changed.notify_all();
        });
        log
    }

    /// A test that has failed while it looked takes nothing away from the one who writes.
    fn state(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text(&self) -> String {
        self.state().lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn await_message(&self, message: &str) -> Value {
        self.await_record("message", message)
    }

    fn await_record(&self, member: &str, text: &str) -> Value {
        self.await_change(&format!("a line with the {member} {text:?}"), |state| {
            let parsed = state.lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let found = parsed.into_iter().find(|line| line[member] == text);
            assert!(found.is_some() || !state.ended, "ended before {text:?}: {:#?}", state.lines);
            found
        })
    }

    fn await_end(&self) {
        self.await_change("the end", |state| state.ended.then_some(()));
    }

    fn await_change<T>(&self, what: &str, mut look: impl FnMut(&LogState) -> Option<T>) -> T {
        let mut state = self.state();
        loop {
            if let Some(found) = look(&state) {
                return found;
            }
            let (next, waited) = self.changed.wait_timeout(state, PATIENCE).unwrap();
            assert!(!waited.timed_out(), "no word for {PATIENCE:?} while waiting for {what}: {:#?}", next.lines);
            state = next;
        }
    }
}

/// Spawns from a thread that lives as long as the process: the signal that a parent's death sends is sent at the death
/// of the thread that was the parent, and each test is a thread.
fn spawn_beside(command: &mut Command) -> Child {
    type Order = (Command, mpsc::SyncSender<Child>);
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, taken) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in taken {
                let _ = reply.send(command.spawn().expect("setpriv runs"));
            }
        });
        Mutex::new(orders)
    });
    let (reply, spawned) = mpsc::sync_channel(1);
    let order = std::mem::replace(command, Command::new("false"));
    spawner.lock().unwrap().send((order, reply)).unwrap();
    spawned.recv().unwrap()
}

/// Makes a file that its owner alone may read.
pub(crate) fn write_private(path: &Path, text: &str) {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
