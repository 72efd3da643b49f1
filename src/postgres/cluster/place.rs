//! The state directory: who has it, what lies where in it, and to whom each part belongs.
//!
//! ```text
//! STATE/                  Jeday's; others may pass through (not look around) where root runs it
//!   jeday.lock            locked while a server uses the directory; says its process id
//!   postgres.log          what PostgreSQL says, and postgres.log.1 before that
//!   postgres/             Jeday's
//!     jeday.conf  pg_hba.conf  pg_ident.conf     written at each start
//!     custom.conf                                the operator's, if there
//!     15/                 data of PostgreSQL 15, the account's alone
//!     15.new.PID/         data being set up; left over if that was interrupted
//!     socket/             the account's alone
//! ```
//!
//! Where root runs Jeday, it writes nothing inside what belongs to the account: a link planted there leads nowhere.

use super::{
    PORT,
    account::Account,
    error::ClusterError,
    settings::{self, Sizes},
};
use rustix::process::geteuid;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown},
    },
    path::{Path, PathBuf},
};

/// Longest path of a Unix socket: `sun_path` has 108 bytes, one of them for the NUL (unix(7)).
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Only its owner may do anything.
const PRIVATE: u32 = 0o700;

/// Its owner may do anything, others may pass through to what they know the name of.
const PASSABLE: u32 = 0o711;

/// Keeps other servers off the state directory, until it is dropped or the process ends, however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Where things are.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub state: PathBuf,
    pub home: PathBuf,
}

impl Place {
    /// Makes the state directory if need be, and takes it.
    pub(super) fn take(state: &Path) -> Result<(Place, Lock), ClusterError> {
        let cannot_make = |error| ClusterError::io("create", state)(error);
        let root = geteuid().is_root();
        if let Some(parent) = state.parent() {
            // What root makes on the way has to let the account through.
            let mode = if root { 0o755 } else { PRIVATE };
            DirBuilder::new().recursive(true).mode(mode).create(parent).map_err(cannot_make)?;
        }
        make(state, if root { PASSABLE } else { PRIVATE }).map_err(cannot_make)?;
        let state = fs::canonicalize(state).map_err(ClusterError::io("find", state))?;
        let lock = lock(&state)?;
        Ok((Place { home: state.join("postgres"), state }, lock))
    }

    pub(super) fn log(&self) -> PathBuf {
        self.state.join("postgres.log")
    }

