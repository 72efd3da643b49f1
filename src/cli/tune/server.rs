//! The server of one run: `jeday serve` as it is configured, with the settings of a point, on free ports of the
//! loopback and over the scratch database.

use super::{
    super::{
        CliError, Context,
        error::plain,
        scrape::{METRICS, Page},
    },
    child::{Process, bound},
    interrupt::Interrupt,
    points::Point,
};
use serde_json::Value;
use std::{
    env,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const READY_MAX: Duration = Duration::from_secs(30);
const STOP_MAX: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(5);

/// Whatever is configured: one generator is no attack, speaks plain HTTP, and needs to be told the ports.
const SETTINGS: [&str; 10] = [
    "server.address=127.0.0.1:0",
    "metrics.address=127.0.0.1:0",
    "server.share_address=false",
    "server.proxy_protocol=off",
    "server.connections_per_address_max=0",
    "limits.registrations_per_address=0",
    "limits.login_failures_per_account=0",
    "limits.login_failures_per_address=0",
    "log.level=info",
    "log.format=json",
];

/// The setting that a `--set` of the sweep's own must not bring along.
const DATABASE: &str = "database.url=";

/// What every server of a sweep is started with.
pub(super) struct Setup {
    program: PathBuf,
    arguments: Vec<String>,
    keys: PathBuf,
    log: PathBuf,
    database: String,
}

/// A running server, stopped on drop.
pub(super) struct Server {
    process: Process,
    pub(super) address: SocketAddr,
    operator: SocketAddr,
}

impl Setup {
    /// Makes keys in `directory`, where its log is kept too. `database` is a connection string.
    pub(super) fn new(context: &Context, directory: &Path, database: String) -> Result<Setup, CliError> {
        let failed = |error| CliError::failure(format!("jeday cannot be started: {}", plain(&error)));
        let program = env::current_exe().map_err(failed)?;
        let keys = directory.join("keys");
        if !keys.is_file() {
            let set = format!("keys.file={}", keys.display());
            let output = Command::new(&program).args(["keygen", "--set", &set]).output().map_err(failed)?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(CliError::failure(format!("no keys can be made: {}", said.trim())));
            }
        }
        let mut arguments = Vec::new();
        if let Some(file) = &context.files().config {
            arguments.extend(["--config".to_owned(), file.display().to_string()]);
        }
        let given = context.files().set.iter().filter(|text| !text.trim_start().starts_with(DATABASE));
        for set in given.map(String::as_str).chain(SETTINGS) {
            arguments.extend(["--set".to_owned(), set.to_owned()]);
        }
        Ok(Setup { program, arguments, keys, log: directory.join("serve.log"), database })
    }

    /// Starts a server and waits until it says that it is ready.
    pub(super) fn start(
        &self,
        point: &Point,
        profile: Option<&Path>,
        interrupt: &Interrupt,
    ) -> Result<Server, CliError> {
        let mut command = bound(&self.program);
        command.arg("serve").args(&self.arguments);
        if let Some(profile) = profile {
            command.arg("--profile").arg(profile);
        }
        for assignment in point.assignments() {
            command.args(["--set", &assignment]);
        }
        command.arg("--set").arg(format!("keys.file={}", self.keys.display()));
        // It may hold a password, and arguments are everybody's to see.
        command.env("JEDAY_DATABASE_URL", &self.database);
        let mut process = Process::start(command, STOP_MAX, &self.log)?;
        let deadline = Instant::now() + READY_MAX;
        loop {
            if let Some((address, operator)) = ready(&process.log()) {
                return Ok(Server { process, address, operator });
            }
            if process.log().contains("\"address\":\"https://") {
                return Err(CliError::failure(
                    "the load that jeday tune makes is plain HTTP, and jeday serve speaks TLS",
                )
                .with_hint("leave server.tls_certificate and server.tls_key out of what it is configured with"));
            }
            if let Some(status) = process.ended()? {
                return Err(CliError::failure(format!("jeday serve has ended with {status}: {}", process.log_end())));
            }
            if Instant::now() > deadline {
                return Err(CliError::failure(format!("jeday serve does not get ready: {}", process.log_end())));
            }
            interrupt.pause(LOOK)?;
        }
    }
}

impl Server {
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its metrics as they are now.
    pub(super) fn metrics(&self) -> Result<Page, CliError> {
        Page::fetch(self.operator)
            .map_err(|error| CliError::failure(format!("jeday serve does not answer {METRICS}: {}", plain(&error))))
    }

    /// Stops it; fails when it does not end well.
    pub(super) fn stop(self) -> Result<(), CliError> {
        let status = self.process.stop()?;
        if status.success() { Ok(()) } else { Err(CliError::failure(format!("jeday serve has ended with {status}"))) }
    }
}

/// Where it serves clients and its operator, once its log says so. The last line may be half written.
fn ready(log: &str) -> Option<(SocketAddr, SocketAddr)> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.into_iter().find(|line| line["message"] == "ready")?;
    let socket = |name: &str| line[name].as_str()?.strip_prefix("http://")?.split('/').next()?.parse().ok();
    Some((socket("address")?, socket("metrics")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_are_those_that_the_server_says() {
        let log = "{\"message\":\"applied\"}\n{\"message\":\"ready\",\"address\":\"http://127.0.0.1:4711\",\
                   \"metrics\":\"http://127.0.0.1:4712/metrics\"}\n{\"mess";
        let addresses = ("127.0.0.1:4711".parse().unwrap(), "127.0.0.1:4712".parse().unwrap());
        assert_eq!(ready(log), Some(addresses));
        assert_eq!(ready(&log[..60]), None);
    }
}
