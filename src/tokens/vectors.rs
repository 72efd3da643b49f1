//! The official test vectors of PASETO v4 and of PASERK, run against the library that is used and against what is made
//! of it here. The library draws its own nonces, so encryption is checked by what decrypts.

use std::time::Duration;

use pasetors::keys::{AsymmetricPublicKey, AsymmetricSecretKey, SymmetricKey};
use pasetors::paserk::{FormatAsPaserk, Id};
use pasetors::token::{Local, Public, UntrustedToken};
use pasetors::version4::{LocalToken, PublicToken, V4};
use serde::Deserialize;

use super::keyring;
use super::{AccessConfig, AccessMode, AccessTokens};
use crate::keys;

#[derive(Deserialize)]
struct Vectors {
    paseto: Vec<Token>,
    paserk: Vec<Paserk>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Token {
    name: String,
    key: Option<String>,
    public_key: Option<String>,
    secret_key: Option<String>,
    secret_key_seed: Option<String>,
    token: String,
    payload: Option<String>,
    footer: String,
    implicit_assertion: String,
}

#[derive(Deserialize)]
struct Paserk {
    name: String,
    key: String,
    paserk: Option<String>,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../tests/data/paseto-v4.json")).unwrap()
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    (0..hexadecimal.len()).step_by(2).map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).unwrap()).collect()
}

fn array(hexadecimal: &str) -> [u8; 32] {
    bytes(hexadecimal).try_into().unwrap()
}

impl Token {
    fn decrypted(&self) -> Option<String> {
        let key = SymmetricKey::<V4>::from(&bytes(self.key.as_ref()?)).unwrap();
        let token = UntrustedToken::<Local, V4>::try_from(self.token.as_str()).ok()?;
        let implicit = Some(self.implicit_assertion.as_bytes());
        let trusted = LocalToken::decrypt(&key, &token, self.known_footer(), implicit).ok()?;
        Some(trusted.payload().to_owned())
    }

    fn verified(&self) -> Option<String> {
        let key = AsymmetricPublicKey::<V4>::from(&bytes(self.public_key.as_ref()?)).unwrap();
        let token = UntrustedToken::<Public, V4>::try_from(self.token.as_str()).ok()?;
        let implicit = Some(self.implicit_assertion.as_bytes());
        let trusted = PublicToken::verify(&key, &token, self.known_footer(), implicit).ok()?;
        Some(trusted.payload().to_owned())
    }

    fn known_footer(&self) -> Option<&[u8]> {
        (!self.footer.is_empty()).then_some(self.footer.as_bytes())
    }
}

#[test]
fn local_tokens_of_the_standard_decrypt_or_fail_as_it_says() {
    let mut tried = 0;
    for token in vectors().paseto.iter().filter(|token| token.key.is_some()) {
        assert_eq!(token.decrypted(), token.payload, "{}", token.name);
        tried += 1;
    }
    assert_eq!(tried, 14, "10 that decrypt, 4 that fail");
}

#[test]
fn public_tokens_of_the_standard_verify_or_fail_as_it_says() {
    let mut tried = 0;
    for token in vectors().paseto.iter().filter(|token| token.public_key.is_some()) {
        assert_eq!(token.verified(), token.payload, "{}", token.name);
        tried += 1;
        let Some(payload) = &token.payload else { continue };
        // Signatures have no randomness in them, so making one gives the very token.
        let secret = AsymmetricSecretKey::<V4>::from(&bytes(token.secret_key.as_ref().unwrap())).unwrap();
        let implicit = Some(token.implicit_assertion.as_bytes());
        let signed = PublicToken::sign(&secret, payload.as_bytes(), token.known_footer(), implicit).unwrap();
        assert_eq!(signed, token.token, "{}", token.name);
    }
    assert_eq!(tried, 4, "3 that verify, 1 that fails");
}

#[test]
fn seeds_of_the_standard_give_its_key_pairs() {
    for token in vectors().paseto {
        let (Some(seed), Some(secret), Some(public)) = (token.secret_key_seed, token.secret_key, token.public_key)
        else {
            continue;
        };
        let pair = keyring::signing_key(&array(&seed)).unwrap();
        assert_eq!(pair.key().secret.as_bytes(), bytes(&secret), "{}", token.name);
        assert_eq!(pair.key().public.as_bytes(), bytes(&public), "{}", token.name);
    }
}

#[test]
fn ids_and_public_keys_are_named_as_the_standard_says() {
    let mut tried = 0;
    for Paserk { name, key, paserk } in vectors().paserk {
        let secret = bytes(&key);
        let mut text = String::new();
        let written = match name.split('-').next().unwrap() {
            "k4.lid" => SymmetricKey::<V4>::from(&secret).ok().map(|key| Id::from(&key).fmt(&mut text)),
            "k4.pid" => AsymmetricPublicKey::<V4>::from(&secret).ok().map(|key| Id::from(&key).fmt(&mut text)),
            "k4.public" => AsymmetricPublicKey::<V4>::from(&secret).ok().map(|key| key.fmt(&mut text)),
            other => panic!("{other} is not among the vectors"),
        };
        assert_eq!(written.map(|_| text), paserk, "{name}");
        tried += 1;
    }
    assert_eq!(tried, 13);
}

#[test]
fn footers_name_keys_by_the_ids_of_the_standard() {
    let mut tried = 0;
    for Paserk { name, key, paserk } in vectors().paserk {
        let (true, Some(id)) = (name.starts_with("k4.lid"), paserk) else { continue };
        let footer = format!("{{\"kid\":\"{id}\"}}");
        assert_eq!(keyring::local_key(&array(&key)).footer(), footer.as_bytes(), "{name}");
        tried += 1;
    }
    assert_eq!(tried, 3);
}

#[test]
fn no_token_of_the_standard_is_taken_for_one_of_ours() {
    let now = jiff::Timestamp::UNIX_EPOCH;
    let keys = keys::generate(now).unwrap();
    for mode in [AccessMode::Local, AccessMode::Public] {
        let config = AccessConfig {
            mode,
            issuer: "issuer".into(),
            audience: "audience".into(),
            lifetime: Duration::from_secs(1),
            legacy_key: None,
        };
        let tokens = AccessTokens::new(&keys, config).unwrap();
        for token in vectors().paseto {
            assert!(tokens.verify(&token.token, now.as_second()).is_err(), "{}", token.name);
        }
    }
}
