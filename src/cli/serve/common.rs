//! What all shards of a server share: everything that is made of keys, and the count of attempts.

use crate::{
    account::RoutingKey,
    cli::CliError,
    config,
    hardening::Peppers,
    keys::Keys,
    rate_limit::{HASH_KEY_BYTES, RateLimiter, RateLimits},
    server::Common,
    telemetry::Registry,
    tokens::{AccessConfig, AccessMode, AccessTokens, RefreshTokens},
};
use std::{sync::Arc, time::Instant};
use zeroize::Zeroizing;

pub(super) fn common(
    config: &config::Config,
    keys: &Keys,
    routing_key: &[u8; 32],
    registry: Arc<Registry>,
) -> Result<Common, CliError> {
    let failed = |error: &dyn std::error::Error| CliError::failed(error);
    let mut hash_key = [0; HASH_KEY_BYTES];
    getrandom::fill(&mut hash_key).map_err(|error| failed(&error))?;
    let config::Tokens { mode, issuer, audience, symmetric_key, access_duration, .. } = &config.tokens;
    let access = AccessConfig {
        mode: match mode {
            config::TokenMode::Local => AccessMode::Local,
            config::TokenMode::Public => AccessMode::Public,
        },
        issuer: issuer.clone(),
        audience: audience.clone(),
        lifetime: *access_duration,
        legacy_key: symmetric_key.as_ref().map(|key| Zeroizing::new(*key.expose())),
    };
    Ok(Common {
        peppers: Peppers::new(keys).map_err(|error| failed(&error))?,
        routing_key: RoutingKey::new(routing_key),
        access_tokens: AccessTokens::new(keys, access).map_err(|error| failed(&error))?,
        refresh_tokens: RefreshTokens::new(keys).map_err(|error| failed(&error))?,
        rate_limiter: RateLimiter::new(limits(&config.limits), &hash_key),
        started: Instant::now(),
        registry,
    })
}

fn limits(config: &config::Limits) -> RateLimits {
    RateLimits {
        login_failures_per_account: config.login_failures_per_account,
        login_failures_per_address: config.login_failures_per_address,
        registrations_per_address: config.registrations_per_address,
    }
}
