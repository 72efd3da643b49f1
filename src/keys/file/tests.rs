//! Key files on a real file system: who may read them, what replaces them, what is left behind.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::*;
use crate::keys::{KEYS_PER_KIND_MAX, generate};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("jeday.keys")
    }

    fn with_file() -> Self {
        let folder = Self::new();
        created(&folder.path());
        folder
    }

    fn names(&self) -> Vec<String> {
        fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn now() -> Timestamp {
    "2025-01-31T12:00:00Z".parse().unwrap()
}

fn created(path: &Path) -> KeyFile {
    let keys = generate(now()).unwrap();
    KeyFile::create(path, keys, now()).unwrap()
}

fn loaded(path: &Path) -> KeyFile {
    KeyFile::load(path).unwrap()
}

fn refusal(path: &Path) -> KeyFileError {
    let Err(error) = KeyFile::load(path) else { panic!("{} was loaded", path.display()) };
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    error
}

fn secrets(file: &KeyFile, kind: KeyKind) -> Vec<[u8; 32]> {
    file.keys().of(kind).map(|key| *key.secret()).collect()
}

#[test]
fn a_new_file_is_private_and_loads() {
    let folder = Folder::new();
    let made = created(&folder.path());
    assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o7777, 0o600);
    for kind in KeyKind::ALL {
        assert!(secrets(&made, kind) == secrets(&loaded(&folder.path()), kind));
    }
    assert_eq!(folder.names(), ["jeday.keys"]);
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let folder = Folder::with_file();
    let before = fs::read(folder.path()).unwrap();
    let keys = generate(now()).unwrap();
    assert!(matches!(KeyFile::create(&folder.path(), keys, now()), Err(KeyFileError::Exists { .. })));
    assert!(fs::read(folder.path()).unwrap() == before);
    assert_eq!(folder.names(), ["jeday.keys"]);
}

#[test]
fn a_missing_file_is_told_with_the_command_that_makes_one() {
    let error = refusal(&Folder::new().path());
    assert!(matches!(error, KeyFileError::Missing { .. }));
    assert!(error.to_string().contains("jeday keygen"));
}

#[test]
fn a_file_open_to_others_is_refused() {
    let folder = Folder::with_file();
    for mode in [0o640, 0o620, 0o610, 0o604, 0o602, 0o644, 0o666, 0o777] {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        assert!(matches!(refusal(&folder.path()), KeyFileError::TooOpen { mode: told, .. } if told == mode));
        assert!(matches!(KeyFile::rotate(&folder.path(), KeyKind::Pepper, now()), Err(KeyFileError::TooOpen { .. })));
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o400)).unwrap();
    loaded(&folder.path());
}

#[test]
fn a_file_of_somebody_else_is_refused() {
    let folder = Folder::with_file();
    // Only root can give a file away; as anybody else there is nothing to try.
    if chown(folder.path(), Some(65_534), None).is_ok() {
        assert!(matches!(refusal(&folder.path()), KeyFileError::ForeignOwner { owner: 65_534, .. }));
    }
}

#[test]
fn what_is_not_a_regular_file_is_refused_at_once() {
    let folder = Folder::new();
    assert!(matches!(refusal(folder.0.path()), KeyFileError::NotRegular { .. }));
    assert!(matches!(KeyFile::rotate(folder.0.path(), KeyKind::Pepper, now()), Err(KeyFileError::NotRegular { .. })));
    let pipe = folder.path();
    rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    assert!(matches!(refusal(&pipe), KeyFileError::NotRegular { .. }));
}

#[test]
fn damage_is_told_by_line_and_never_quoted() {
    let folder = Folder::with_file();
    let text = fs::read_to_string(folder.path()).unwrap();
    let key =
        text.lines().find(|line| line.starts_with("pepper")).and_then(|line| line.split(' ').next_back()).unwrap();
    fs::write(folder.path(), text.replace(key, &key[1..])).unwrap();
    let error = refusal(&folder.path());
    assert!(error.to_string().contains("line 6"), "{error}");
    assert!(!format!("{error} {error:?}").contains(&key[1..]));

    fs::write(folder.path(), "").unwrap();
    assert!(matches!(refusal(&folder.path()), KeyFileError::Text { .. }));
    fs::write(folder.path(), vec![b'#'; TEXT_BYTES_MAX + 1]).unwrap();
    assert!(matches!(refusal(&folder.path()), KeyFileError::TooLarge { .. }));
}

#[test]
fn rotation_adds_a_newest_key_and_keeps_the_others() {
    let folder = Folder::with_file();
    let before = loaded(&folder.path());
    let rotated = KeyFile::rotate(&folder.path(), KeyKind::Pepper, now()).unwrap();
    let after = loaded(&folder.path());
    assert!(secrets(&after, KeyKind::Pepper) == secrets(&rotated, KeyKind::Pepper));
    assert_eq!(secrets(&after, KeyKind::Pepper).len(), 2);
    assert!(secrets(&after, KeyKind::Pepper)[1..] == secrets(&before, KeyKind::Pepper));
    assert!(secrets(&after, KeyKind::TokenLocal) == secrets(&before, KeyKind::TokenLocal));
    assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(folder.names(), ["jeday.keys"]);
}

