//! Tells one request from another without keeping it: what an `Idempotency-Key` stands for holds a password, so only
//! a keyed hash of it is stored, and a stolen table alone gives nothing to guess against. Never a credential.

use super::Peppers;
use hmac::Mac;

/// Keeps fingerprints apart from everything else that is hashed with a pepper. Longer than a salt, which is random.
const DOMAIN: &[u8] = b"jeday request fingerprint v1";

/// HMAC-SHA-256 of a request's parts.
pub type Fingerprint = [u8; 32];

impl Peppers {
    /// The fingerprint of these parts under each pepper, the newest first: it is the one to store, the others are what
    /// was stored before a rotation.
    pub fn fingerprints(&self, parts: &[&[u8]]) -> Vec<Fingerprint> {
        self.all()
            .map(|pepper| {
                let mut mac = pepper.keyed();
                mac.update(DOMAIN);
                for part in parts {
                    // Lengths keep ("ab", "c") from being ("a", "bc").
                    mac.update(&(part.len() as u64).to_be_bytes());
                    mac.update(part);
                }
                mac.finalize().into_bytes().into()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys;

    fn peppers() -> Peppers {
        Peppers::new(&keys::generate(jiff::Timestamp::UNIX_EPOCH).unwrap()).unwrap()
    }

    #[test]
    fn boundaries_between_parts_count() {
        let peppers = peppers();
        assert_eq!(peppers.fingerprints(&[b"ab", b"c"]), peppers.fingerprints(&[b"ab", b"c"]));
        assert_ne!(peppers.fingerprints(&[b"ab", b"c"]), peppers.fingerprints(&[b"a", b"bc"]));
        assert_ne!(peppers.fingerprints(&[b"ab"]), peppers.fingerprints(&[b"ab", b""]));
    }

    #[test]
    fn another_pepper_gives_another_fingerprint() {
        assert_ne!(peppers().fingerprints(&[b"a"]), peppers().fingerprints(&[b"a"]));
    }
}
