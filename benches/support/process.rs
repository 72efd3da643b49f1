//! Processes that end with the bench: on drop, by their own id; and by the kernel's hand if the bench is killed
//! before it can; only files are left then. Never ends a process that it did not start.

use super::{Outcome, ending::end, interrupt};
use rustix::process::{Signal, geteuid};
use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

/// PostgreSQL refuses to run as root; Debian's package makes this user.
pub(crate) const DATABASE_USER: &str = "postgres";

/// Lines of a log that are shown when its process has failed.
const LOG_LINES_SHOWN: usize = 15;

/// A running process and how to stop it.
pub(crate) struct Process {
    child: Child,
    stop: Signal,
    patience: Duration,
    log: PathBuf,
}

impl Process {
    /// Starts `program` with its output in `log`. It is stopped by `stop`, and killed when it has not ended `patience`
    /// later. Only the main thread may start processes: the kernel takes a thread's end for the parent's.
    pub(crate) fn start(mut program: Command, stop: Signal, patience: Duration, log: &Path) -> Outcome<Process> {
        let output = File::create(log)?;
        program.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = spawn(&mut program)?;
        Ok(Process { child, stop, patience, log: log.to_owned() })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log_path(&self) -> &Path {
        &self.log
    }

    pub(crate) fn is_running(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Fails with the end of the log if the process has ended by itself.
    pub(crate) fn check(&mut self) -> Outcome<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("it has ended with {status}:\n{}", self.log_end()).into()),
        }
    }

    /// Stops it and tells how it ended.
    pub(crate) fn stop(mut self) -> Outcome<ExitStatus> {
        Ok(self.end()?)
    }

    /// The last lines of what it has written.
    pub(crate) fn log_end(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    fn end(&mut self) -> io::Result<ExitStatus> {
        end(&mut self.child, self.stop, self.patience)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing more can be done about a process that can be neither signalled nor waited for.
        let _ = self.end();
    }
}

/// A command that the kernel sends `signal` if the bench dies.
pub(crate) fn bound(program: impl AsRef<OsStr>, signal: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

/// The same as the user who owns the database's files.
pub(crate) fn bound_as_owner(program: impl AsRef<OsStr>, signal: &str) -> Command {
    if !geteuid().is_root() {
        return bound(program, signal);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", DATABASE_USER, "--regid", DATABASE_USER, "--init-groups"]);
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

/// Starts a command in a process group of its own: Ctrl-C on the terminal reaches the bench alone, which stops the rest
/// in order.
pub(crate) fn spawn(command: &mut Command) -> Outcome<Child> {
    let program = command.get_args().last().unwrap_or_default().to_string_lossy().into_owned();
    match command.process_group(0).spawn() {
        Ok(child) => Ok(child),
        Err(error) => Err(format!("cannot start {:?} for {program}: {error}", command.get_program()).into()),
    }
}

/// Runs a command to its end; fails with what it has written if it does.
pub(crate) fn run(command: &mut Command) -> Outcome<String> {
    interrupt::check()?;
    let output = command.output().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    Err(format!("{} failed with {}: {}", arguments.join(" "), output.status, said.trim()).into())
}
