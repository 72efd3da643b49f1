//! The routing bucket of an account: which of 4096 shares of the data its rows belong to.
//! Never tells anything about an address to somebody without the routing key.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

use super::email::Email;

/// Length of the deployment's routing key, in bytes: the output length of the hash (RFC 2104 section 3).
pub const ROUTING_KEY_BYTES: usize = 32;

/// Twelve bits of HMAC-SHA-256(routing key, normalised email), 0 to 4095. All rows of an account carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bucket(u16);

/// A number outside 0 to 4095.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not a bucket: 0 to {}", Bucket::COUNT - 1)]
pub struct BucketError;

/// The deployment's routing key, held as an HMAC state that has both pads already hashed, so that one use costs two
/// SHA-256 blocks for addresses of up to 55 octets.
#[derive(Clone)]
pub struct RoutingKey(Hmac<Sha256>);

impl RoutingKey {
    /// Prepares the key; the caller wipes its own copy.
    #[must_use]
    pub fn new(key: &[u8; ROUTING_KEY_BYTES]) -> Self {
        Self(Hmac::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104 section 2)"))
    }
}

impl Bucket {
    /// How many buckets there are: what the 12 bits of `rand_a` in a UUIDv7 can hold.
    pub const COUNT: u16 = 1 << 12;

    /// The bucket of an address. Depends on nothing else, so every node finds the same.
    #[must_use]
    pub fn of(key: &RoutingKey, email: &Email) -> Self {
        let mut mac = key.0.clone();
        mac.update(email.as_str().as_bytes());
        let tag = mac.finalize().into_bytes();
        Self(u16::from_be_bytes([tag[0], tag[1]]) >> 4)
    }

    /// The number in the database.
    #[must_use]
    pub const fn as_i16(self) -> i16 {
        self.0 as i16
    }

    /// The number as it stands in the low 12 bits of an id.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// The low 12 bits of `bits`.
    pub(super) const fn from_low_bits(bits: u16) -> Self {
        Self(bits % Self::COUNT)
    }
}

impl TryFrom<i16> for Bucket {
    type Error = BucketError;

    fn try_from(number: i16) -> Result<Self, BucketError> {
        u16::try_from(number).ok().filter(|number| *number < Self::COUNT).map(Self).ok_or(BucketError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> RoutingKey {
        RoutingKey::new(&std::array::from_fn(|at| at as u8))
    }

    fn bucket(sent: &str) -> Bucket {
        Bucket::of(&key(), &Email::parse(sent).unwrap())
    }

    // python: int(hmac.new(bytes(range(32)), email, 'sha256').hexdigest()[:3], 16)
    #[test]
    fn buckets_equal_those_computed_elsewhere() {
        assert_eq!(bucket("alice@example.com").as_i16(), 2649);
        assert_eq!(bucket("bob@xn--bcher-kva.example").as_i16(), 1504);
        assert_eq!(bucket(&format!("{}@example.com", "a".repeat(64))).as_i16(), 3345);
    }

    #[test]
    fn spellings_of_one_mailbox_share_a_bucket() {
        assert_eq!(bucket("Bob@BÜCHER.example"), bucket("bob@xn--bcher-kva.example"));
    }

    #[test]
    fn another_routing_key_scatters_differently() {
        let other = RoutingKey::new(&[7; 32]);
        let moved = (0..64).filter(|n| {
            let email = Email::parse(&format!("user{n}@example.com")).unwrap();
            Bucket::of(&key(), &email) != Bucket::of(&other, &email)
        });
        assert!(moved.count() > 60);
    }

    #[test]
    fn numbers_outside_the_range_are_refused() {
        assert_eq!(Bucket::try_from(4095).map(Bucket::as_i16), Ok(4095));
        for number in [-1, 4096, i16::MIN, i16::MAX] {
            assert_eq!(Bucket::try_from(number), Err(BucketError));
        }
    }
}
