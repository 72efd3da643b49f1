//! Processes that end with the sweep: on drop, by their own id; and by the kernel's hand where setpriv(1) is installed,
//! if the sweep itself is killed. Never ends a process that it did not start.

use super::{
    super::{CliError, error::plain},
    ending::end,
};
use rustix::process::Signal;
use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

/// Lines of a log that are shown when its process has failed.
const LOG_LINES_SHOWN: usize = 8;

/// A running process and how to stop it.
pub(super) struct Process {
    child: Child,
    patience: Duration,
    log: PathBuf,
}

impl Process {
    /// Starts `program` with its output in `log`. It is told to end by SIGTERM, and killed when it has not ended
    /// `patience` later. Only the main thread may start processes: the kernel takes a thread's end for the parent's.
    pub(super) fn start(mut program: Command, patience: Duration, log: &Path) -> Result<Process, CliError> {
        let failed = |error| CliError::failure(format!("{} cannot be written: {}", log.display(), plain(&error)));
        let output = File::create(log).map_err(failed)?;
        program.stdin(Stdio::null()).stdout(output.try_clone().map_err(failed)?).stderr(output);
        // Ctrl-C on the terminal reaches the sweep alone, which stops the rest in order.
        let child = program.process_group(0).spawn().map_err(|error| {
            CliError::failure(format!("{:?} cannot be started: {}", program.get_program(), plain(&error)))
        })?;
        Ok(Process { child, patience, log: log.to_owned() })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it has ended, if it has.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>, CliError> {
        self.child.try_wait().map_err(|error| CliError::failed(&error))
    }

    /// All that it has written.
    pub(super) fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The last lines of it.
    pub(super) fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    /// Stops it and tells how it ended.
    pub(super) fn stop(mut self) -> Result<ExitStatus, CliError> {
        self.end().map_err(|error| CliError::failed(&error))
    }

    fn end(&mut self) -> io::Result<ExitStatus> {
        end(&mut self.child, Signal::TERM, self.patience)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing more can be done about a process that can be neither signalled nor waited for.
        let _ = self.end();
    }
}

/// A command that the kernel ends if the sweep dies, where that can be had.
pub(super) fn bound(program: impl AsRef<OsStr>) -> Command {
    match on_path("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "TERM", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// The program of this name that a shell would run.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
