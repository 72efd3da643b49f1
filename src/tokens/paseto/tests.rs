//! Access tokens as clients and attackers send them: made, exchanged between keys and modes, altered, made up.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::keys::{self, KeyFile, KeyFileError};
use crate::limits::CLOCK_SKEW_S;
use crate::tokens::{RefreshToken, RefreshTokens};

const NOW: i64 = 1_738_324_800;
const LIFETIME_S: i64 = 900;
const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const TWO: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
const MODES: [AccessMode; 2] = [AccessMode::Local, AccessMode::Public];

fn config(mode: AccessMode) -> AccessConfig {
    AccessConfig {
        mode,
        issuer: "https://auth.example.org".into(),
        audience: "https://api.example.org".into(),
        lifetime: Duration::from_secs(LIFETIME_S.unsigned_abs()),
        legacy_key: None,
    }
}

/// Keys for one mode, the one in use first.
fn keys(mode: AccessMode, keys: &str) -> Keys {
    let kind = match mode {
        AccessMode::Local => KeyKind::TokenLocal,
        AccessMode::Public => KeyKind::TokenPublic,
    };
    Keys::from_value(kind, keys).unwrap()
}

fn tokens(mode: AccessMode, secrets: &str) -> AccessTokens {
    AccessTokens::new(&keys(mode, secrets), config(mode)).unwrap()
}

fn user() -> UserId {
    "017f22e2-79b0-7cc3-98c4-dc0c0c07398f".parse().unwrap()
}

fn session() -> SessionId {
    "017f22e2-79b1-7cc3-98c4-dc0c0c07398f".parse().unwrap()
}

fn issued(tokens: &AccessTokens) -> String {
    tokens.issue(&user(), &session(), NOW, [9; TOKEN_ID_BYTES]).unwrap()
}

#[test]
fn an_issued_token_says_who_and_how_long() {
    for mode in MODES {
        let tokens = tokens(mode, ONE);
        let claims = tokens.verify(&issued(&tokens), NOW).unwrap();
        assert_eq!((claims.user, claims.session), (user(), session()));
        assert_eq!((claims.issued_unix_s, claims.expires_unix_s), (NOW, NOW + LIFETIME_S));
        let refused = |at| tokens.verify(&issued(&tokens), at).err();
        assert_eq!(refused(NOW + LIFETIME_S + CLOCK_SKEW_S), Some(TokenRejected::Expired));
        assert_eq!(refused(NOW - CLOCK_SKEW_S - 1), Some(TokenRejected::NotYetValid));
    }
}

#[test]
fn tokens_of_an_older_key_are_accepted_and_the_newest_key_makes_new_ones() {
    for mode in MODES {
        let (old, both, new) = (tokens(mode, ONE), tokens(mode, &format!("{TWO},{ONE}")), tokens(mode, TWO));
        assert!(both.verify(&issued(&old), NOW).is_ok());
        assert!(new.verify(&issued(&both), NOW).is_ok());
        assert_eq!(new.verify(&issued(&old), NOW), Err(TokenRejected::UnknownKey));
    }
}

#[test]
fn exchanging_a_key_step_by_step_refuses_no_token_on_any_node() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let now = jiff::Timestamp::from_second(NOW).unwrap();
    let kinds = [KeyKind::TokenLocal, KeyKind::TokenPublic, KeyKind::Refresh];
    let mut steps = vec![KeyFile::create(&path, keys::generate(now).unwrap(), now).unwrap()];
    let mut step = |change: fn(&Path, KeyKind, jiff::Timestamp) -> Result<KeyFile, KeyFileError>| {
        kinds.iter().for_each(|kind| drop(change(&path, *kind, now).unwrap()));
        steps.push(KeyFile::load(&path).unwrap());
    };
    step(KeyFile::stage);
    step(KeyFile::promote);
    // Two nodes are at the same step or at neighbouring ones.
    for (one, other) in [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (2, 1), (2, 2)] {
        let (one, other) = (steps[one].keys(), steps[other].keys());
        for mode in MODES {
            let issuer = AccessTokens::new(one, config(mode)).unwrap();
            assert!(AccessTokens::new(other, config(mode)).unwrap().verify(&issued(&issuer), NOW).is_ok());
        }
        let token = RefreshTokens::new(one).unwrap().issue(&session(), 1, &[5; 16]);
        assert!(RefreshTokens::new(other).unwrap().issued(&RefreshToken::parse(&token).unwrap()));
    }
    let (old, new) = (steps[0].keys(), steps[2].keys());
    for kind in kinds {
        assert!(old.newest(kind).map(Key::id) != new.newest(kind).map(Key::id), "a new key is in use");
    }
}

