//! A key file on disk: loaded only when it is private, replaced only as a whole.
//! Never loosens or mends the permissions of a file it finds, and never overwrites one it did not read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, RenameFlags, flock, renameat_with};
use rustix::io::Errno;
use rustix::process::geteuid;
use thiserror::Error;
use zeroize::Zeroizing;

use super::text::{self, TEXT_BYTES_MAX};
use super::{Key, KeyChangeError, KeyKind, KeyTextError, Keys};

/// Keys and where they came from.
pub struct KeyFile {
    path: PathBuf,
    keys: Keys,
}

/// Why a key file could not be used. Each text names the file and the remedy, and none holds any of its content.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// There is no such file.
    #[error("there is no key file {}: `jeday keygen` makes one", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A new file was to be made where one is.
    #[error("{} exists already and is left as it is: choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The system would not open or read it.
    #[error("cannot read the key file {}: {cause}; it must belong to the user that Jeday runs as, with mode 0600", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A folder, a pipe or a device.
    #[error("{} is not a regular file: name the key file itself", path.display())]
    NotRegular {
        /// The file.
        path: PathBuf,
    },
    /// Its owner could read and change the keys at will.
    #[error(
        "the key file {} belongs to user {owner}, not to user {user} that Jeday runs as: `chown {user} {}`",
        path.display(), path.display()
    )]
    ForeignOwner {
        /// The file.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// The effective user id of this process.
        user: u32,
    },
    /// Group or others have access, by mode or by an access control list.
    #[error("the key file {} is open to others (mode {mode:04o}): `chmod 600 {}`", path.display(), path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Longer than any key file is.
    #[error("{} has more than {TEXT_BYTES_MAX} bytes: not a key file", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Its text is not that of a key file.
    #[error("the key file {} is damaged: {cause}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// Where and how.
        cause: KeyTextError,
    },
    /// What is in it cannot be changed as asked.
    #[error("{} is left as it is: {cause}", path.display())]
    Change {
        /// The file.
        path: PathBuf,
        /// Why, and what to do instead.
        cause: KeyChangeError,
    },
    /// Another process is changing it.
    #[error("another process is changing the key file {}: try again when it is done", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The system would not write it. What was there before is unharmed.
    #[error("cannot write the key file {}: {cause}; its folder must exist, and this user must be able to write there", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

impl KeyFile {
    /// Reads a key file. Blocks on the disk.
    ///
    /// # Errors
    /// When it is missing, damaged, or not this user's alone.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        Ok(Self { path: path.to_owned(), keys: read(path, open_private(path)?)? })
    }

    /// Writes `keys` to a new file with mode 0600. When this returns the file survives a loss of power; when it fails
    /// there is no file. Blocks on the disk.
    ///
    /// # Errors
    /// When there is a file of that name, or the folder cannot be written.
    pub fn create(path: &Path, keys: Keys, now: Timestamp) -> Result<Self, KeyFileError> {
        let failed = |cause| KeyFileError::Write { path: path.to_owned(), cause };
        let written = Unplaced::write(path, &text::render(&keys, now)).map_err(failed)?;
        written.place_beside_none().map_err(|cause| match cause.kind() {
            io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.to_owned() },
            _ => failed(cause),
        })?;
        sync_folder_of(path).map_err(failed)?;
        Ok(Self { path: path.to_owned(), keys })
    }

    /// Adds a new key of one kind as the newest, and keeps all others. The file is replaced at one stroke: a reader
    /// finds the old one or the new one. Comments in it are not kept. Blocks on the disk.
    ///
    /// # Errors
    /// As for [`KeyFile::load`] and [`KeyFile::create`]; when another process is at it, when there is no room, and when
    /// another key is staged.
    pub fn rotate(path: &Path, kind: KeyKind, now: Timestamp) -> Result<Self, KeyFileError> {
        Self::change(path, now, |keys| keys.rotate(Key::generate(kind, now)?))
    }

    /// Adds a new key of one kind that is not used until it is promoted, in the way of [`KeyFile::rotate`].
    ///
    /// # Errors
    /// As for [`KeyFile::rotate`], and when no key of this kind is in use.
    pub fn stage(path: &Path, kind: KeyKind, now: Timestamp) -> Result<Self, KeyFileError> {
        Self::change(path, now, |keys| keys.stage(Key::generate(kind, now)?))
    }

    /// Puts the staged key of one kind to use, in the way of [`KeyFile::rotate`].
    ///
    /// # Errors
    /// As for [`KeyFile::rotate`], and when no key is staged.
    pub fn promote(path: &Path, kind: KeyKind, now: Timestamp) -> Result<Self, KeyFileError> {
        Self::change(path, now, |keys| keys.promote(kind))
    }

    fn change(
        path: &Path,
        now: Timestamp,
        change: impl FnOnce(&mut Keys) -> Result<(), KeyChangeError>,
    ) -> Result<Self, KeyFileError> {
        // A rename would put the new file in the place of a link, and leave the file it points to as it was.
        let path = &fs::canonicalize(path).map_err(|cause| unreadable(path, cause))?;
        let failed = |cause| KeyFileError::Write { path: path.to_owned(), cause };
        let lock = open(path, OFlags::RDWR)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Err(KeyFileError::Busy { path: path.to_owned() }),
            outcome => outcome.map_err(|errno| failed(errno.into()))?,
        }
        // The lock may be on a file that another rotation has just replaced.
        let (locked, named) = (lock.metadata().map_err(failed)?, fs::metadata(path).map_err(failed)?);
        if (locked.dev(), locked.ino()) != (named.dev(), named.ino()) {
            return Err(KeyFileError::Busy { path: path.to_owned() });
        }
        let held = lock.try_clone().map_err(failed)?;
        let mut keys = read(path, held)?;
        change(&mut keys).map_err(|cause| KeyFileError::Change { path: path.to_owned(), cause })?;
        let written = Unplaced::write(path, &text::render(&keys, now)).map_err(failed)?;
        written.replace().map_err(failed)?;
        sync_folder_of(path).map_err(failed)?;
        drop(lock);
        Ok(Self { path: path.to_owned(), keys })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }
}