#[test]
fn rotation_stops_at_the_bound() {
    let folder = Folder::with_file();
    for _ in 1..KEYS_PER_KIND_MAX {
        assert!(KeyFile::rotate(&folder.path(), KeyKind::Refresh, now()).is_ok());
    }
    assert!(matches!(
        KeyFile::rotate(&folder.path(), KeyKind::Refresh, now()),
        Err(KeyFileError::Change { cause: KeyChangeError::Full(KeyKind::Refresh), .. })
    ));
    assert_eq!(secrets(&loaded(&folder.path()), KeyKind::Refresh).len(), KEYS_PER_KIND_MAX);
}

#[test]
fn a_staged_key_is_known_first_and_used_once_promoted() {
    let folder = Folder::with_file();
    let path = folder.path();
    let kind = KeyKind::TokenLocal;
    let old = secrets(&loaded(&path), kind)[0];
    KeyFile::stage(&path, kind, now()).unwrap();
    let staged = loaded(&path);
    let new = *staged.keys().staged(kind).unwrap().secret();
    assert!(secrets(&staged, kind) == [old, new]);
    KeyFile::promote(&path, kind, now()).unwrap();
    let promoted = loaded(&path);
    assert!(secrets(&promoted, kind) == [new, old]);
    assert!(promoted.keys().staged(kind).is_none(), "the old one is not taken for a new one");
    KeyFile::stage(&path, kind, now()).unwrap();
    assert!(secrets(&loaded(&path), kind)[..2] == [new, old]);
}

#[test]
fn a_change_that_makes_no_sense_is_refused_with_what_to_do() {
    let folder = Folder::with_file();
    let path = folder.path();
    let refused = |changed: Result<KeyFile, KeyFileError>, remedy: &str| {
        let Err(error) = changed else { panic!("changed") };
        assert!(matches!(error, KeyFileError::Change { .. }), "{error}");
        assert!(error.to_string().contains(remedy) && error.to_string().contains("jeday.keys"), "{error}");
    };
    let unchanged = fs::read(&path).unwrap();
    refused(KeyFile::promote(&path, KeyKind::Pepper, now()), "`--stage pepper`");
    assert!(fs::read(&path).unwrap() == unchanged);
    KeyFile::stage(&path, KeyKind::Pepper, now()).unwrap();
    let unchanged = fs::read(&path).unwrap();
    refused(KeyFile::stage(&path, KeyKind::Pepper, now()), "`--promote pepper`");
    refused(KeyFile::rotate(&path, KeyKind::Pepper, now()), "`--promote pepper`");
    refused(KeyFile::promote(&path, KeyKind::Refresh, now()), "`--stage refresh`");
    assert!(fs::read(&path).unwrap() == unchanged);

    let text = fs::read_to_string(&path).unwrap();
    let other: Vec<_> = text.lines().filter(|line| !line.starts_with("token-public")).collect();
    fs::write(&path, other.join("\n")).unwrap();
    refused(KeyFile::stage(&path, KeyKind::TokenPublic, now()), "`--rotate token-public`");
    KeyFile::rotate(&path, KeyKind::TokenPublic, now()).unwrap();
    assert_eq!(secrets(&loaded(&path), KeyKind::TokenPublic).len(), 1);
}

#[test]
fn rotation_through_a_link_changes_the_file_behind_it() {
    let folder = Folder::with_file();
    let link = folder.0.path().join("link");
    symlink(folder.path(), &link).unwrap();
    assert!(KeyFile::rotate(&link, KeyKind::Pepper, now()).is_ok());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(secrets(&loaded(&folder.path()), KeyKind::Pepper).len(), 2);
}

#[test]
fn parallel_rotations_lose_no_key() {
    let folder = Folder::with_file();
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..3 {
                    match KeyFile::rotate(&folder.path(), KeyKind::Pepper, now()) {
                        Ok(_) => _ = done.fetch_add(1, Ordering::Relaxed),
                        Err(KeyFileError::Busy { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    assert_eq!(secrets(&loaded(&folder.path()), KeyKind::Pepper).len(), 1 + done.into_inner());
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let folder = Folder::new();
    let path = folder.0.path().join("missing").join("jeday.keys");
    let keys = generate(now()).unwrap();
    let Err(error) = KeyFile::create(&path, keys, now()) else { panic!("created") };
    assert!(matches!(&error, KeyFileError::Write { .. }) && error.to_string().contains("folder must exist"), "{error}");
}