#[test]
fn a_key_of_the_go_version_serves_alone_or_behind_others() {
    let legacy = |keys: &Keys, byte| {
        let legacy_key = Some(Zeroizing::new([byte; KEY_BYTES]));
        AccessTokens::new(keys, AccessConfig { legacy_key, ..config(AccessMode::Local) }).unwrap()
    };
    let alone = legacy(&Keys::default(), 7);
    let behind = legacy(&keys(AccessMode::Local, ONE), 7);
    assert!(alone.verify(&issued(&alone), NOW).is_ok());
    assert!(behind.verify(&issued(&alone), NOW).is_ok());
    assert!(tokens(AccessMode::Local, ONE).verify(&issued(&behind), NOW).is_ok());
    assert_eq!(legacy(&Keys::default(), 8).verify(&issued(&alone), NOW), Err(TokenRejected::UnknownKey));
}

#[test]
fn without_a_key_the_command_that_makes_one_is_told() {
    let refused = |mode| AccessTokens::new(&Keys::default(), config(mode)).err().unwrap();
    assert_eq!(refused(AccessMode::Local), AccessConfigError::NoLocalKey);
    assert!(refused(AccessMode::Local).to_string().contains("`jeday keygen --rotate token-local`"));
    assert_eq!(refused(AccessMode::Public), AccessConfigError::NoPublicKey);
    assert!(refused(AccessMode::Public).to_string().contains("`jeday keygen --rotate token-public`"));
    let zeros = keys(AccessMode::Public, &"A".repeat(43));
    let refused = AccessTokens::new(&zeros, config(AccessMode::Public)).err();
    assert!(matches!(refused, Some(AccessConfigError::ZeroKey(_))));
}

#[test]
fn names_that_make_tokens_too_long_are_refused() {
    let named = |issuer: &str| {
        let config = AccessConfig { issuer: issuer.into(), audience: issuer.into(), ..config(AccessMode::Public) };
        AccessTokens::new(&keys(AccessMode::Public, ONE), config)
    };
    for name in ["", "a\nb", &"x".repeat(TOKEN_NAME_BYTES_MAX + 1)] {
        assert_eq!(named(name).err(), Some(AccessConfigError::Name));
    }
    // Quotes take the most room in JSON.
    let longest = named(&"\"".repeat(TOKEN_NAME_BYTES_MAX)).unwrap();
    assert!(longest.verify(&issued(&longest), NOW).is_ok());
}

#[test]
fn another_version_purpose_issuer_or_audience_is_told() {
    for mode in MODES {
        let tokens = tokens(mode, ONE);
        let text = issued(&tokens);
        let refused = |text: &str| tokens.verify(text, NOW).err();
        for version in ["v1", "v2", "v3", "v5", "v44"] {
            assert_eq!(refused(&text.replacen("v4", version, 1)), Some(TokenRejected::Version), "{version}");
        }
        let (ours, other) = match mode {
            AccessMode::Local => ("local", "public"),
            AccessMode::Public => ("public", "local"),
        };
        assert_eq!(refused(&text.replacen(ours, other, 1)), Some(TokenRejected::Purpose));
        for header in
            ["v4", "v4.", "v4.secret.", "v.local.", "w4.local.", "k4.local.", "4.local.", "", ".", "v4..", " "]
        {
            assert_eq!(refused(header), Some(TokenRejected::Malformed), "{header}");
        }

        let verifier = |issuer: &str, audience: &str| {
            let config = AccessConfig { issuer: issuer.into(), audience: audience.into(), ..config(mode) };
            AccessTokens::new(&keys(mode, ONE), config).unwrap().verify(&text, NOW).err()
        };
        assert_eq!(verifier("https://other.example.org", "https://api.example.org"), Some(TokenRejected::Issuer));
        assert_eq!(verifier("https://auth.example.org", "https://other.example.org"), Some(TokenRejected::Audience));
    }
}

