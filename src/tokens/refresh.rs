//! Refresh tokens: `<session id>.<generation>.<secret>`, the secret in the Base64 of RFC 4648 section 5 without
//! padding. Its first half, the proof, is from SHA-256 over seed || generation, so that the database can check it with
//! the statement that rotates; the second is from HMAC-SHA-256 (RFC 2104) under the refresh key over all the rest, so
//! that what was not issued here never gets to the database. Both can be computed again and need not be stored: a
//! database without the key makes none, nor the key without a database, old tokens or not. Never compares a secret but
//! in constant time.

use std::fmt::Write;

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::account::SessionId;
use crate::keys::{KeyKind, Keys};

/// Length of the random seed of a session, in bytes.
pub const SEED_BYTES: usize = 16;

/// Length of a proof, in bytes.
pub const PROOF_BYTES: usize = 16;

/// Half of what HMAC-SHA-256 gives, the least that RFC 2104 section 5 advises.
const TAG_BYTES: usize = 16;

const SECRET_BYTES: usize = PROOF_BYTES + TAG_BYTES;

const SECRET_CHARS: usize = (4 * SECRET_BYTES).div_ceil(3);

/// Most digits of a generation.
const GENERATION_CHARS_MAX: usize = 10;

/// Longest text of a refresh token, in bytes.
pub const REFRESH_TOKEN_BYTES_MAX: usize = SessionId::TEXT_BYTES + 1 + GENERATION_CHARS_MAX + 1 + SECRET_CHARS;

/// The highest generation: a session's is stored in 31 bits. One refresh a second gets there in 68 years.
pub const GENERATION_MAX: u32 = i32::MAX as u32;

/// A refresh token as it was presented. It proves nothing until [`RefreshTokens::issued`] and the session's seed do.
pub struct RefreshToken {
    session: SessionId,
    generation: u32,
    proof: Zeroizing<[u8; PROOF_BYTES]>,
    tag: [u8; TAG_BYTES],
}

/// Text that is no refresh token. Never repeats any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not a refresh token")]
pub struct RefreshTokenError;

/// There is no key to make refresh tokens with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("there is no key for refresh tokens: `jeday keygen --rotate refresh` adds one to the key file")]
pub struct NoRefreshKey;

/// Makes and checks the secrets of refresh tokens. Never empty: the first key makes, each of them checks.
#[derive(Clone)]
pub struct RefreshTokens(Vec<Hmac<Sha256>>);

impl RefreshToken {
    /// Reads what [`RefreshTokens::issue`] writes, and nothing else.
    ///
    /// # Errors
    /// When the text has any other form.
    pub fn parse(text: &str) -> Result<Self, RefreshTokenError> {
        if text.len() > REFRESH_TOKEN_BYTES_MAX {
            return Err(RefreshTokenError);
        }
        let mut parts = text.splitn(3, '.');
        let (Some(id), Some(digits), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(RefreshTokenError);
        };
        let session: SessionId = id.parse().map_err(|_| RefreshTokenError)?;
        let generation: u32 = digits.parse().map_err(|_| RefreshTokenError)?;
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        let decoded = Base64UrlUnpadded::decode(encoded, secret.as_mut_slice()).map_err(|_| RefreshTokenError)?.len();
        // A token has one spelling; numbers and ids have more.
        let one_spelling = session.encode(&mut [0; SessionId::TEXT_BYTES]) == id
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        if !one_spelling || decoded != SECRET_BYTES || generation > GENERATION_MAX {
            return Err(RefreshTokenError);
        }
        let (mut proof, mut tag) = (Zeroizing::new([0; PROOF_BYTES]), [0; TAG_BYTES]);
        proof.copy_from_slice(&secret[..PROOF_BYTES]);
        tag.copy_from_slice(&secret[PROOF_BYTES..]);
        Ok(Self { session, generation, proof, tag })
    }

    /// The session that it is for.
    #[must_use]
    pub const fn session(&self) -> &SessionId {
        &self.session
    }

    /// The generation of the session that it was made for.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// What shows that whoever made it knew the session's seed.
    #[must_use]
    pub fn proof(&self) -> &[u8; PROOF_BYTES] {
        &self.proof
    }

    /// Whether it is of the session that has this seed. Takes the same time for every proof.
    #[must_use]
    pub fn proves(&self, seed: &[u8; SEED_BYTES]) -> bool {
        proof(self.generation, seed).ct_eq(&*self.proof).into()
    }
}

impl RefreshTokens {
    /// Prepares the keys of the kind [`KeyKind::Refresh`].
    ///
    /// # Errors
    /// When there is none.
    pub fn new(keys: &Keys) -> Result<Self, NoRefreshKey> {
        let macs: Vec<_> = keys
            .of(KeyKind::Refresh)
            .map(|key| Hmac::new_from_slice(key.secret()).expect("HMAC takes keys of any length (RFC 2104 section 2)"))
            .collect();
        if macs.is_empty() { Err(NoRefreshKey) } else { Ok(Self(macs)) }
    }

    /// The refresh token of a generation of a session: the same text each time, until another key is in use.
    #[must_use]
    pub fn issue(&self, session: &SessionId, generation: u32, seed: &[u8; SEED_BYTES]) -> String {
        let mac = self.0.first().expect("refresh tokens always have a key");
        let proof = proof(generation, seed);
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        secret[..PROOF_BYTES].copy_from_slice(&*proof);
        secret[PROOF_BYTES..].copy_from_slice(&tag(mac, session, generation, &proof));
        let mut encoded = Zeroizing::new([0; SECRET_CHARS]);
        let encoded = Base64UrlUnpadded::encode(secret.as_slice(), encoded.as_mut_slice())
            .expect("the buffer is as long as the encoding");
        let mut text = String::with_capacity(REFRESH_TOKEN_BYTES_MAX);
        text.push_str(session.encode(&mut [0; SessionId::TEXT_BYTES]));
        write!(text, ".{generation}.{encoded}").expect("a string takes whatever is written");
        text
    }

