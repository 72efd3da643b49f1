//! What a token costs the shard that makes or checks it. Each request with a bearer token checks one: that is to stay a
//! small part of the 10 us that the kernel takes for the same request.

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use jeday::account::{SessionId, UserId};
use jeday::keys::{KeyKind, Keys};
use jeday::tokens::{AccessConfig, AccessMode, AccessTokens, RefreshToken, RefreshTokens};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const OLDER_KEY: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
const NOW: i64 = 1_738_324_800;

fn keys(kind: KeyKind) -> Keys {
    Keys::from_value(kind, &format!("{KEY},{OLDER_KEY}")).expect("the keys are well-formed")
}

fn access(mode: AccessMode, kind: KeyKind) -> AccessTokens {
    let config = AccessConfig {
        mode,
        issuer: "https://auth.example.org".into(),
        audience: "https://api.example.org".into(),
        lifetime: Duration::from_secs(900),
        legacy_key: None,
    };
    AccessTokens::new(&keys(kind), config).expect("there is a key")
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let user: UserId = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f".parse().expect("the id is well-formed");
    let session: SessionId = "017f22e2-79b1-7cc3-98c4-dc0c0c07398f".parse().expect("the id is well-formed");

    for (name, mode, kind) in
        [("local", AccessMode::Local, KeyKind::TokenLocal), ("public", AccessMode::Public, KeyKind::TokenPublic)]
    {
        let tokens = access(mode, kind);
        let token = tokens.issue(&user, &session, NOW, [9; 16]).expect("the system has random bytes");
        let altered = token.replacen("A", "B", 1);
        criterion.bench_function(&format!("issue, {name}"), |b| {
            b.iter(|| tokens.issue(black_box(&user), black_box(&session), black_box(NOW), [9; 16]));
        });
        criterion.bench_function(&format!("verify, {name}"), |b| {
            b.iter(|| tokens.verify(black_box(&token), black_box(NOW)).expect("the token is right"));
        });
        criterion.bench_function(&format!("reject what was altered, {name}"), |b| {
            b.iter(|| tokens.verify(black_box(&altered), black_box(NOW)).expect_err("the token is wrong"));
        });
    }

    let tokens = RefreshTokens::new(&keys(KeyKind::Refresh)).expect("there is a key");
    let text = tokens.issue(&session, 7, &[1; 16]);
    criterion.bench_function("refresh: issue", |b| {
        b.iter(|| tokens.issue(black_box(&session), black_box(7), black_box(&[1; 16])));
    });
    criterion.bench_function("refresh: parse", |b| b.iter(|| RefreshToken::parse(black_box(&text)).is_ok()));
    criterion.bench_function("refresh: check", |b| {
        let token = RefreshToken::parse(&text).expect("the token is well-formed");
        b.iter(|| tokens.issued(black_box(&token)));
    });
    criterion.final_summary();
}
