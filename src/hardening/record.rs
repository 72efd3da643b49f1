//! What may stand in `users.password_hash`: a weak record, a hard one, or one that another program has made. Reads
//! them; never verifies.

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use super::weak::PepperId;
use super::{HardRecord, Params, WeakRecord, phc};

/// Lengths of what other programs store, in bytes. RFC 9106 section 3.1 has 8 as the least salt; a tag of fewer than
/// 16 is not to be trusted, and longer ones than these are not known to be used.
const SALT_BYTES: [usize; 2] = [8, 48];
const TAG_BYTES: [usize; 2] = [16, 64];

/// A stored credential.
pub enum Record {
    /// Made at registration.
    Weak(WeakRecord),
    /// Made by a password core.
    Hard(HardRecord),
    /// Made by another program: Argon2id over the password itself.
    Imported(ImportedRecord),
}

/// Argon2id over the bytes of the password, without a pepper. No `Debug`, no equality.
pub struct ImportedRecord {
    params: Params,
    salt: Vec<u8>,
    tag: Zeroizing<Vec<u8>>,
}

/// Text that is no record. Never repeats any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not a password record that can be verified")]
pub struct RecordError;

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// When `text` is none, or asks for more than [`Params::stored`] allows.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        if let Ok(record) = WeakRecord::parse(text) {
            return Ok(Self::Weak(record));
        }
        if let Ok(record) = HardRecord::parse(text) {
            return Ok(Self::Hard(record));
        }
        ImportedRecord::parse(text).map(Self::Imported)
    }

    /// The pepper it was made with, if with any.
    #[must_use]
    pub const fn pepper(&self) -> Option<PepperId> {
        match self {
            Self::Weak(record) => Some(record.pepper()),
            Self::Hard(record) => Some(record.pepper()),
            Self::Imported(_) => None,
        }
    }
}

impl ImportedRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// When `text` is none, or asks for more than [`Params::stored`] allows, or has a `keyid`: this server's own have.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        let read = || {
            let parts = phc::parse(text)?;
            let salt = phc::decode_within(parts.salt, SALT_BYTES[0], SALT_BYTES[1])?;
            let tag = phc::decode_within(parts.tag, TAG_BYTES[0], TAG_BYTES[1])?;
            parts.keyid.is_none().then(|| Self { params: parts.params, salt, tag: Zeroizing::new(tag) })
        };
        read().ok_or(RecordError)
    }

    /// What the record has cost, and its verification costs again.
    #[must_use]
    pub const fn params(&self) -> Params {
        self.params
    }

    /// The salt of the record, 8 to 48 bytes.
    #[must_use]
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    pub(super) fn tag_bytes(&self) -> usize {
        self.tag.len()
    }

    /// Whether this is the tag, in constant time.
    pub(super) fn has_tag(&self, tag: &[u8]) -> bool {
        self.tag.as_slice().ct_eq(tag).into()
    }
}

/// The salt in a record's text, as it is written there: what tells one credential of an account from the next. `None`
/// when the text has no such part.
#[must_use]
pub fn salt_text(stored: &str) -> Option<&str> {
    stored.rsplit('$').nth(1).filter(|salt| !salt.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMPORTED: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    #[test]
    fn each_kind_is_told_from_the_others() {
        let weak = "$hmac-sha256$k=0123456789ab$AQEBAQEBAQEBAQEBAQEBAQ$AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";
        let hard = "$argon2id$v=19$m=65536,t=1,p=4,keyid=ASNFZ4mr$AQEBAQEBAQEBAQEBAQEBAQ$AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";
        assert!(matches!(Record::parse(weak), Ok(Record::Weak(_))));
        assert!(matches!(Record::parse(hard), Ok(Record::Hard(_))));
        assert!(matches!(Record::parse(IMPORTED), Ok(Record::Imported(_))));
        assert!(Record::parse("").is_err() && Record::parse("$2b$12$abc").is_err());
        let peppers = [weak, hard].map(|text| Record::parse(text).unwrap().pepper().unwrap().to_string());
        assert_eq!(peppers, ["0123456789ab", "0123456789ab"]);
        assert_eq!(salt_text(weak), salt_text(hard), "hardening keeps the salt, in the same spelling");
    }

    #[test]
    fn the_order_of_parameters_is_free_in_what_others_made() {
        let other = ImportedRecord::parse(&IMPORTED.replace("m=256,t=2,p=1", "p=1,m=256,t=2")).unwrap();
        assert_eq!(other.params(), Params::stored(256, 2, 1).unwrap());
        assert_eq!(other.salt(), b"somesalt");
    }

    #[test]
    fn what_would_exhaust_memory_or_time_is_refused() {
        for costly in
            ["m=4294967295,t=2,p=1", "m=256,t=4294967295,p=1", "m=256,t=2,p=16777215", "m=99999999999,t=2,p=1"]
        {
            assert!(Record::parse(&IMPORTED.replace("m=256,t=2,p=1", costly)).is_err(), "{costly}");
        }
    }

    #[test]
    fn salts_and_tags_of_unusual_lengths_are_refused() {
        let with =
            |salt: usize, tag: usize| format!("$argon2id$v=19$m=256,t=2,p=1${}${}", "A".repeat(salt), "A".repeat(tag));
        // 11 characters are 8 bytes, 64 are 48; 22 are 16, 86 are 64.
        for (salt, tag) in [(11, 22), (64, 86)] {
            assert!(Record::parse(&with(salt, tag)).is_ok(), "{salt} {tag}");
        }
        for (salt, tag) in [(10, 43), (66, 43), (22, 20), (22, 87), (22, 100_000), (100_000, 43), (0, 43), (22, 0)] {
            assert!(Record::parse(&with(salt, tag)).is_err(), "{salt} {tag}");
        }
    }

    #[test]
    fn the_salt_of_any_record_is_found() {
        assert_eq!(salt_text(IMPORTED), Some("c29tZXNhbHQ"));
        assert_eq!(salt_text("$$"), None);
        assert_eq!(salt_text("plain"), None);
    }
}
