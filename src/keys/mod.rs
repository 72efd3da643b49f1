//! The secret keys that live outside the database: what they are, how they are made, what they are called.
//! Never prints one, never derives one from a password, and has none built in. What a key is used for is the business
//! of `hardening/` and `tokens/`.

pub mod file;
mod text;

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64Unpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

pub use file::{KeyFile, KeyFileError, open_private};
pub use text::{KeyTextError, KeyTextProblem, render};

/// Length of every key, in bytes: what HMAC-SHA-256 (RFC 2104 section 3), PASETO v4.local and an Ed25519 key (RFC 8032
/// section 5.1.5) want.
pub const KEY_BYTES: usize = 32;

/// Most keys of one kind at a time. Rotation needs two; more than this is a forgotten clean-up, and each token that
/// names no key would be tried against all of them.
pub const KEYS_PER_KIND_MAX: usize = 16;

/// What a key is for. A key serves one purpose only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Keys the weak record of a password.
    Pepper,
    /// Encrypts access tokens (PASETO v4.local).
    TokenLocal,
    /// Signs access tokens (PASETO v4.public): the seed of an Ed25519 key pair.
    TokenPublic,
    /// Makes the secrets of refresh tokens.
    Refresh,
}

impl KeyKind {
    /// Every kind, in the order in which a key file lists them.
    pub const ALL: [Self; 4] = [Self::Pepper, Self::TokenLocal, Self::TokenPublic, Self::Refresh];

    /// The name in key files and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pepper => "pepper",
            Self::TokenLocal => "token-local",
            Self::TokenPublic => "token-public",
            Self::Refresh => "refresh",
        }
    }

    /// What is authenticated to name a key. Shorter than the salt that opens every message under a pepper, so that no
    /// record can have the tag that an id is cut from.
    const fn id_message(self) -> &'static [u8] {
        match self {
            Self::Pepper => b"pepper id",
            Self::TokenLocal => b"token-local id",
            Self::TokenPublic => b"token-public id",
            Self::Refresh => b"refresh id",
        }
    }
}

impl FromStr for KeyKind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or(())
    }
}

/// The public name of a key: 12 hexadecimal digits, cut from a tag under the key itself. So a key has the same id
/// wherever it is configured, and one that was mistyped is noticed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; KeyId::BYTES]);

/// Text that is no [`KeyId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not the id of a key: {} lower-case hexadecimal digits", KeyId::BYTES)]
pub struct KeyIdError;

impl KeyId {
    /// Length, in bytes and in characters.
    pub const BYTES: usize = 12;

    fn of(kind: KeyKind, secret: &[u8; KEY_BYTES]) -> Self {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length (RFC 2104 section 2)");
        mac.update(kind.id_message());
        let tag = mac.finalize().into_bytes();
        let mut digits = [0; Self::BYTES];
        for (two, byte) in digits.chunks_exact_mut(2).zip(tag) {
            let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
            two.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        }
        Self(digits)
    }

