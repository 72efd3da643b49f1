//! The keys of access tokens by their PASERK ids. Never shows a secret key, and has none of its own.

use std::borrow::Cow;

use ed25519_compact::{KeyPair, Seed};
use pasetors::keys::{AsymmetricPublicKey, AsymmetricSecretKey, SymmetricKey};
use pasetors::paserk::{FormatAsPaserk, Id};
use pasetors::version4::V4;
use serde::Deserialize;

use super::TokenRejected;
use crate::keys::KEY_BYTES;

/// Keys of one purpose. Never empty; the first makes tokens, each checks them.
#[derive(Clone)]
pub(super) struct Keyring<K>(Vec<Named<K>>);

/// A key with its public name.
#[derive(Clone)]
pub(super) struct Named<K> {
    id: String,
    /// What tokens of this key have as footer: `{"kid":"<id>"}`.
    footer: String,
    key: K,
}

/// The key pair of v4.public tokens.
#[derive(Clone)]
pub(super) struct SigningKey {
    pub(super) secret: AsymmetricSecretKey<V4>,
    pub(super) public: AsymmetricPublicKey<V4>,
}

#[derive(Deserialize)]
struct Footer<'a> {
    #[serde(borrow)]
    kid: Cow<'a, str>,
}

fn paserk(key: &impl FormatAsPaserk) -> String {
    let mut text = String::new();
    key.fmt(&mut text).expect("a string takes whatever is written");
    text
}

/// A key of v4.local with its `k4.lid`.
pub(super) fn local_key(secret: &[u8; KEY_BYTES]) -> Named<SymmetricKey<V4>> {
    let key = SymmetricKey::from(secret).expect("a key has the length that PASETO v4.local wants");
    Named::new(paserk(&Id::from(&key)), key)
}

/// A key pair of v4.public with its `k4.pid`. None for a seed of zeros, which is a placeholder and no key.
pub(super) fn signing_key(seed: &[u8; KEY_BYTES]) -> Option<Named<SigningKey>> {
    let pair = KeyPair::try_from_seed(Seed::new(*seed)).ok()?;
    let secret = AsymmetricSecretKey::from(&*pair.sk).expect("a pair is made of one seed");
    let public = AsymmetricPublicKey::from(&*pair.pk).expect("a public key has the length that PASETO v4 wants");
    Some(Named::new(paserk(&Id::from(&public)), SigningKey { secret, public }))
}

impl<K> Named<K> {
    fn new(id: String, key: K) -> Self {
        // PASERK ids are made of characters that JSON does not escape.
        Self { footer: format!("{{\"kid\":\"{id}\"}}"), id, key }
    }

    pub(super) fn footer(&self) -> &[u8] {
        self.footer.as_bytes()
    }

    pub(super) fn key(&self) -> &K {
        &self.key
    }
}

impl<K> Keyring<K> {
    /// Takes keys, the one in use first, and drops repeated ones. None when there is no key.
    pub(super) fn new(keys: impl IntoIterator<Item = Named<K>>) -> Option<Self> {
        let mut ring: Vec<Named<K>> = Vec::new();
        for key in keys {
            if ring.iter().all(|known| known.id != key.id) {
                ring.push(key);
            }
        }
        (!ring.is_empty()).then_some(Self(ring))
    }

    /// The key that new tokens are made with.
    pub(super) fn in_use(&self) -> &Named<K> {
        self.0.first().expect("a key ring is never empty")
    }

    /// The key that a token's footer names.
    pub(super) fn named_by(&self, footer: &[u8]) -> Result<&Named<K>, TokenRejected> {
        // Nearly all footers are our own, to the byte; others may have the same key in other notation.
        if let Some(named) = self.0.iter().find(|named| named.footer() == footer) {
            return Ok(named);
        }
        let Footer { kid } = serde_json::from_slice(footer).map_err(|_| TokenRejected::Malformed)?;
        self.0.iter().find(|named| named.id == kid).ok_or(TokenRejected::UnknownKey)
    }
}

impl Keyring<SigningKey> {
    /// The public keys as a JSON object: `{"keys":[{"kid":"k4.pid...","key":"k4.public..."}]}`.
    pub(super) fn published(&self) -> String {
        let keys = self.0.iter().map(|Named { id, key, .. }| {
            let key = paserk(&key.public);
            format!("{{\"kid\":\"{id}\",\"key\":\"{key}\"}}")
        });
        format!("{{\"keys\":[{}]}}", keys.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEDS: [[u8; KEY_BYTES]; 2] = [[1; KEY_BYTES], [2; KEY_BYTES]];

    fn ring() -> Keyring<SymmetricKey<V4>> {
        Keyring::new(SEEDS.iter().map(local_key)).unwrap()
    }

    #[test]
    fn a_footer_names_its_key_in_any_notation() {
        let ring = ring();
        for seed in &SEEDS {
            let Named { id, footer, .. } = local_key(seed);
            assert!(ring.named_by(footer.as_bytes()).unwrap().id == id);
            let spaced = format!(" {{ \"wpk\": 1, \"k\\u0069d\" : \"{id}\" }} ");
            assert!(ring.named_by(spaced.as_bytes()).unwrap().id == id);
        }
    }

    #[test]
    fn a_footer_that_names_no_key_of_ours_is_told_from_one_that_names_none() {
        let named_by = |footer: &str| ring().named_by(footer.as_bytes()).err();
        for footer in ["", "{}", "kid", "{\"kid\":1}", "{\"kid\":\"a\",\"kid\":\"a\"}", "\u{0}", &"[".repeat(4_000)] {
            assert_eq!(named_by(footer), Some(TokenRejected::Malformed), "{footer}");
        }
        assert_eq!(named_by("{\"kid\":\"k4.lid.\"}"), Some(TokenRejected::UnknownKey));
        assert_eq!(named_by(&local_key(&[3; KEY_BYTES]).footer), Some(TokenRejected::UnknownKey));
        let public = signing_key(&SEEDS[0]).unwrap();
        assert_eq!(named_by(&public.footer), Some(TokenRejected::UnknownKey));
    }

    #[test]
    fn a_repeated_key_is_kept_once() {
        let ring = Keyring::new([&SEEDS[1], &SEEDS[0], &SEEDS[1]].map(local_key)).unwrap();
        assert_eq!(ring.0.len(), 2);
        assert_eq!(ring.in_use().id, local_key(&SEEDS[1]).id);
    }

    #[test]
    fn a_seed_of_zeros_is_no_key() {
        assert!(signing_key(&[0; KEY_BYTES]).is_none());
    }
}
