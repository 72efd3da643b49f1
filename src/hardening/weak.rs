//! The weak record of a password: what registration stores until a password core has hardened it.
//! "Weak" because one guess costs one HMAC to somebody who has the pepper; without the pepper no guess can be tested
//! at all. Never holds a password, never allocates, and compares in constant time only.
//!
//! A record is a PHC string: `$hmac-sha256$k=<pepper id>$<salt>$<digest>`, salt and digest in the Base64 of RFC 4648
//! section 4 without padding, digest = HMAC-SHA-256 (RFC 2104) under the pepper over salt || password. The salt has a
//! fixed length, so that no salt and password can pass for another pair.

use base64ct::{Base64Unpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::account::Password;
use crate::keys::{Key, KeyId, KeyIdError, KeyKind, Keys};

/// Length of the salt, in bytes. NIST SP 800-63B section 5.1.1.2 asks for 4, RFC 9106 section 3.1 recommends 16 for
/// Argon2, which reuses it.
pub const SALT_BYTES: usize = 16;

/// Length of the digest, in bytes.
pub const DIGEST_BYTES: usize = 32;

const PREFIX: &[u8] = b"$hmac-sha256$k=";

/// Where the parts of a record stand. Every part has a fixed length, so the whole has.
const ID_AT: usize = PREFIX.len();
const SALT_AT: usize = ID_AT + KeyId::BYTES + 1;
const DIGEST_AT: usize = SALT_AT + base64_bytes(SALT_BYTES) + 1;
const RECORD_BYTES: usize = DIGEST_AT + base64_bytes(DIGEST_BYTES);

const fn base64_bytes(bytes: usize) -> usize {
    (4 * bytes).div_ceil(3)
}

/// The public name of a pepper.
pub type PepperId = KeyId;

/// A pepper, ready for use: an HMAC state with both pads hashed already, so that a record of a password of up to 39
/// bytes costs two SHA-256 blocks. The state is wiped on drop.
#[derive(Clone)]
pub struct Pepper {
    id: PepperId,
    keyed: Hmac<Sha256>,
}

/// A salt. Not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt([u8; SALT_BYTES]);

/// HMAC-SHA-256(pepper, salt || password): the input of hardening. As good as the record it is in, so no `Debug`, no
/// plain equality, and wiped on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct WeakDigest([u8; DIGEST_BYTES]);

/// A weak record: its parts and its text, in place.
///
/// Invariant: `text` is the encoding of the other fields.
#[derive(Clone)]
pub struct WeakRecord {
    pepper: PepperId,
    salt: Salt,
    digest: WeakDigest,
    text: Zeroizing<[u8; RECORD_BYTES]>,
}

/// Text that is no weak record. Never repeats any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not a weak password record")]
pub struct WeakRecordError;

/// A record names a pepper that is not configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a password was stored under the pepper {0}, which is not among the configured ones: restore it from a copy of the key file"
)]
pub struct UnknownPepper(pub PepperId);

/// There is no pepper to make records with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the key file has no pepper: restore it from a copy, or where no password is stored yet, `jeday keygen --rotate pepper` adds one"
)]
pub struct NoPepper;

/// All peppers in use, the newest first; never empty.
#[derive(Clone)]
pub struct Peppers(Vec<Pepper>);

impl Salt {
    /// Takes random bytes as a salt.
    #[must_use]
    pub const fn new(random: [u8; SALT_BYTES]) -> Self {
        Self(random)
    }

    /// The bytes of the salt.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; SALT_BYTES] {
        &self.0
    }
}

impl WeakDigest {
    /// The bytes of the digest, for Argon2id.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; DIGEST_BYTES] {
        &self.0
    }
}

impl ConstantTimeEq for WeakDigest {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl Pepper {
    /// Prepares a key of the kind [`KeyKind::Pepper`].
    #[must_use]
    pub fn new(key: &Key) -> Self {
        assert!(key.kind() == KeyKind::Pepper, "a key serves one purpose only");
        let keyed = Hmac::new_from_slice(key.secret()).expect("HMAC takes keys of any length (RFC 2104 section 2)");
        Self { id: key.id(), keyed }
    }

    /// The public name of the pepper.
    #[must_use]
    pub const fn id(&self) -> PepperId {
        self.id
    }

    /// An HMAC under this pepper, for another use of it than records.
    pub(super) fn keyed(&self) -> Hmac<Sha256> {
        self.keyed.clone()
    }

