//! Checks between settings, once each is right for itself. Never changes a value.

use super::Config;
use super::ProxyProtocol;
use super::error::Problem;
use super::provenance::Provenance;

/// Room in a body for everything but the password: braces, names, an email, a username.
const BODY_BYTES_BESIDE_PASSWORD: usize = 1_024;

/// A code point takes at most this many bytes in UTF-8 (RFC 3629 section 3).
const CODE_POINT_BYTES_MAX: usize = 4;

/// Argon2 divides its memory into blocks of 1 KiB, and wants 8 of them for each lane (RFC 9106 section 3.1).
const LANE_BYTES_MIN: usize = 8 << 10;

/// The grace is for replies that got lost: a larger share of a session's life would keep old tokens alive.
const GRACES_IN_IDLE_MIN: u32 = 10;

/// A record that has just been missed is found by the next look, and by one more when whoever claimed it is gone.
const LOOKS_IN_WEAK_AGE_MIN: u32 = 4;

pub(super) fn check(config: &Config, provenance: &Provenance) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut require = |holds: bool, left: &str, must: &str, right: &str| {
        if !holds {
            let named = |key: &str| provenance.describe(key);
            problems.push(Problem::new(format!("{} {must} {}", named(left), named(right))));
        }
    };
    let passwords = &config.passwords;
    require(
        passwords.min_chars <= passwords.max_chars,
        "passwords.min_chars",
        "must not be more than",
        "passwords.max_chars",
    );
    require(
        passwords.max_chars * CODE_POINT_BYTES_MAX + BODY_BYTES_BESIDE_PASSWORD <= config.server.body_bytes_max,
        "server.body_bytes_max",
        "must have room for 4 bytes a character, and 1KiB more, of",
        "passwords.max_chars",
    );
    require(
        config.registration.batch_size <= config.registration.queue_max,
        "registration.batch_size",
        "must not be more than",
        "registration.queue_max",
    );
    require(
        config.registration.batch_wait < config.database.deadline,
        "registration.batch_wait",
        "must be less than",
        "database.deadline",
    );
    let hardening = &config.hardening;
    require(
        hardening.memory.is_none_or(|memory| memory >= hardening.lanes.unwrap_or(1) * LANE_BYTES_MIN),
        "hardening.memory",
        "must have 8KiB at least for each of",
        "hardening.lanes",
    );
    require(
        hardening.worker_interval * LOOKS_IN_WEAK_AGE_MIN <= hardening.weak_age_max,
        "hardening.worker_interval",
        "must not be more than a quarter of",
        "hardening.weak_age_max",
    );
    let tokens = &config.tokens;
    require(
        tokens.access_duration < tokens.refresh_idle,
        "tokens.access_duration",
        "must be less than",
        "tokens.refresh_idle",
    );
    require(
        tokens.refresh_idle <= tokens.refresh_absolute,
        "tokens.refresh_idle",
        "must not be more than",
        "tokens.refresh_absolute",
    );
    require(
        tokens.refresh_grace * GRACES_IN_IDLE_MIN <= tokens.refresh_idle,
        "tokens.refresh_grace",
        "must not be more than a tenth of",
        "tokens.refresh_idle",
    );
    let metrics = config.metrics.address.as_ref();
    let clashes = metrics.is_some_and(|address| address.clashes_with(&config.server.address));
    require(!clashes, "metrics.address", "must not take the port of", "server.address");
    if clashes && let Some(problem) = problems.last_mut() {
        problem.hint = Some("give --metrics-address another port, or turn it off".to_owned());
    }
    let server = &config.server;
    if server.proxy_protocol == ProxyProtocol::Required && server.trusted_proxies.is_empty() {
        let [required, none] = ["server.proxy_protocol", "server.trusted_proxies"].map(|key| provenance.describe(key));
        let problem = Problem::new(format!("{required} believes the headers of trusted proxies only: {none}"));
        problems.push(problem.hint("give server.trusted_proxies the addresses that your proxies connect from"));
    }
    if server.tls_certificate.is_some() != server.tls_key.is_some() {
        let [certificate, key] = ["server.tls_certificate", "server.tls_key"].map(|key| provenance.describe(key));
        let problem = Problem::new(format!("{certificate} and {key} go together: one of them is missing"));
        problems.push(problem.hint("give both for TLS, or neither for plain HTTP"));
    }
    problems
}
