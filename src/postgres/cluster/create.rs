//! Makes the cluster's data, once. All of it is made aside and put in its place by one rename: data that is in its
//! place is whole, and what an interrupted set-up left is thrown away.

use super::{SUPERUSER, account::Runner, error::ClusterError, log::Log, place, programs::Programs, settings};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// Set-up takes about a second: this is often enough to notice its end, or that it is no longer wanted.
const POLL: Duration = Duration::from_millis(10);

/// What set-up works with.
pub(super) struct Creation<'a> {
    pub runner: &'a Runner,
    pub programs: &'a Programs,
    pub home: &'a Path,
    pub log: &'a Log,
    pub cancelled: &'a dyn Fn() -> bool,
}

impl Creation<'_> {
    /// Makes the data of this version in `home` and puts it at `data`.
    pub(super) fn run(&self, data: &Path) -> Result<(), ClusterError> {
        self.discard_leftovers();
        // A name of its own: an `initdb` that outlived its Jeday may still be writing to the last one.
        let new = self.home.join(format!("{}.new.{}", self.programs.major, std::process::id()));
        place::make_private(&new, &self.runner.account)?;
        let made = self.make(&new).and_then(|()| {
            fs::rename(&new, data).map_err(ClusterError::io("put in place", data))?;
            File::open(self.home).and_then(|home| home.sync_all()).map_err(ClusterError::io("write to disk", self.home))
        });
        if made.is_err() {
            // What it leaves is thrown away at the next start too; the error is what matters.
            let _ = fs::remove_dir_all(new);
        }
        made
    }

    fn make(&self, new: &Path) -> Result<(), ClusterError> {
        let mut initdb = self.runner.command(&self.programs.initdb());
        initdb
            .arg("--pgdata")
            .arg(new)
            .args(["--username", SUPERUSER])
            .args(["--encoding=UTF8", "--no-locale", "--data-checksums", "--no-instructions"])
            // In force only if somebody starts this data without our settings.
            .args(["--auth-local=peer", "--auth-host=reject"]);
        self.finish(initdb, "")?;

        let mut standalone = self.runner.command(&self.programs.postgres());
        standalone.arg("--single").arg("-D").arg(new).args(["-c", "exit_on_error=on", "postgres"]);
        self.finish(standalone, &settings::first_statements())
    }

    fn finish(&self, mut command: Command, input: &str) -> Result<(), ClusterError> {
        let program = Path::new(command.get_program()).to_owned();
        // Through a pipe rather than into the log: on a full disk the log would not have the reason either.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(ClusterError::io("run", &program))?;
        let stderr = child.stderr.take();
        let said = thread::spawn(move || stderr.map(io::read_to_string).and_then(Result::ok).unwrap_or_default());
        if let Some(mut stdin) = child.stdin.take() {
            // A program that has ended before it read this says why in its status.
            let _ = stdin.write_all(input.as_bytes());
        }
        let status = loop {
            if (self.cancelled)() {
                end(&mut child);
                return Err(ClusterError::Cancelled);
            }
            match child.try_wait().map_err(ClusterError::io("wait for", &program))? {
                Some(status) => break status,
                None => thread::sleep(POLL),
            }
        };
        if status.success() {
            return Ok(());
        }
        let said = said.join().unwrap_or_default();
        let reason = self.log.keep(&said).unwrap_or_else(|| format!("it ended with {status}"));
        Err(ClusterError::Setup { reason, log: self.log.path.clone() })
    }

    /// Never started, so nothing is lost. One that resists is in nobody's way.
    fn discard_leftovers(&self) {
        let unfinished = format!("{}.new.", self.programs.major);
        for entry in fs::read_dir(self.home).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(&unfinished)) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

fn end(child: &mut Child) {
    // Its leavings are thrown away, so it need not tidy up. If it has ended already, so much the better.
    let _ = child.kill();
    let _ = child.wait();
}
