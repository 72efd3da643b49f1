//! What the ids of an account's rows are: a UUIDv7 (RFC 9562 section 5.7) whose 12 bits of `rand_a` are its bucket.
//! Never a secret, and never made here from a clock or a random source: both are arguments.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use thiserror::Error;
use uuid::fmt::Hyphenated;
use uuid::{Builder, Uuid, Variant};

use super::bucket::Bucket;

/// Sorted by time of creation in milliseconds; names the bucket that its rows are in. `Of` is what it is the id of, so
/// that one cannot be taken for another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id<Of>(Uuid, PhantomData<Of>);

/// Text or bytes that are no [`Id`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not a UUID of version 7")]
pub struct IdError;

impl<Of> Id<Of> {
    /// Length of the hyphenated text, in bytes.
    pub const TEXT_BYTES: usize = Hyphenated::LENGTH;

    /// Makes an id. `unix_ms` counts milliseconds since 1970 and keeps its low 48 bits (enough until the year 10889);
    /// 62 bits of `random` are used, so a guess at somebody's id is hopeless and a clash needs billions in one
    /// millisecond.
    #[must_use]
    pub fn new(unix_ms: u64, bucket: Bucket, random: [u8; 8]) -> Self {
        let mut rand_a_and_b = [0; 10];
        rand_a_and_b[..2].copy_from_slice(&bucket.as_u16().to_be_bytes());
        rand_a_and_b[2..].copy_from_slice(&random);
        Self(Builder::from_unix_timestamp_millis(unix_ms, &rand_a_and_b).into_uuid(), PhantomData)
    }

    /// Takes the 16 bytes of an id out of a table. Whatever they are: a row that somebody else has put there under
    /// another kind of id belongs to no bucket that is looked in, and is no reason to stop.
    #[must_use]
    pub const fn stored(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes), PhantomData)
    }

    /// Takes the 16 bytes of an id.
    ///
    /// # Errors
    /// When they are not a UUID of version 7.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, IdError> {
        let uuid = Uuid::from_bytes(bytes);
        if uuid.get_version_num() != 7 || uuid.get_variant() != Variant::RFC4122 {
            return Err(IdError);
        }
        Ok(Self(uuid, PhantomData))
    }

    /// The 16 bytes in network order.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The bucket that the account's rows are in.
    #[must_use]
    pub const fn bucket(&self) -> Bucket {
        let bytes = self.as_bytes();
        Bucket::from_low_bits(u16::from_be_bytes([bytes[6], bytes[7]]))
    }

    /// When the id was made, in milliseconds since 1970.
    #[must_use]
    pub const fn unix_ms(&self) -> u64 {
        let bytes = self.as_bytes();
        u64::from_be_bytes([0, 0, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]])
    }

    /// Writes the lower-case hyphenated text into `buffer`.
    pub fn encode<'a>(&self, buffer: &'a mut [u8; Hyphenated::LENGTH]) -> &'a str {
        self.0.as_hyphenated().encode_lower(buffer)
    }
}

impl<Of> fmt::Display for Id<Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.encode(&mut [0; Hyphenated::LENGTH]))
    }
}

impl<Of> fmt::Debug for Id<Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<Of> FromStr for Id<Of> {
    type Err = IdError;

    /// Takes the hyphenated form only, in either letter case (RFC 9562 section 4).
    fn from_str(text: &str) -> Result<Self, IdError> {
        // The library also takes the other notations of a UUID; each has another length.
        if text.len() != Self::TEXT_BYTES {
            return Err(IdError);
        }
        Self::from_bytes(Uuid::try_parse(text).map_err(|_| IdError)?.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::account::UserId;

    // RFC 9562 appendix A.6: 2022-02-22T19:22:22.000Z, rand_a CC3, rand_b 18C4DC0C0C07398F.
    #[test]
    fn the_example_of_the_rfc_is_reproduced() {
        let bucket = Bucket::try_from(0xcc3).unwrap();
        let id = UserId::new(0x017f_22e2_79b0, bucket, [0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f]);
        assert_eq!(id.to_string(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn ids_sort_by_time() {
        let bucket = |number| Bucket::try_from(number).unwrap();
        assert!(UserId::new(1, bucket(4095), [0xff; 8]) < UserId::new(2, bucket(0), [0; 8]));
    }

    #[test]
    fn other_notations_and_versions_are_refused() {
        for text in [
            "",
            "017f22e279b07cc398c4dc0c0c07398f",
            "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
            "urn:uuid:017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
            "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",
            "017f22e2-79b0-7cc3-18c4-dc0c0c07398f",
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
            "017f22e2-79b0-7cc3-98c4-dc0c0c073-8f",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert_eq!(text.parse::<UserId>(), Err(IdError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_id_gives_back_what_it_was_made_of(unix_ms in 0u64..1 << 48, number in 0i16..4096, random: [u8; 8]) {
            let bucket = Bucket::try_from(number).unwrap();
            let id = UserId::new(unix_ms, bucket, random);
            prop_assert_eq!((id.unix_ms(), id.bucket()), (unix_ms, bucket));
            prop_assert_eq!(UserId::from_bytes(*id.as_bytes()), Ok(id));
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        }
    }
}
