//! The hard record of a password, made by a password core: Argon2id over the digest of the weak record, so that it
//! takes the pepper to test one guess, and the memory. Never holds a password; compares in constant time only.
//!
//! A record is a PHC string whose `keyid` is the pepper's id, as the bytes that its digits stand for. Salt and pepper
//! are those of the weak record it comes from.

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use super::weak::{PepperId, SALT_BYTES};
use super::{Params, Pepper, Salt, WeakDigest, WeakRecord, phc};
use crate::account::Password;

/// Length of the tag, in bytes: what RFC 9106 section 4 recommends.
pub const TAG_BYTES: usize = 32;

/// Bytes that the digits of a pepper's id stand for.
const KEYID_BYTES: usize = PepperId::BYTES / 2;

/// A hard record: its parts and its text. No `Debug`, no equality.
///
/// Invariant: `text` is the encoding of the other fields.
#[derive(Clone)]
pub struct HardRecord {
    pepper: PepperId,
    salt: Salt,
    params: Params,
    tag: Zeroizing<[u8; TAG_BYTES]>,
    text: Zeroizing<String>,
}

/// Text that is no hard record. Never repeats any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not a hard password record")]
pub struct HardRecordError;

/// What a hard record is made of: the digest of a weak one, its salt, and whose pepper it is. As good as the record it
/// comes from, so no `Debug`, and the digest is wiped on drop.
#[derive(Clone)]
pub struct Material {
    pub(super) pepper: PepperId,
    pub(super) salt: Salt,
    pub(super) digest: WeakDigest,
}

impl Material {
    /// For a password that is at hand. `salt` must be fresh.
    #[must_use]
    pub fn new(pepper: &Pepper, salt: Salt, password: &Password) -> Self {
        Self { pepper: pepper.id(), salt, digest: pepper.digest(&salt, password) }
    }

    /// The pepper that the record will name.
    #[must_use]
    pub const fn pepper(&self) -> PepperId {
        self.pepper
    }

    /// The salt that the record will have.
    #[must_use]
    pub const fn salt(&self) -> &Salt {
        &self.salt
    }
}

impl From<&WeakRecord> for Material {
    fn from(record: &WeakRecord) -> Self {
        Self { pepper: record.pepper(), salt: *record.salt(), digest: record.digest().clone() }
    }
}

impl HardRecord {
    pub(super) fn encode(pepper: PepperId, salt: Salt, params: Params, tag: [u8; TAG_BYTES]) -> Self {
        let tag = Zeroizing::new(tag);
        let text = Zeroizing::new(phc::encode(params, &keyid(pepper), salt.as_bytes(), tag.as_slice()));
        Self { pepper, salt, params, tag, text }
    }

    /// Reads a record back.
    ///
    /// # Errors
    /// When `text` is not exactly what [`HardRecord::as_str`] gives for some record.
    pub fn parse(text: &str) -> Result<Self, HardRecordError> {
        let read = || {
            let parts = phc::parse(text)?;
            let pepper = pepper_id(phc::decode_exactly(parts.keyid?)?);
            let salt = Salt::new(phc::decode_exactly::<SALT_BYTES>(parts.salt)?);
            Some(Self::encode(pepper, salt, parts.params, phc::decode_exactly(parts.tag)?))
        };
        read().filter(|record| record.as_str() == text).ok_or(HardRecordError)
    }

    /// The record as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
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

    /// What the record has cost, and its verification costs again.
    #[must_use]
    pub const fn params(&self) -> Params {
        self.params
    }

    /// Whether this is the tag, in constant time.
    pub(super) fn has_tag(&self, tag: &[u8]) -> bool {
        self.tag.as_slice().ct_eq(tag).into()
    }
}

/// The bytes that the digits of an id stand for.
fn keyid(pepper: PepperId) -> [u8; KEYID_BYTES] {
    let digit = |byte: u8| if byte.is_ascii_digit() { byte - b'0' } else { byte - b'a' + 10 };
    let digits = pepper.as_bytes();
    std::array::from_fn(|index| digit(digits[2 * index]) << 4 | digit(digits[2 * index + 1]))
}