    /// The newest data there is, and its major version.
    pub(super) fn data(&self) -> Option<(u32, PathBuf)> {
        let entries = fs::read_dir(&self.home).ok()?.flatten();
        entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()))).max()
    }

    /// Makes the cluster's home, and lets the account through to it.
    pub(super) fn prepare(&self, account: &Account) -> Result<(), ClusterError> {
        make(&self.home, if account.switch { PASSABLE } else { PRIVATE })
            .map_err(ClusterError::io("create", &self.home))?;
        if account.switch {
            for directory in [&self.state, &self.home] {
                let failed = |error| ClusterError::io("open the way through", directory)(error);
                let mode = directory.metadata().map_err(failed)?.mode() & 0o7777;
                if mode & 0o001 == 0 {
                    fs::set_permissions(directory, Permissions::from_mode(mode | 0o001)).map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    /// Writes the settings and who may connect.
    pub(super) fn write_settings(&self, account: &Account, sizes: Sizes) -> Result<(), ClusterError> {
        for (name, text) in [
            ("jeday.conf", settings::server(sizes)),
            ("pg_hba.conf", settings::access()),
            ("pg_ident.conf", settings::identities(account)),
        ] {
            let path = self.home.join(name);
            replace(&path, &text).map_err(ClusterError::io("write", path))?;
        }
        Ok(())
    }

    /// A directory for the socket that the account alone may enter (root may enter any): beside the data, or in a
    /// place with a shorter name if that is too long for a socket.
    pub(super) fn socket_directory(&self, account: &Account) -> Result<PathBuf, ClusterError> {
        let beside = self.home.join("socket");
        let directory = if fits(&beside) { beside } else { short_directory(&self.state, account) };
        make_private(&directory, account)?;
        Ok(directory)
    }
}

/// The name that PostgreSQL gives the socket.
pub(super) fn socket_path(directory: &Path) -> PathBuf {
    directory.join(format!(".s.PGSQL.{PORT}"))
}

fn fits(directory: &Path) -> bool {
    socket_path(directory).as_os_str().as_bytes().len() <= SOCKET_PATH_BYTES_MAX
}

/// The same at each start of the same state directory, and different for different ones.
fn short_directory(state: &Path, account: &Account) -> PathBuf {
    let hash = Sha256::digest(state.as_os_str().as_bytes());
    let name = format!("jeday-{}-{:02x}{:02x}{:02x}{:02x}", account.uid, hash[0], hash[1], hash[2], hash[3]);
    let of_user = PathBuf::from(format!("/run/user/{}", account.uid));
    let parent = if account.switch && Path::new("/run").is_dir() {
        PathBuf::from("/run")
    } else if of_user.is_dir() {
        of_user
    } else {
        PathBuf::from("/tmp")
    };
    parent.join(name)
}

/// Makes a directory of the account's that nobody else may enter, or makes sure that the one there is so: in /tmp
/// anyone may have put something of that name.
pub(super) fn make_private(directory: &Path, account: &Account) -> Result<(), ClusterError> {
    let failed = |error| ClusterError::io("create", directory)(error);
    make(directory, PRIVATE).map_err(failed)?;
    let metadata = directory.symlink_metadata().map_err(failed)?;
    if !metadata.is_dir()
        || metadata.mode() & 0o077 != 0
        || ![account.uid, geteuid().as_raw()].contains(&metadata.uid())
    {
        return Err(ClusterError::NotPrivate { directory: directory.to_owned(), account: account.name.clone() });
    }
    if metadata.uid() != account.uid {
        chown(directory, Some(account.uid), Some(account.gid)).map_err(ClusterError::io("hand over", directory))?;
    }
    Ok(())
}

/// Makes one directory; one that is there stays as it is.
fn make(directory: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Puts a file in place whole, or leaves the old one; not at all if it says the same already.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    // PostgreSQL runs as another user than root and has to read it; there is no secret in it.
    fs::set_permissions(&new, Permissions::from_mode(0o644))?;
    fs::rename(new, path)
}

fn lock(state: &Path) -> Result<Lock, ClusterError> {
    let path = state.join("jeday.lock");
    let failed = |error| ClusterError::io("lock", &path)(error);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = file.take(32).read_to_string(&mut text);
            let pid = read.ok().and_then(|_| text.trim_end().parse().ok());
            return Err(ClusterError::InUse { directory: state.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    file.set_len(0).map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Account {
        Account::choose(None).map(|account| Account { uid: geteuid().as_raw(), ..account }).unwrap()
    }

    #[test]
    fn a_state_directory_is_had_by_one_and_says_by_whom() {
        let state = tempfile::tempdir().unwrap();
        let (_, first) = Place::take(state.path()).unwrap();
        let error = Place::take(state.path()).unwrap_err();
        assert!(matches!(error, ClusterError::InUse { pid: Some(pid), .. } if pid == std::process::id()), "{error}");
        drop(first);
        Place::take(state.path()).unwrap();
    }

    #[test]
    fn a_long_state_directory_gets_a_socket_elsewhere_always_the_same() {
        let account = Account { name: "someone".to_owned(), uid: 4_000_000, gid: 4_000_000, switch: false };
        let long = PathBuf::from(format!("/{}", "x".repeat(100)));
        assert!(!fits(&long.join("postgres/socket")));
        let short = short_directory(&long, &account);
        assert!(fits(&short), "{}", short.display());
        assert_eq!(short, short_directory(&long, &account));
        assert_ne!(short, short_directory(&long.join("y"), &account));
    }

    #[test]
    fn a_directory_that_others_may_enter_is_not_taken_for_private() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("socket");
        make_private(&directory, &me()).unwrap();
        make_private(&directory, &me()).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(make_private(&directory, &me()), Err(ClusterError::NotPrivate { .. })));

        let link = parent.path().join("link");
        std::os::unix::fs::symlink(parent.path(), &link).unwrap();
        assert!(matches!(make_private(&link, &me()), Err(ClusterError::NotPrivate { .. })));
    }

    #[test]
    fn only_numbered_directories_are_data_and_the_newest_counts() {
        let state = tempfile::tempdir().unwrap();
        let (place, _lock) = Place::take(state.path()).unwrap();
        assert_eq!(place.data(), None);
        for name in ["9", "15", "16.new.77", "socket"] {
            fs::create_dir_all(place.home.join(name)).unwrap();
        }
        assert_eq!(place.data(), Some((15, place.home.join("15"))));
    }
}
