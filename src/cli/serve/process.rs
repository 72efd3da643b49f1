//! What all shards of a server share: everything that is made of keys, and the count of attempts.

use crate::{
    account::RoutingKey,
    cli::CliError,
    config,
    hardening::Peppers,
    keys::Keys,
    rate_limit::{ConnectionLimit, RateLimiter, RateLimits},
    server::Process,
    telemetry::{Registry, Traces},
    tls::Certificates,
    tokens::{AccessConfig, AccessMode, AccessTokens, RefreshTokens},
};
use std::{sync::Arc, time::Instant};
use zeroize::Zeroizing;

pub(super) fn process(
    config: &config::Config,
    keys: &Keys,
    routing_key: &[u8; 32],
    tls: Option<Arc<Certificates>>,
    registry: Arc<Registry>,
    traces: Option<Traces>,
) -> Result<Process, CliError> {
    let failed = |error: &dyn std::error::Error| CliError::failed(error);
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
    Ok(Process {
        peppers: Peppers::new(keys).map_err(|error| failed(&error))?,
        routing_key: RoutingKey::new(routing_key),
        access_tokens: AccessTokens::new(keys, access).map_err(|error| failed(&error))?,
        refresh_tokens: RefreshTokens::new(keys).map_err(|error| failed(&error))?,
        rate_limiter: RateLimiter::keyed_at_random(limits(&config.limits)).map_err(|error| failed(&error))?,
        connection_limit: connection_limit(&config.server)?,
        tls,
        started: Instant::now(),
        registry,
        traces,
    })
}

fn limits(config: &config::Limits) -> RateLimits {
    RateLimits {
        login_failures_per_account: config.login_failures_per_account,
        login_failures_per_address: config.login_failures_per_address,
        registrations_per_address: config.registrations_per_address,
    }
}

fn connection_limit(config: &config::Server) -> Result<Option<ConnectionLimit>, CliError> {
    let config::Server { connections_max, connections_per_address_max, .. } = *config;
    let limit = || ConnectionLimit::keyed_at_random(connections_per_address_max, connections_max);
    (connections_per_address_max > 0).then(limit).transpose().map_err(|error| CliError::failed(&error))
}