#[test]
fn a_footer_that_is_missing_or_of_another_token_is_no_way_in() {
    for mode in MODES {
        let (one, both) = (tokens(mode, ONE), tokens(mode, &format!("{TWO},{ONE}")));
        let (of_one, of_two) = (issued(&one), issued(&both));
        let refused = |text: &str| both.verify(text, NOW).err();
        let (message, footer) = of_one.rsplit_once('.').unwrap();
        let other_footer = of_two.rsplit_once('.').unwrap().1;
        assert_eq!(refused(message), Some(TokenRejected::Malformed));
        assert_eq!(refused(&format!("{message}.")), Some(TokenRejected::Malformed));
        assert_eq!(refused(&format!("{message}.{footer}.{footer}")), Some(TokenRejected::Malformed));
        assert_eq!(refused(&format!("{message}.{other_footer}")), Some(TokenRejected::Tampered));
        assert_eq!(refused(&format!("{of_one}{}", "A".repeat(ACCESS_TOKEN_BYTES_MAX))), Some(TokenRejected::Malformed));
    }
}

#[test]
fn a_token_altered_in_any_bit_is_rejected() {
    for mode in MODES {
        let tokens = tokens(mode, ONE);
        let text = issued(&tokens);
        for at in 0..text.len() {
            for bit in 0..7 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let altered = String::from_utf8(bytes).unwrap();
                assert!(tokens.verify(&altered, NOW).is_err(), "{altered}");
            }
            assert!(tokens.verify(&text[..at], NOW).is_err());
            assert!(tokens.verify(&format!("{}é{}", &text[..at], &text[at + 1..]), NOW).is_err());
        }
    }
}

#[test]
fn published_keys_are_those_that_verify() {
    assert_eq!(tokens(AccessMode::Local, ONE).published_keys(), r#"{"keys":[]}"#);
    let tokens = tokens(AccessMode::Public, &format!("{TWO},{ONE}"));
    let published: serde_json::Value = serde_json::from_str(tokens.published_keys()).unwrap();
    let keys = published["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2);
    // What anybody else does with them: look up the key that the footer names, and verify.
    let text = issued(&tokens);
    let token = UntrustedToken::<Public, V4>::try_from(text.as_str()).unwrap();
    let footer: serde_json::Value = serde_json::from_slice(token.untrusted_footer()).unwrap();
    let named = keys.iter().find(|key| key["kid"] == footer["kid"]).unwrap()["key"].as_str().unwrap();
    let public = pasetors::keys::AsymmetricPublicKey::<V4>::try_from(named).unwrap();
    assert!(PublicToken::verify(&public, &token, None, None).is_ok());
}

#[test]
fn authentic_text_that_holds_no_claims_is_told() {
    let tokens = tokens(AccessMode::Local, ONE);
    let PurposeKeys::Local(ring) = &tokens.keys else { panic!("local mode has local keys") };
    let named = ring.in_use();
    for payload in [b"\xff".as_slice(), b"{}", b"text"] {
        let token = LocalToken::encrypt(named.key(), payload, Some(named.footer()), None).unwrap();
        assert_eq!(tokens.verify(&token, NOW), Err(TokenRejected::Claims));
        // An implicit assertion is not used, so a token with one is not ours.
        let token = LocalToken::encrypt(named.key(), payload, Some(named.footer()), Some(b"x")).unwrap();
        assert_eq!(tokens.verify(&token, NOW), Err(TokenRejected::Tampered));
    }
}

proptest! {
    #[test]
    fn no_text_panics(garbage in "\\PC{0,300}", header in "v[0-9]\\.(local|public)\\.", footer in "[A-Za-z0-9_.-]{0,80}") {
        for mode in MODES {
            let tokens = tokens(mode, ONE);
            for text in [&garbage, &format!("{header}{garbage}"), &format!("{header}{footer}"), &format!("{header}{footer}.{footer}")] {
                prop_assert!(tokens.verify(text, NOW).is_err());
            }
            // An own message with a foreign footer gets furthest.
            let text = issued(&tokens);
            let message = text.rsplit_once('.').unwrap().0;
            let foreign = format!("{message}.{footer}");
            prop_assert!(tokens.verify(&foreign, NOW).is_err());
        }
    }

    #[test]
    fn a_token_is_accepted_for_as_long_as_it_says(issued in -4_000_000_000i64..4_000_000_000, later in -200i64..2_000) {
        let tokens = tokens(AccessMode::Local, ONE);
        let token = tokens.issue(&user(), &session(), issued, [1; TOKEN_ID_BYTES]).unwrap();
        let accepted = tokens.verify(&token, issued + later).is_ok();
        prop_assert_eq!(accepted, (-CLOCK_SKEW_S..LIFETIME_S + CLOCK_SKEW_S).contains(&later));
    }
}