    /// The digest of a password under this pepper and a salt: what a record holds, and what hardening is keyed with.
    #[must_use]
    pub fn digest(&self, salt: &Salt, password: &Password) -> WeakDigest {
        self.digest_bytes(salt, password.as_bytes())
    }

    fn digest_bytes(&self, salt: &Salt, password: &[u8]) -> WeakDigest {
        let mut mac = self.keyed.clone();
        mac.update(&salt.0);
        mac.update(password);
        WeakDigest(mac.finalize().into_bytes().into())
    }

    /// The record to store for a password. `salt` must be fresh.
    #[must_use]
    pub fn record(&self, salt: Salt, password: &Password) -> WeakRecord {
        WeakRecord::encode(self.id, salt, self.digest(&salt, password))
    }
}

impl Peppers {
    /// Prepares the peppers among `keys`.
    ///
    /// # Errors
    /// When there is none.
    pub fn new(keys: &Keys) -> Result<Self, NoPepper> {
        let peppers: Vec<_> = keys.of(KeyKind::Pepper).map(Pepper::new).collect();
        if peppers.is_empty() { Err(NoPepper) } else { Ok(Self(peppers)) }
    }

    /// The pepper that new records are made with.
    #[must_use]
    pub fn newest(&self) -> &Pepper {
        self.0.first().expect("peppers are never empty")
    }

    /// All of them, the newest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Pepper> {
        self.0.iter()
    }

    /// The pepper of this id.
    ///
    /// # Errors
    /// When it is not configured.
    pub fn find(&self, id: PepperId) -> Result<&Pepper, UnknownPepper> {
        self.0.iter().find(|pepper| pepper.id == id).ok_or(UnknownPepper(id))
    }

    /// Whether `password` is the one that `record` was made of. Takes the same time for every password of one length.
    ///
    /// # Errors
    /// When the record's pepper is not configured, so that nobody can tell.
    pub fn verify(&self, record: &WeakRecord, password: &Password) -> Result<bool, UnknownPepper> {
        let digest = self.find(record.pepper)?.digest(&record.salt, password);
        Ok(digest.ct_eq(&record.digest).into())
    }
}

impl WeakRecord {
    fn encode(pepper: PepperId, salt: Salt, digest: WeakDigest) -> Self {
        const FITS: &str = "the room is as long as the encoding";
        let mut text = Zeroizing::new([b'$'; RECORD_BYTES]);
        text[..ID_AT].copy_from_slice(PREFIX);
        text[ID_AT..SALT_AT - 1].copy_from_slice(pepper.as_bytes());
        Base64Unpadded::encode(&salt.0, &mut text[SALT_AT..DIGEST_AT - 1]).expect(FITS);
        Base64Unpadded::encode(&digest.0, &mut text[DIGEST_AT..]).expect(FITS);
        Self { pepper, salt, digest, text }
    }

    /// Reads a record back.
    ///
    /// # Errors
    /// When `text` is not exactly what [`WeakRecord::as_str`] gives for some record.
    pub fn parse(text: &str) -> Result<Self, WeakRecordError> {
        let bytes: &[u8; RECORD_BYTES] = text.as_bytes().try_into().map_err(|_| WeakRecordError)?;
        if !bytes.starts_with(PREFIX) || bytes[SALT_AT - 1] != b'$' || bytes[DIGEST_AT - 1] != b'$' {
            return Err(WeakRecordError);
        }
        let id = std::str::from_utf8(&bytes[ID_AT..SALT_AT - 1]).map_err(|_| WeakRecordError)?;
        let pepper = id.parse().map_err(|KeyIdError| WeakRecordError)?;
        let (mut salt, mut digest) = (Salt([0; SALT_BYTES]), WeakDigest([0; DIGEST_BYTES]));
        Base64Unpadded::decode(&bytes[SALT_AT..DIGEST_AT - 1], &mut salt.0).map_err(|_| WeakRecordError)?;
        Base64Unpadded::decode(&bytes[DIGEST_AT..], &mut digest.0).map_err(|_| WeakRecordError)?;
        Ok(Self { pepper, salt, digest, text: Zeroizing::new(*bytes) })
    }

    /// The record as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.text.as_slice()).expect("a record is made of ASCII only")
    }

    /// Which pepper the record was made with.
    #[must_use]
    pub const fn pepper(&self) -> PepperId {
        self.pepper
    }

    /// The salt of the record.
    #[must_use]
    pub const fn salt(&self) -> &Salt {
        &self.salt
    }

    /// The digest, for hardening.
    #[must_use]
    pub const fn digest(&self) -> &WeakDigest {
        &self.digest
    }
}

#[cfg(test)]
mod tests;