    /// Whether the token was issued under one of the keys, for whichever session it says. Takes the same time for every
    /// token.
    #[must_use]
    pub fn issued(&self, token: &RefreshToken) -> bool {
        let right = self.0.iter().fold(Choice::from(0), |right, mac| {
            right | tag(mac, &token.session, token.generation, &token.proof).ct_eq(&token.tag)
        });
        right.into()
    }
}

/// The statement that rotates computes the same.
fn proof(generation: u32, seed: &[u8; SEED_BYTES]) -> Zeroizing<[u8; PROOF_BYTES]> {
    let digest = Zeroizing::new(<[u8; 32]>::from(
        Sha256::new().chain_update(seed).chain_update(generation.to_be_bytes()).finalize(),
    ));
    let mut proof = Zeroizing::new([0; PROOF_BYTES]);
    proof.copy_from_slice(&digest[..PROOF_BYTES]);
    proof
}

fn tag(mac: &Hmac<Sha256>, session: &SessionId, generation: u32, proof: &[u8; PROOF_BYTES]) -> [u8; TAG_BYTES] {
    // Every part has a fixed length, so no two tokens share a message.
    let mut mac = mac.clone();
    mac.update(proof);
    mac.update(session.as_bytes());
    mac.update(&generation.to_be_bytes());
    *mac.finalize().into_bytes().first_chunk().expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const OTHER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    const SESSION: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
    const SEED: [u8; SEED_BYTES] = [7; SEED_BYTES];

    fn tokens(keys: &str) -> RefreshTokens {
        RefreshTokens::new(&Keys::from_value(KeyKind::Refresh, keys).unwrap()).unwrap()
    }

    fn session() -> SessionId {
        SESSION.parse().unwrap()
    }

    // python: proof = sha256(bytes([7] * 16) + (3).to_bytes(4)).digest()[:16]
    //         proof + hmac.digest(bytes(32), proof + uuid.bytes + (3).to_bytes(4), 'sha256')[:16]
    #[test]
    fn a_secret_equals_one_computed_elsewhere() {
        let text = tokens(KEY).issue(&session(), 3, &SEED);
        assert_eq!(text, format!("{SESSION}.3.yWaYfAMQXcehpbYjf_m9rJRci9d5qBzyqVpWZzFKmtw"));
    }

    #[test]
    fn a_token_of_an_older_key_is_still_right() {
        let old = RefreshToken::parse(&tokens(KEY).issue(&session(), 3, &SEED)).unwrap();
        assert!(tokens(&format!("{OTHER_KEY},{KEY}")).issued(&old));
        assert!(!tokens(OTHER_KEY).issued(&old));
    }

    #[test]
    fn a_token_has_one_spelling() {
        let text = tokens(KEY).issue(&session(), 3, &SEED);
        assert!(RefreshToken::parse(&text).is_ok());
        let padded = format!("{text}=");
        // The last character carries two bits that belong to no byte.
        let loose = format!("{}{}", &text[..text.len() - 1], char::from(text.as_bytes()[text.len() - 1] + 1));
        let spellings =
            ["", "..", "a.b.c", &padded, &loose, &text[1..], &text[..text.len() - 1], &text.replace('-', "")];
        for text in spellings {
            assert_eq!(RefreshToken::parse(text).err(), Some(RefreshTokenError), "{text}");
        }
        for generation in ["", "03", "+3", "-3", "00", " 3", "3.0", "2147483648", "4294967296", "x"] {
            assert!(RefreshToken::parse(&text.replace(".3.", &format!(".{generation}."))).is_err(), "{generation}");
        }
        assert!(RefreshToken::parse(&text.replacen("7f", "7F", 1)).is_err());
    }

    #[test]
    fn without_a_key_the_command_that_makes_one_is_told() {
        let Err(error) = RefreshTokens::new(&Keys::default()) else { panic!("made") };
        assert!(error.to_string().contains("jeday keygen --rotate refresh"));
    }

    proptest! {
        #[test]
        fn what_is_issued_is_read_and_matches(generation in 0..=GENERATION_MAX, seed: [u8; SEED_BYTES]) {
            let tokens = tokens(KEY);
            let read = RefreshToken::parse(&tokens.issue(&session(), generation, &seed)).unwrap();
            prop_assert_eq!((*read.session(), read.generation()), (session(), generation));
            prop_assert!(tokens.issued(&read) && read.proves(&seed));
            prop_assert!(!read.proves(&seed.map(|byte| !byte)), "another session's seed");
            let other = RefreshToken { generation: generation ^ 1, ..read };
            prop_assert!(!tokens.issued(&other) && !other.proves(&seed));
        }

        #[test]
        fn no_text_panics_and_no_altered_secret_matches(garbage in "\\PC{0,100}", bit in 0usize..256) {
            let _ = RefreshToken::parse(&garbage);
            let tokens = tokens(KEY);
            let mut read = RefreshToken::parse(&tokens.issue(&session(), 3, &SEED)).unwrap();
            let at = bit / 8;
            let byte = if at < PROOF_BYTES { &mut read.proof[at] } else { &mut read.tag[at - PROOF_BYTES] };
            *byte ^= 1 << (bit % 8);
            prop_assert!(!tokens.issued(&read));
            prop_assert_eq!(read.proves(&SEED), at >= PROOF_BYTES);
        }
    }
}
