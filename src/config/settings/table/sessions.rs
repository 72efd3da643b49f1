//! Tokens, who may log in, and how often one may be wrong.

use super::super::{Fallback, Kind, Setting};
use super::{FIRST, seconds};
use crate::config::TokenMode;
use std::time::Duration;

/// Longer than any URL that names an issuer; the token carries it in every request.
const CLAIM_BYTES_MAX: usize = 255;

/// Ten years: what is to last longer is no session.
const SESSION_MAX: Duration = seconds(3_650 * 86_400);

pub(super) const SESSIONS: &[Setting] = &[
    Setting {
        key: "tokens.mode",
        variables: &["TOKEN_MODE"],
        flag: None,
        kind: Kind::Word("local or public", |config, text| {
            config.tokens.mode = TokenMode::parse(text)?;
            Some(config.tokens.mode.name())
        }),
        default: Fallback::Value("local"),
        tuning: false,
        since: FIRST,
        help: "Access tokens that only Jeday reads (PASETO v4.local), or that whoever has the published key can check (v4.public).",
    },
    Setting {
        key: "tokens.issuer",
        variables: &["TOKEN_ISSUER"],
        flag: None,
        kind: Kind::Text(|config| &mut config.tokens.issuer, CLAIM_BYTES_MAX),
        default: Fallback::Value("jeday"),
        tuning: false,
        since: FIRST,
        help: "The claim iss of access tokens: who issued them.",
    },
    Setting {
        key: "tokens.audience",
        variables: &["TOKEN_AUDIENCE"],
        flag: None,
        kind: Kind::Text(|config| &mut config.tokens.audience, CLAIM_BYTES_MAX),
        default: Fallback::Value("jeday"),
        tuning: false,
        since: FIRST,
        help: "The claim aud of access tokens: whom they are for.",
    },
    Setting {
        key: "tokens.symmetric_key",
        variables: &["TOKEN_SYMMETRIC_KEY"],
        flag: None,
        kind: Kind::Key(|config| &mut config.tokens.symmetric_key),
        default: Fallback::Unset("the keys file is used"),
        tuning: false,
        since: FIRST,
        help: "The Go version's key for access tokens, taken over as it stands.",
    },
    Setting {
        key: "tokens.access_duration",
        variables: &["ACCESS_TOKEN_DURATION"],
        flag: None,
        kind: Kind::Time(|config| &mut config.tokens.access_duration, seconds(10)..=seconds(30 * 86_400)),
        default: Fallback::Value("15m"),
        tuning: false,
        since: FIRST,
        help: "Time from an access token's issue to its expiry.",
    },
    Setting {
        key: "tokens.refresh_idle",
        variables: &[],
        flag: None,
        kind: Kind::Time(|config| &mut config.tokens.refresh_idle, seconds(300)..=SESSION_MAX),
        default: Fallback::Value("30d"),
        tuning: false,
        since: FIRST,
        help: "A session ends when it has not been refreshed for this time.",
    },
    Setting {
        key: "tokens.refresh_absolute",
        variables: &[],
        flag: None,
        kind: Kind::Time(|config| &mut config.tokens.refresh_absolute, seconds(300)..=SESSION_MAX),
        default: Fallback::Value("180d"),
        tuning: false,
        since: FIRST,
        help: "A session ends this time after its login, however often it is refreshed.",
    },
    Setting {
        key: "tokens.refresh_grace",
        variables: &[],
        flag: None,
        // Within it a stolen token works as well as a lost one: longer than a minute nobody retries.
        kind: Kind::Time(|config| &mut config.tokens.refresh_grace, Duration::ZERO..=seconds(60)),
        default: Fallback::Value("10s"),
        tuning: false,
        since: FIRST,
        help: "Time for which the refresh token before the current one still gets the current one, so that a lost reply or a second tab logs nobody out.",
    },
    Setting {
        key: "tokens.sessions_per_user",
        variables: &[],
        flag: None,
        kind: Kind::Count(|config| &mut config.tokens.sessions_per_user, 1..=1_000),
        default: Fallback::Value("20"),
        tuning: false,
        since: FIRST,
        help: "Sessions of one user at most; the oldest ends when another begins.",
    },
    Setting {
        key: "login.allow_pending",
        variables: &[],
        flag: None,
        kind: Kind::Switch(|config| &mut config.login.allow_pending),
        default: Fallback::Value("true"),
        tuning: false,
        since: FIRST,
        help: "Whether users whose status is still pending may log in.",
    },
    Setting {
        key: "limits.login_failures_per_account",
        variables: &[],
        flag: None,
        kind: Kind::Count(|config| &mut config.limits.login_failures_per_account, 0..=1_000),
        default: Fallback::Value("10"),
        tuning: false,
        since: FIRST,
        help: "Wrong passwords for one account that are answered at once; each further one only after a delay that grows. 0 sets no limit.",
    },
    Setting {
        key: "limits.login_failures_per_address",
        variables: &[],
        flag: None,
        kind: Kind::Count(|config| &mut config.limits.login_failures_per_address, 0..=10_000),
        default: Fallback::Value("100"),
        tuning: false,
        since: FIRST,
        help: "Wrong passwords from one address (in IPv6 one /64) that are answered at once; each further one only after a delay that grows. 0 sets no limit.",
    },
    Setting {
        key: "limits.registrations_per_address",
        variables: &[],
        flag: None,
        kind: Kind::Count(|config| &mut config.limits.registrations_per_address, 0..=3_600),
        default: Fallback::Value("0"),
        tuning: false,
        since: FIRST,
        help: "Registrations from one address (in IPv6 one /64) in an hour. 0 sets no limit.",
    },
];
