//! Access tokens and refresh tokens, under keys that are known here, so that whatever is accepted can be told.

use jeday::{
    account::UserId,
    keys::{KEY_BYTES, KeyKind, Keys},
    limits::CLOCK_SKEW_S,
    tokens::{AccessConfig, AccessMode, AccessTokens, RefreshToken, RefreshTokens, SEED_BYTES, TokenRejected},
};
use pasetors::{
    keys::SymmetricKey,
    token::{Local, UntrustedToken},
    version4::{LocalToken, V4},
};
use serde_json::Value;
use std::{sync::LazyLock, time::Duration};

/// 32 bytes of 1, and 32 of 2, as keys are written.
const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
const OTHER_KEY: &str = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI";

/// When the tokens below were issued, in seconds since 1970.
const ISSUED_UNIX_S: i64 = 1_795_500_000;
const LIFETIME_S: u64 = 900;

/// The session that the refresh token below is of.
const SEED: [u8; SEED_BYTES] = [7; SEED_BYTES];

/// The only tokens that were ever made with [`KEY`] and [`OTHER_KEY`].
const LOCAL: &str = include_str!("../seeds/token/local");
const PUBLIC: &str = include_str!("../seeds/token/public");
const REFRESH: &str = include_str!("../seeds/token/refresh");
const OTHER_LOCAL: &str = include_str!("../seeds/token/local_of_another_key");
const OTHER_PUBLIC: &str = include_str!("../seeds/token/public_of_another_key");
const OTHER_REFRESH: &str = include_str!("../seeds/token/refresh_of_another_key");

struct Under {
    local: AccessTokens,
    public: AccessTokens,
    refresh: RefreshTokens,
}

impl Under {
    fn key(key: &str) -> Under {
        let keys = |kind| Keys::from_value(kind, key).expect("is a key");
        let access = |kind, mode| {
            let (issuer, audience) = ("jeday".to_owned(), "jeday".to_owned());
            let lifetime = Duration::from_secs(LIFETIME_S);
            let config = AccessConfig { mode, issuer, audience, lifetime, legacy_key: None };
            AccessTokens::new(&keys(kind), config).expect("there is a key")
        };
        Under {
            local: access(KeyKind::TokenLocal, AccessMode::Local),
            public: access(KeyKind::TokenPublic, AccessMode::Public),
            refresh: RefreshTokens::new(&keys(KeyKind::Refresh)).expect("there is a key"),
        }
    }
}

static OURS: LazyLock<Under> = LazyLock::new(|| Under::key(KEY));
static OTHERS: LazyLock<Under> = LazyLock::new(|| Under::key(OTHER_KEY));

/// Nothing is accepted but what was issued, byte for byte, and by nobody but who has its key; of an authentic token
/// nothing but claims of ours that are valid now.
pub fn token(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        access(text);
        refresh(text);
    }
    claims(bytes);
    footer(bytes);
}

fn access(text: &str) {
    let issued =
        [(&OURS.local, LOCAL), (&OURS.public, PUBLIC), (&OTHERS.local, OTHER_LOCAL), (&OTHERS.public, OTHER_PUBLIC)];
    for (tokens, issued) in issued {
        assert_eq!(tokens.verify(text, ISSUED_UNIX_S).is_ok(), text == issued, "{text}");
    }
}

fn refresh(text: &str) {
    let Ok(token) = RefreshToken::parse(text) else { return };
    assert!(text.starts_with(&format!("{}.{}.", token.session(), token.generation())), "{text}");
    let issued = OURS.refresh.issue(token.session(), token.generation(), &SEED);
    assert!(issued.len() == text.len() && RefreshToken::parse(&issued).is_ok(), "{text}");
    assert_eq!(OURS.refresh.issued(&token), text == REFRESH, "{text}");
    assert_eq!(OURS.refresh.issued(&token) && token.proves(&SEED), text == issued, "{text}");
    assert_eq!(OTHERS.refresh.issued(&token), text == OTHER_REFRESH, "{text}");
}

/// The bytes as the claims of a token that is authentic: another program may have the key as well.
fn claims(payload: &[u8]) {
    let Ok(token) = LocalToken::encrypt(&KEY_OF_LOCAL, payload, Some(&FOOTER), None) else { return };
    match OURS.local.verify(&token, ISSUED_UNIX_S) {
        Ok(claims) => {
            assert!(claims.issued_unix_s <= ISSUED_UNIX_S + CLOCK_SKEW_S, "{}", payload.escape_ascii());
            assert!(claims.expires_unix_s > ISSUED_UNIX_S - CLOCK_SKEW_S, "{}", payload.escape_ascii());
            let value: Value = serde_json::from_slice(payload).expect("claims are JSON");
            let user: UserId = value["sub"].as_str().and_then(|user| user.parse().ok()).expect("sub is a user");
            assert!(user == claims.user && value["iss"] == "jeday" && value["aud"] == "jeday");
            let over = claims.expires_unix_s.saturating_add(CLOCK_SKEW_S);
            assert_eq!(OURS.local.verify(&token, over), Err(TokenRejected::Expired), "{}", payload.escape_ascii());
        }
        Err(rejected) => {
            use TokenRejected::{Audience, Claims, Expired, Issuer, Malformed, NotYetValid};
            let told = [Audience, Claims, Expired, Issuer, Malformed, NotYetValid].contains(&rejected);
            // Longer than any token is.
            let is_long = rejected == Malformed && payload.len() > 1_000;
            assert!(told && (rejected != Malformed || is_long), "{rejected}: {}", payload.escape_ascii());
        }
    }
}

/// The bytes as the footer of an authentic token: they name a key of ours or none.
fn footer(footer: &[u8]) {
    let Ok(token) = LocalToken::encrypt(&KEY_OF_LOCAL, PAYLOAD.as_bytes(), Some(footer), None) else { return };
    match OURS.local.verify(&token, ISSUED_UNIX_S) {
        Ok(_) => {
            let named: Value = serde_json::from_slice(footer).expect("a footer is JSON");
            let ours: Value = serde_json::from_slice(&FOOTER).expect("a footer is JSON");
            assert_eq!(named["kid"], ours["kid"], "{}", footer.escape_ascii());
        }
        Err(TokenRejected::Malformed | TokenRejected::UnknownKey) => {}
        Err(rejected) => panic!("{rejected}: {}", footer.escape_ascii()),
    }
}

static KEY_OF_LOCAL: LazyLock<SymmetricKey<V4>> =
    LazyLock::new(|| SymmetricKey::from(&[1; KEY_BYTES]).expect("has the length of a key"));

/// The footer and the claims of [`LOCAL`].
static FOOTER: LazyLock<Vec<u8>> = LazyLock::new(|| issued().untrusted_footer().to_vec());
static PAYLOAD: LazyLock<String> = LazyLock::new(|| {
    let token = LocalToken::decrypt(&KEY_OF_LOCAL, &issued(), None, None).expect("was made with the key");
    token.payload().to_owned()
});

fn issued() -> UntrustedToken<Local, V4> {
    UntrustedToken::try_from(LOCAL).expect("is a token")
}
