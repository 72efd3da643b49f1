//! A postmaster without its Jeday: what `kill -9` of the server leaves behind. It is stopped rather than taken over:
//! one that is started anew has the settings of now, the programs of now, and a parent that learns of its end.
//!
//! Called only while the state directory is locked, so that no living Jeday has anything to do with what is found.

use super::{
    PORT,
    error::ClusterError,
    place::socket_path,
    process::{Process, Stopped},
};
use rustix::fs::OFlags;
use std::{
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt, net::UnixStream},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// Time for an orphan to write out what it has in memory; then its log is replayed instead.
const ORPHAN_STOP_LIMIT: Duration = Duration::from_secs(60);

/// PostgreSQL's processes look for their postmaster when it dies, and leave; one in a long computation does so later.
const STRAGGLER_LIMIT: Duration = Duration::from_secs(10);

/// The file is a few lines.
const FILE_BYTES_MAX: u64 = 4 << 10;

/// What a postmaster says of itself in `postmaster.pid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PidFile {
    pub pid: u32,
    pub socket_directory: Option<PathBuf>,
    pub ready: bool,
}

impl PidFile {
    /// `None` if there is none, or one that is being written.
    pub(super) fn read(data: &Path) -> io::Result<Option<PidFile>> {
        // The data directory is PostgreSQL's: be led nowhere by what lies in it, nor wait for it.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path(data));
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(parse(&bytes))
    }
}

/// Lines: process id, data directory, start time, port, socket directory, listen address, shared memory, status.
fn parse(bytes: &[u8]) -> Option<PidFile> {
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end).collect();
    // A standalone backend puts a minus sign before its process id.
    let pid: i32 = std::str::from_utf8(lines.first()?).ok()?.parse().ok()?;
    let socket_directory =
        lines.get(4).filter(|line| !line.is_empty()).map(|line| PathBuf::from(std::ffi::OsStr::from_bytes(line)));
    let ready = lines.get(7).is_some_and(|line| *line == b"ready");
    Some(PidFile { pid: pid.unsigned_abs(), socket_directory, ready })
}

fn path(data: &Path) -> PathBuf {
    data.join("postmaster.pid")
}

/// Leaves nothing running on `data`, and no file, there or beside the socket, that says so.
pub(super) fn clear(data: &Path, sockets: &Path, progress: &dyn Fn(&str)) -> Result<(), ClusterError> {
    let unreadable = |error| ClusterError::io("read", path(data))(error);
    if path(data).try_exists().map_err(unreadable)? {
        let file = PidFile::read(data).map_err(unreadable)?;
        if let Some(pid) = file.as_ref().map(|file| file.pid) {
            stop(pid, data, progress)?;
        }
        wait_for_stragglers(data);
        // What is still there is stale. Make sure that no one answers who has another view of the processes, as a
        // container has.
        let socket = file.and_then(|file| file.socket_directory).map(|directory| socket_path(&directory));
        if path(data).try_exists().map_err(unreadable)? && socket.is_some_and(|it| UnixStream::connect(it).is_ok()) {
            return Err(ClusterError::InUseElsewhere { directory: data.to_owned() });
        }
    }
    // PostgreSQL would refuse to start if the number in one of them is another process's by now.
    for stale in [path(data), socket_path(sockets).with_extension(format!("{PORT}.lock"))] {
        match fs::remove_file(&stale) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ClusterError::io("remove", stale)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn stop(pid: u32, data: &Path, progress: &dyn Fn(&str)) -> Result<(), ClusterError> {
    // First the descriptor, then the questions: they are about this process and no later one of its number.
    let found = Process::find(pid).map_err(ClusterError::io("look for the owner of", path(data)))?;
    let Some(mut orphan) = found.filter(|_| works_on(pid, data)) else { return Ok(()) };
    progress(&format!("stopping the PostgreSQL that an earlier run left behind (process {pid})"));
    if orphan.stop(ORPHAN_STOP_LIMIT)? == Stopped::Forcibly {
        progress("it did not end by itself and was killed; what it had not written out will be recovered");
    }
    Ok(())
}

/// Whether the process is PostgreSQL at work in this directory: every process of a cluster has it as its current one.
fn works_on(pid: u32, data: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let here = fs::read_link(process.join("cwd")).is_ok_and(|directory| directory == data);
    // After an upgrade of the package the program that runs is one that has been removed.
    let program = fs::read_link(process.join("exe")).ok();
    let name = program.as_deref().and_then(Path::file_name).map(OsStrExt::as_bytes);
    here && name.is_some_and(|name| name.strip_suffix(b" (deleted)").unwrap_or(name) == b"postgres")
}

/// PostgreSQL itself refuses to start beside those that stay longer.
fn wait_for_stragglers(data: &Path) {
    let until = Instant::now() + STRAGGLER_LIMIT;
    while Instant::now() < until && any_works_on(data) {
        thread::sleep(Duration::from_millis(10));
    }
}

fn any_works_on(data: &Path) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).any(|pid| works_on(pid, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_is_read_at_every_stage_of_its_writing() {
        let whole = b"4711\n/state/postgres/15\n1700000000\n5432\n/state/postgres/socket\n\n  1 2\nready   \n";
        let file = parse(whole).unwrap();
        assert_eq!(file.pid, 4711);
        assert_eq!(file.socket_directory.as_deref(), Some(Path::new("/state/postgres/socket")));
        assert!(file.ready);
        for end in 0..whole.len() - 4 {
            assert!(parse(&whole[..end]).is_none_or(|file| !file.ready));
        }
        assert_eq!(parse(b"-12\n/data\n").unwrap().pid, 12);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn another_process_with_the_number_is_left_alone_and_the_stale_file_removed() {
        let data = tempfile::tempdir().unwrap();
        fs::write(path(data.path()), format!("{}\n{}\n", std::process::id(), data.path().display())).unwrap();
        let lock = data.path().join(".s.PGSQL.5432.lock");
        fs::write(&lock, "1\n").unwrap();
        clear(data.path(), data.path(), &|said| panic!("{said}")).unwrap();
        assert!(!lock.exists());
        assert!(!path(data.path()).exists());
    }

    #[test]
    fn a_socket_that_answers_means_a_server_that_cannot_be_seen() {
        let data = tempfile::tempdir().unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(socket_path(data.path())).unwrap();
        let directory = data.path().display();
        fs::write(path(data.path()), format!("{}\n{directory}\n0\n5432\n{directory}\n", u32::MAX >> 1)).unwrap();
        assert!(matches!(clear(data.path(), data.path(), &|_| {}), Err(ClusterError::InUseElsewhere { .. })));
        assert!(path(data.path()).exists());
    }
}