    /// The id as ASCII.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id is made of hexadecimal digits only")
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, KeyIdError> {
        let digits: [u8; Self::BYTES] = text.as_bytes().try_into().map_err(|_| KeyIdError)?;
        if digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(digits))
        } else {
            Err(KeyIdError)
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One key. Has no `Debug`; its memory stays in one place and is wiped on drop.
#[derive(Clone)]
pub struct Key {
    kind: KeyKind,
    id: KeyId,
    created: Option<Timestamp>,
    staged: bool,
    secret: Box<Zeroizing<[u8; KEY_BYTES]>>,
}

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the system's random source failed: {0}")]
pub struct KeyRandomError(#[from] getrandom::Error);

/// Why an environment value holds no keys. Never repeats any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyValueError {
    /// Nothing but separators.
    #[error("holds no key: `openssl rand -base64 32` makes one")]
    Empty,
    /// An entry is not 32 bytes in Base64.
    #[error("entry {number} is not {KEY_BYTES} bytes in Base64: `openssl rand -base64 32` makes such a key")]
    NotAKey {
        /// Which one, counted from 1.
        number: usize,
    },
    /// An entry equals an earlier one.
    #[error("entry {number} is there twice")]
    Repeated {
        /// Which one, counted from 1.
        number: usize,
    },
    /// More than [`KEYS_PER_KIND_MAX`] entries.
    #[error("holds more than {KEYS_PER_KIND_MAX} keys")]
    TooMany,
}

impl Key {
    /// Draws a new key straight from the operating system, so that no buffer ever held it.
    ///
    /// # Errors
    /// When the system has no random bytes to give.
    pub fn generate(kind: KeyKind, now: Timestamp) -> Result<Self, KeyRandomError> {
        let mut secret = Box::new(Zeroizing::new([0; KEY_BYTES]));
        getrandom::fill(secret.as_mut_slice())?;
        Ok(Self::from_secret(kind, Some(now), secret))
    }

    fn from_secret(kind: KeyKind, created: Option<Timestamp>, secret: Box<Zeroizing<[u8; KEY_BYTES]>>) -> Self {
        Self { kind, id: KeyId::of(kind, &secret), created, staged: false, secret }
    }

    fn from_base64(kind: KeyKind, created: Option<Timestamp>, encoded: &str) -> Option<Self> {
        let mut secret = Box::new(Zeroizing::new([0; KEY_BYTES]));
        let length = Base64Unpadded::decode(encoded, secret.as_mut_slice()).ok()?.len();
        (length == KEY_BYTES).then(|| Self::from_secret(kind, created, secret))
    }

    /// What the key is for.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public name of the key.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// When it was made; unknown for a key from the environment.
    #[must_use]
    pub const fn created(&self) -> Option<Timestamp> {
        self.created
    }

    /// Whether it waits for being promoted: what was made with it elsewhere is accepted, and nothing is made with it.
    #[must_use]
    pub const fn is_staged(&self) -> bool {
        self.staged
    }

    /// The key itself. Do not copy it to where it is not wiped.
    #[must_use]
    pub fn secret(&self) -> &[u8; KEY_BYTES] {
        &self.secret
    }
}

/// Keys of every kind; of each kind the one in use first, none twice.
///
/// Invariant: a staged key is the last of its kind and not the first.
#[derive(Clone, Default)]
pub struct Keys(Vec<Key>);

/// Why the keys of a kind are not changed as asked. Each text says what to do instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyChangeError {
    /// No room for another key of this kind.
    #[error(
        "it holds {KEYS_PER_KIND_MAX} keys of the kind {} already: delete the line of the oldest that nothing uses",
        .0.as_str()
    )]
    Full(KeyKind),
    /// A new key is to wait for its turn, but none is in use.
    #[error("it holds no key of the kind {kind} to be followed: `--rotate {kind}` makes the first", kind = .0.as_str())]
    NoneInUse(KeyKind),
    /// Another key waits already.
    #[error("the key {id} is staged already: `--promote {}` puts it to use", kind.as_str())]
    AlreadyStaged {
        /// The kind that was to be changed.
        kind: KeyKind,
        /// The key that waits.
        id: KeyId,
    },
    /// No key waits.
    #[error("it holds no staged key of the kind {kind}: `--stage {kind}` makes one", kind = .0.as_str())]
    NoneStaged(KeyKind),
    /// No random bytes for a new key.
    #[error(transparent)]
    Random(#[from] KeyRandomError),
}

/// Makes a first key of every kind.
///
/// # Errors
/// When the system has no random bytes to give.
pub fn generate(now: Timestamp) -> Result<Keys, KeyRandomError> {
    KeyKind::ALL.into_iter().map(|kind| Key::generate(kind, now)).collect::<Result<_, _>>().map(Keys)
}

