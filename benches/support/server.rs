//! The server under test: `jeday serve` on free ports of the loopback, over a database and with keys of its own.

use super::{
    Outcome, http, interrupt,
    process::{Process, bound, run},
};
use rustix::process::Signal;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const READY_MAX: Duration = Duration::from_secs(15);
const STOP_MAX: Duration = Duration::from_secs(30);

/// What every server of this run is started with.
pub(crate) struct Setup {
    binary: PathBuf,
    settings: Vec<String>,
    database: String,
    directory: PathBuf,
}

/// A running server, stopped on drop.
pub(crate) struct Server {
    process: Process,
    pub(crate) address: SocketAddr,
    operator: SocketAddr,
}

impl Setup {
    /// Makes keys and tables.
    pub(crate) fn new(binary: &Path, settings: &[String], database: String, directory: &Path) -> Outcome<Setup> {
        let setup = Setup { binary: binary.into(), settings: settings.into(), database, directory: directory.into() };
        run(setup.command("KILL").arg("keygen").arg("--key-file").arg(setup.key_file()))?;
        run(setup.command("KILL").args(["migrate", "up"]))?;
        Ok(setup)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Starts a server and waits until it can serve; also tells how long that took.
    pub(crate) fn start(&self) -> Outcome<(Server, Duration)> {
        self.start_with(&[])
    }

    /// The same with some settings more, before those that every server of this run has.
    pub(crate) fn start_with(&self, settings: &[String]) -> Outcome<(Server, Duration)> {
        let (address, operator) = (free_address()?, free_address()?);
        let mut command = self.command("TERM");
        command.env("SERVER_ADDRESS", address.to_string()).env("METRICS_ADDRESS", operator.to_string());
        command.env("KEY_FILE", self.key_file()).arg("serve");
        for setting in settings.iter().chain(&self.settings) {
            command.arg("--set").arg(setting);
        }
        let started = Instant::now();
        let log = self.directory.join(format!("serve-{}.log", address.port()));
        let process = Process::start(command, Signal::TERM, STOP_MAX, &log)?;
        let mut server = Server { process, address, operator };
        let took = server.await_ready(started).map_err(|error| format!("jeday serve: {error}"))?;
        Ok((server, took))
    }

    fn key_file(&self) -> PathBuf {
        self.directory.join("keys")
    }

    /// Settings come from here alone, not from whatever the environment happens to hold.
    fn command(&self, at_our_death: &str) -> Command {
        let mut command = bound(&self.binary, at_our_death);
        command.env_clear().env("DB_URL", &self.database).env("HOME", &self.directory);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }
}

impl Server {
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn check(&mut self) -> Outcome<()> {
        self.process.check().map_err(|error| format!("jeday serve: {error}").into())
    }

    /// The page of metrics.
    pub(crate) fn metrics(&self) -> Outcome<String> {
        match http::get(self.operator, "/metrics")? {
            (200, page) => Ok(page),
            (status, page) => Err(format!("/metrics was answered with status {status}: {page}").into()),
        }
    }

    /// Stops it; fails when it does not end well.
    pub(crate) fn stop(self) -> Outcome<()> {
        let log = self.process.log_path().to_owned();
        let status = self.process.stop()?;
        if status.success() {
            return Ok(());
        }
        Err(format!("jeday serve ended with {status}; see {}", log.display()).into())
    }

    fn await_ready(&mut self, started: Instant) -> Outcome<Duration> {
        loop {
            // A refused connection is a server that does not listen yet.
            let answer = http::get(self.operator, "/health/ready");
            let took = started.elapsed();
            match answer {
                Ok((200, _)) => return Ok(took),
                _ if took > READY_MAX => {
                    return Err(format!("not ready after {took:?}: {answer:?}\n{}", self.process.log_end()).into());
                }
                _ => {}
            }
            self.process.check()?;
            interrupt::pause(Duration::from_millis(1))?;
        }
    }
}

/// An address that was free a moment ago.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
