//! PostgreSQL's log: a file that Jeday opens and PostgreSQL appends to. Bounded: past its size the file is set aside.

use rustix::fs::statvfs;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Weeks of ordinary operation; twice this at most is kept.
const BYTES_MAX: u64 = 8 << 20;

/// More than PostgreSQL says between starting and giving up.
const TAIL_BYTES_MAX: u64 = 64 << 10;

/// The log.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub path: PathBuf,
}

impl Log {
    /// Opens it for a program to append to. It holds no secrets, but is nobody else's business.
    pub(super) fn open(&self) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)
    }

    /// Its present length in bytes: what comes later is the answer to what is done next.
    pub(super) fn mark(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Sets it aside as `.1` if it has grown too long. PostgreSQL, which holds it open, goes on at the start of what is
    /// then an empty file; what it says during the copy itself may be lost.
    pub(super) fn bound(&self) -> io::Result<()> {
        if self.mark() <= BYTES_MAX {
            return Ok(());
        }
        let mut aside = self.path.clone().into_os_string();
        aside.push(".1");
        fs::copy(&self.path, aside)?;
        OpenOptions::new().write(true).open(&self.path)?.set_len(0)
    }

    /// Why a program has failed that wrote here since `mark`. On a full disk it could not say.
    pub(super) fn complaint(&self, mark: u64) -> String {
        let said = tail(&self.path, mark).ok().and_then(|text| complaint(&text));
        said.unwrap_or_else(|| match statvfs(&self.path) {
            Ok(disk) => {
                format!("it ended without a word ({} MiB are free on its disk)", (disk.f_bavail * disk.f_frsize) >> 20)
            }
            Err(_) => "it ended without a word".to_owned(),
        })
    }

    /// Adds what a program has said, and tells why it has failed.
    pub(super) fn keep(&self, said: &str) -> Option<String> {
        // Whoever asks is told the reason itself; the rest is lost on a full disk.
        let _ = self.open().and_then(|mut file| file.write_all(said.as_bytes()));
        complaint(said)
    }
}

fn tail(path: &Path, mark: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(mark.max(end.saturating_sub(TAIL_BYTES_MAX)).min(end)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first line of the gravest kind there is: what follows it is its consequence.
fn complaint(text: &str) -> Option<String> {
    ["PANIC:  ", "FATAL:  ", "error: ", "ERROR:  "]
        .iter()
        .find_map(|mark| text.lines().find_map(|line| line.split_once(mark)))
        .map(|(_, message)| message.trim().to_owned())
        .or_else(|| text.lines().rev().find(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_complaint_is_the_gravest_line_without_its_prefix() {
        let text = "2026-01-01 00:00:00 UTC [7] LOG:  starting\n\
                    2026-01-01 00:00:00 UTC [7] FATAL:  could not write lock file: No space left on device\n\
                    2026-01-01 00:00:00 UTC [7] LOG:  database system is shut down\n";
        assert_eq!(complaint(text).unwrap(), "could not write lock file: No space left on device");
        assert_eq!(complaint("initdb: error: cannot be run as root\nhint\n").unwrap(), "cannot be run as root");
        assert_eq!(complaint("Illegal instruction\n\n").unwrap(), "Illegal instruction");
        assert_eq!(complaint("\n"), None);
    }

    #[test]
    fn a_long_log_is_set_aside_while_it_is_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log { path: directory.path().join("postgres.log") };
        let mut writer = log.open().unwrap();
        writer.write_all(&vec![b'x'; BYTES_MAX as usize]).unwrap();
        log.bound().unwrap();
        assert_eq!(log.mark(), BYTES_MAX);
        writer.write_all(b"y").unwrap();
        log.bound().unwrap();
        writer.write_all(b"FATAL:  z\n").unwrap();
        assert_eq!(fs::metadata(directory.path().join("postgres.log.1")).unwrap().len(), BYTES_MAX + 1);
        assert_eq!(log.complaint(0), "z");
    }
}
