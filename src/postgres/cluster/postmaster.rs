//! Starts PostgreSQL on data that is there and waits until it serves.

use super::{
    account::Runner,
    error::ClusterError,
    log::Log,
    orphan::{self, PidFile},
    place::socket_path,
    process::{Process, Stopped},
    programs::Programs,
};
use std::{
    ffi::OsString,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// Starting takes 30 to 100 ms, and nothing tells when it is done but a file: asking costs a few microseconds, and at
/// this distance adds little to the wait. Nothing is asked once it is up.
const POLL: Duration = Duration::from_millis(5);

/// Beyond this it is not just starting, but recovering: say so.
const PATIENCE: Duration = Duration::from_secs(2);

/// Replaying as much log as the settings allow takes a minute on a slow disk.
const START_LIMIT: Duration = Duration::from_secs(600);

/// When a start is given up, for it to end in good order.
const GIVE_UP_LIMIT: Duration = Duration::from_secs(5);

/// All it takes to start PostgreSQL, once or again.
#[derive(Debug)]
pub(super) struct Postmaster {
    pub runner: Runner,
    pub programs: Programs,
    /// Where the files of settings are.
    pub home: PathBuf,
    pub data: PathBuf,
    pub socket_directory: PathBuf,
    pub log: Log,
}

impl Postmaster {
    /// Starts it and waits until it takes connections. Whatever was left running on the data is stopped first.
    pub(super) fn start(&self, cancelled: &dyn Fn() -> bool, progress: &dyn Fn(&str)) -> Result<Process, ClusterError> {
        orphan::clear(&self.data, &self.socket_directory, progress)?;
        self.log.bound().map_err(ClusterError::io("set aside", &self.log.path))?;
        let mark = self.log.mark();
        let output = self.log.open().map_err(ClusterError::io("write", &self.log.path))?;
        let mut command = self.command();
        command.stdout(output.try_clone().map_err(ClusterError::io("write", &self.log.path))?).stderr(output);
        let child = command.spawn().map_err(ClusterError::io("run", self.programs.postgres()))?;
        let mut process = Process::of(child).map_err(ClusterError::io("watch over", self.programs.postgres()))?;
        match self.wait(&process, mark, cancelled, progress) {
            Ok(()) => Ok(process),
            Err(error) => match process.stop(GIVE_UP_LIMIT)? {
                // It says best itself why.
                Stopped::Before | Stopped::Cleanly | Stopped::Forcibly => Err(error),
            },
        }
    }

    fn command(&self) -> Command {
        let mut command = self.runner.command(&self.programs.postgres());
        command.arg("-D").arg(&self.data);
        for (setting, file) in
            [("config_file", "jeday.conf"), ("hba_file", "pg_hba.conf"), ("ident_file", "pg_ident.conf")]
        {
            let mut value = OsString::from(format!("{setting}="));
            value.push(self.home.join(file));
            command.arg("-c").arg(value);
        }
        command.arg("-c").arg(directory_list(&self.socket_directory));
        command
    }

    fn wait(
        &self,
        process: &Process,
        mark: u64,
        cancelled: &dyn Fn() -> bool,
        progress: &dyn Fn(&str),
    ) -> Result<(), ClusterError> {
        let started = Instant::now();
        let mut patient = true;
        loop {
            if self.serves(process.pid)? {
                return Ok(());
            }
            if process.ends_within(POLL) {
                let reason = self.log.complaint(mark);
                return Err(ClusterError::Start { reason, log: self.log.path.clone() });
            }
            if cancelled() {
                return Err(ClusterError::Cancelled);
            }
            if patient && started.elapsed() > PATIENCE {
                patient = false;
                progress("PostgreSQL is recovering what a crash had left unfinished");
            }
            if started.elapsed() > START_LIMIT {
                return Err(ClusterError::Slow { seconds: START_LIMIT.as_secs(), log: self.log.path.clone() });
            }
        }
    }

    /// It says so in its file, and its socket takes a connection from us.
    fn serves(&self, pid: u32) -> Result<bool, ClusterError> {
        let file = PidFile::read(&self.data).map_err(ClusterError::io("read what PostgreSQL says in", &self.data))?;
        if !file.is_some_and(|file| file.pid == pid && file.ready) {
            return Ok(false);
        }
        let socket = socket_path(&self.socket_directory);
        UnixStream::connect(&socket).map_err(ClusterError::io("connect to", socket))?;
        Ok(true)
    }
}

/// The setting is a list: quotes keep a comma or space in a path from dividing it.
fn directory_list(directory: &Path) -> OsString {
    let mut value = OsString::from("unix_socket_directories=\"");
    value.push(directory);
    value.push("\"");
    value
}