fn unreadable(path: &Path, cause: io::Error) -> KeyFileError {
    let path = path.to_owned();
    match cause.kind() {
        io::ErrorKind::NotFound => KeyFileError::Missing { path },
        _ => KeyFileError::Read { path, cause },
    }
}

/// Opens a file to be read that is this user's alone.
///
/// # Errors
/// When it is missing or no regular file, belongs to another user, or is open to others.
pub fn open_private(path: &Path) -> Result<File, KeyFileError> {
    open(path, OFlags::RDONLY)
}

/// Opens a file and vouches for it. What is checked is the open file, so that it cannot be swapped in between.
fn open(path: &Path, access: OFlags) -> Result<File, KeyFileError> {
    // Without NONBLOCK a named pipe would hold the start for ever.
    let flags = access | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(Errno::ISDIR) => return Err(KeyFileError::NotRegular { path: path.to_owned() }),
        Err(errno) => return Err(unreadable(path, errno.into())),
    };
    let found = file.metadata().map_err(|cause| unreadable(path, cause))?;
    let path = || path.to_owned();
    let (owner, user) = (found.uid(), geteuid().as_raw());
    let mode = found.mode() & 0o7777;
    if !found.is_file() {
        Err(KeyFileError::NotRegular { path: path() })
    } else if owner != user {
        Err(KeyFileError::ForeignOwner { path: path(), owner, user })
    } else if mode & 0o077 != 0 {
        Err(KeyFileError::TooOpen { path: path(), mode })
    } else {
        Ok(file)
    }
}

fn read(path: &Path, file: File) -> Result<Keys, KeyFileError> {
    // One byte more than allowed tells a longer file; room for it all at once leaves no old memory behind.
    let mut content = Zeroizing::new(Vec::with_capacity(TEXT_BYTES_MAX + 1));
    file.take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut content).map_err(|cause| unreadable(path, cause))?;
    if content.len() > TEXT_BYTES_MAX {
        return Err(KeyFileError::TooLarge { path: path.to_owned() });
    }
    text::parse(&content).map_err(|cause| KeyFileError::Text { path: path.to_owned(), cause })
}

/// A file that is complete and on disk, but not yet under its name. Removed when it never gets there.
struct Unplaced<'a> {
    temporary: PathBuf,
    path: &'a Path,
}

impl<'a> Unplaced<'a> {
    fn write(path: &'a Path, text: &str) -> io::Result<Self> {
        let name =
            path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
        let mut temporary_name = std::ffi::OsString::from(".");
        temporary_name.push(name);
        temporary_name.push(format!(".{:016x}", getrandom::u64().map_err(io::Error::other)?));
        let temporary = path.with_file_name(temporary_name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        let unplaced = Self { temporary, path };
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(unplaced)
    }

    fn replace(self) -> io::Result<()> {
        fs::rename(&self.temporary, self.path)
    }

    fn place_beside_none(self) -> io::Result<()> {
        match renameat_with(CWD, &self.temporary, CWD, self.path, RenameFlags::NOREPLACE) {
            // Some network file systems know no such rename; a hard link never replaces anything either.
            Err(Errno::INVAL | Errno::NOSYS) => fs::hard_link(&self.temporary, self.path),
            outcome => outcome.map_err(io::Error::from),
        }
    }
}

impl Drop for Unplaced<'_> {
    fn drop(&mut self) {
        // After a rename there is nothing to remove, and a failure to remove leaves a file as private as the other.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// A rename is durable once the folder is.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