fn pepper_id(keyid: [u8; KEYID_BYTES]) -> PepperId {
    let digits: String = keyid.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.parse().expect("two hexadecimal digits a byte make an id")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;
    use crate::hardening::Peppers;
    use crate::keys::{KeyKind, Keys};

    const PEPPER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

    fn pepper() -> Pepper {
        Peppers::new(&Keys::from_value(KeyKind::Pepper, PEPPER).unwrap()).unwrap().newest().clone()
    }

    fn record(params: Params, salt: [u8; 16], tag: [u8; 32]) -> HardRecord {
        HardRecord::encode(pepper().id(), Salt::new(salt), params, tag)
    }

    fn any_params() -> impl Strategy<Value = Params> {
        (8..99_u32, 1..65_u32, 1..65_u32).prop_map(|(m, t, p)| Params::stored(m * p, t, p).unwrap())
    }

    proptest! {
        #[test]
        fn a_record_survives_the_round_trip(salt: [u8; 16], tag: [u8; 32], params in any_params()) {
            let text = record(params, salt, tag).as_str().to_owned();
            let read = HardRecord::parse(&text).unwrap();
            prop_assert_eq!((read.pepper(), read.salt().as_bytes(), read.params()), (pepper().id(), &salt, params));
            prop_assert!(read.has_tag(&tag));
            prop_assert!(!read.has_tag(&salt));
        }

        #[test]
        fn no_text_panics(text: String, tail in "[$=,a-zA-Z0-9+/]{0,120}") {
            prop_assert!(HardRecord::parse(&text).is_err());
            let _ = HardRecord::parse(&format!("$argon2id$v=19$m=65536,t=1,p=4{tail}"));
        }
    }

    #[test]
    fn the_keyid_is_the_peppers_id_in_binary() {
        let id = pepper().id();
        assert_eq!(pepper_id(keyid(id)), id);
        let hex: String = keyid(id).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, id.as_str());
    }

    #[test]
    fn anything_but_a_record_is_refused() {
        let text = record(Params::DEFAULT, [1; 16], [2; 32]).as_str().to_owned();
        assert!(text.starts_with("$argon2id$v=19$m=65536,t=1,p=4,keyid="), "{text}");
        for (from, to) in [
            ("$argon2id", "$argon2i"),
            ("v=19", "v=16"),
            ("m=65536", "m=065536"),
            ("m=65536", "m=+65536"),
            ("m=65536", "m=65536,m=65536"),
            ("m=65536", "m=4294967295"),
            ("m=65536", "m=31"),
            ("m=65536,t=1", "t=1,m=65536"),
            ("t=1,", "t=1000,"),
            ("t=1,", ""),
            ("p=4", "p=65"),
            (",keyid", ",data=AAAA,keyid"),
            ("keyid=", "keyid=AAAA"),
            ("$AQ", "$AAAAAQ"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert!(changed != text && HardRecord::parse(&changed).is_err(), "{changed}");
        }
        for end in 0..text.len() {
            assert!(HardRecord::parse(&text[..end]).is_err(), "{end}");
        }
        assert!(HardRecord::parse(&format!("{text}=")).is_err());
        assert!(HardRecord::parse(&format!("{text}$")).is_err());
    }

    #[test]
    fn material_of_a_weak_record_is_that_of_its_password() {
        let password = Password::attempt(Cow::Borrowed("correct horse")).unwrap();
        let made = Material::new(&pepper(), Salt::new([3; 16]), &password);
        let taken = Material::from(&pepper().record(Salt::new([3; 16]), &password));
        assert!(bool::from(made.digest.ct_eq(&taken.digest)));
        assert_eq!((made.salt(), made.pepper()), (taken.salt(), taken.pepper()));
    }
}