impl Keys {
    /// Reads keys of one kind from an environment value: Base64 (RFC 4648 section 4, padding optional) of 32 bytes
    /// each, separated by commas or white space, the newest first.
    ///
    /// # Errors
    /// Which entry is wrong and what makes a right one.
    pub fn from_value(kind: KeyKind, value: &str) -> Result<Self, KeyValueError> {
        let mut keys = Self::default();
        let entries = value.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|entry| !entry.is_empty());
        for (number, entry) in (1..).zip(entries) {
            let unpadded = entry.strip_suffix('=').unwrap_or(entry);
            let key = Key::from_base64(kind, None, unpadded).ok_or(KeyValueError::NotAKey { number })?;
            if number > KEYS_PER_KIND_MAX {
                return Err(KeyValueError::TooMany);
            }
            if keys.find(kind, key.id).is_some() {
                return Err(KeyValueError::Repeated { number });
            }
            keys.0.push(key);
        }
        if keys.0.is_empty() { Err(KeyValueError::Empty) } else { Ok(keys) }
    }

    /// The keys of one kind: the one in use, then older ones from new to old, then the staged one if there is any.
    pub fn of(&self, kind: KeyKind) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| key.kind == kind)
    }

    /// The key that new records and tokens of a kind are made with.
    #[must_use]
    pub fn newest(&self, kind: KeyKind) -> Option<&Key> {
        self.of(kind).next()
    }

    /// The key of a kind that has this id.
    #[must_use]
    pub fn find(&self, kind: KeyKind, id: KeyId) -> Option<&Key> {
        self.of(kind).find(|key| key.id == id)
    }

    /// The key of a kind that waits for being promoted.
    #[must_use]
    pub fn staged(&self, kind: KeyKind) -> Option<&Key> {
        self.of(kind).find(|key| key.staged)
    }

    fn room_for_another(&self, kind: KeyKind) -> Result<(), KeyChangeError> {
        if let Some(key) = self.staged(kind) {
            return Err(KeyChangeError::AlreadyStaged { kind, id: key.id });
        }
        if self.of(kind).count() >= KEYS_PER_KIND_MAX { Err(KeyChangeError::Full(kind)) } else { Ok(()) }
    }

    /// Puts `key` to use at once.
    fn rotate(&mut self, key: Key) -> Result<(), KeyChangeError> {
        // Beside a staged key a third one would leave open which of them was meant.
        self.room_for_another(key.kind)?;
        self.0.insert(0, key);
        Ok(())
    }

    /// Adds `key` as the one that waits.
    fn stage(&mut self, mut key: Key) -> Result<(), KeyChangeError> {
        if self.newest(key.kind).is_none() {
            return Err(KeyChangeError::NoneInUse(key.kind));
        }
        self.room_for_another(key.kind)?;
        key.staged = true;
        self.0.push(key);
        Ok(())
    }

    /// Puts the staged key of this kind to use.
    fn promote(&mut self, kind: KeyKind) -> Result<(), KeyChangeError> {
        let at = self.0.iter().position(|key| key.kind == kind && key.staged);
        let mut key = self.0.remove(at.ok_or(KeyChangeError::NoneStaged(kind))?);
        key.staged = false;
        self.0.insert(0, key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(value: &str) -> Option<KeyValueError> {
        Keys::from_value(KeyKind::Pepper, value).err()
    }

    const ZEROES: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const ONES: &str = "//////////////////////////////////////////8=";

    // python: hmac.new(bytes(32), b'pepper id', 'sha256').hexdigest()[:12], and so on
    #[test]
    fn ids_equal_those_computed_elsewhere() {
        let id = |kind| KeyId::of(kind, &[0; KEY_BYTES]).to_string();
        assert_eq!(id(KeyKind::Pepper), "c5d891b35c14");
        assert_eq!(id(KeyKind::TokenLocal), "dae3586187a3");
        assert_eq!(id(KeyKind::TokenPublic), "78c2383cb944");
        assert_eq!(id(KeyKind::Refresh), "3e19824bd8dd");
    }

    #[test]
    fn an_environment_value_lists_the_newest_key_first() {
        let keys = Keys::from_value(KeyKind::Pepper, &format!("{ONES}, {ZEROES}\n")).unwrap();
        let secrets: Vec<_> = keys.of(KeyKind::Pepper).map(|key| *key.secret()).collect();
        assert_eq!(secrets, [[0xff; KEY_BYTES], [0; KEY_BYTES]]);
        assert_eq!(keys.newest(KeyKind::Pepper).map(Key::secret), Some(&[0xff; KEY_BYTES]));
        assert!(keys.newest(KeyKind::Refresh).is_none());
    }

    #[test]
    fn a_wrong_environment_value_is_named_by_its_place_only() {
        assert_eq!(problem(" , "), Some(KeyValueError::Empty));
        assert_eq!(problem("c2hvcnQ="), Some(KeyValueError::NotAKey { number: 1 }));
        assert_eq!(problem(&format!("{ZEROES},{ZEROES}A")), Some(KeyValueError::NotAKey { number: 2 }));
        assert_eq!(problem(&format!("{ZEROES},{ZEROES}=")), Some(KeyValueError::Repeated { number: 2 }));
        // The last digit carries two bits that belong to no byte.
        assert_eq!(problem(&ZEROES.replace("AA", "AB")), None);
        assert_eq!(problem(&format!("{}B", &ZEROES[1..])), Some(KeyValueError::NotAKey { number: 1 }));
    }

    #[test]
    fn generated_keys_differ() {
        let keys = || generate(Timestamp::UNIX_EPOCH).unwrap();
        let (one, other) = (keys(), keys());
        for kind in KeyKind::ALL {
            assert_eq!(one.of(kind).count(), 1);
            assert_ne!(one.newest(kind).map(Key::secret), other.newest(kind).map(Key::secret));
        }
        assert_ne!(one.newest(KeyKind::Pepper).map(Key::secret), one.newest(KeyKind::Refresh).map(Key::secret));
    }

    #[test]
    fn ids_are_lower_case_hexadecimal() {
        assert!("0123456789ab".parse::<KeyId>().is_ok());
        for text in ["", "0123456789a", "0123456789abc", "0123456789AB", "0123456789ag", "０123456789"] {
            assert_eq!(text.parse::<KeyId>(), Err(KeyIdError), "{text}");
        }
    }
}
