//! Access tokens: PASETO version 4, local (encrypted) or public (signed), without an implicit assertion. The footer
//! names the key by its PASERK id. Never accepts another version or purpose, whatever a token says of itself.

use std::time::Duration;

use pasetors::errors::Error;
use pasetors::keys::SymmetricKey;
use pasetors::token::{Local, Public, UntrustedToken};
use pasetors::version4::{LocalToken, PublicToken, V4};
use thiserror::Error;
use zeroize::Zeroizing;

use super::TokenRejected;
use super::claims::{Claims, Names, TOKEN_ID_BYTES};
use super::keyring::{self, Keyring, SigningKey};
use crate::account::{SessionId, UserId};
use crate::keys::{KEY_BYTES, Key, KeyId, KeyKind, Keys};
use crate::limits::{ACCESS_TOKEN_BYTES_MAX, TOKEN_NAME_BYTES_MAX};

/// Which kind of access token is made and accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// Encrypted: only Jeday can read and check it.
    Local,
    /// Signed: everybody can read it, and check it with the published keys.
    Public,
}

/// How access tokens are made. Has no `Debug`, because it holds a key.
#[derive(Clone)]
pub struct AccessConfig {
    /// The kind of token.
    pub mode: AccessMode,
    /// Who issues it (`iss`): 1 to [`TOKEN_NAME_BYTES_MAX`] bytes without control characters.
    pub issuer: String,
    /// Whom it is for (`aud`), likewise.
    pub audience: String,
    /// Time from its issue to its expiry, in whole seconds.
    pub lifetime: Duration,
    /// A key of the Go version: one more for local tokens, in use where the key file has none. No part in public mode.
    pub legacy_key: Option<Zeroizing<[u8; KEY_BYTES]>>,
}

/// Why there can be no access tokens with this configuration and these keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AccessConfigError {
    /// No key encrypts.
    #[error("there is no key for access tokens: `jeday keygen --rotate token-local` adds one to the key file")]
    NoLocalKey,
    /// No key signs.
    #[error("there is no key for public access tokens: `jeday keygen --rotate token-public` adds one to the key file")]
    NoPublicKey,
    /// A key that everybody can guess.
    #[error("the key {0} for public access tokens is all zeros: `jeday keygen` makes real ones")]
    ZeroKey(KeyId),
    /// The name of the issuer or of the audience.
    #[error(
        "the issuer and the audience of access tokens have 1 to {TOKEN_NAME_BYTES_MAX} bytes without control characters"
    )]
    Name,
}

/// A token could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no access token could be made: the system's random source failed")]
pub struct IssueError;

/// Makes and checks access tokens. Immutable: shards may share one or have a copy each.
#[derive(Clone)]
pub struct AccessTokens {
    keys: PurposeKeys,
    names: Names,
    lifetime_s: i64,
    published: String,
}

#[derive(Clone)]
enum PurposeKeys {
    Local(Keyring<SymmetricKey<V4>>),
    Public(Keyring<SigningKey>),
}

impl AccessTokens {
    /// Prepares the keys.
    ///
    /// # Errors
    /// When there is no key for the mode, or a name cannot stand in a token; with what to do.
    pub fn new(keys: &Keys, config: AccessConfig) -> Result<Self, AccessConfigError> {
        for name in [&config.issuer, &config.audience] {
            if name.is_empty() || name.len() > TOKEN_NAME_BYTES_MAX || name.contains(char::is_control) {
                return Err(AccessConfigError::Name);
            }
        }
        let (keys, published) = match config.mode {
            AccessMode::Local => {
                let secrets = keys.of(KeyKind::TokenLocal).map(Key::secret).chain(config.legacy_key.as_deref());
                let ring = Keyring::new(secrets.map(keyring::local_key)).ok_or(AccessConfigError::NoLocalKey)?;
                (PurposeKeys::Local(ring), "{\"keys\":[]}".to_owned())
            }
            AccessMode::Public => {
                let pairs: Vec<_> = keys
                    .of(KeyKind::TokenPublic)
                    .map(|key| keyring::signing_key(key.secret()).ok_or(AccessConfigError::ZeroKey(key.id())))
                    .collect::<Result<_, _>>()?;
                let ring = Keyring::new(pairs).ok_or(AccessConfigError::NoPublicKey)?;
                let published = ring.published();
                (PurposeKeys::Public(ring), published)
            }
        };
        let lifetime_s = i64::try_from(config.lifetime.as_secs()).unwrap_or(i64::MAX);
        Ok(Self { keys, names: Names::new(config.issuer, config.audience), lifetime_s, published })
    }

    /// Makes a token. `id` must be fresh random bytes.
    ///
    /// # Errors
    /// When the system has no random bytes for the nonce of a local token.
    pub fn issue(
        &self,
        user: &UserId,
        session: &SessionId,
        now_unix_s: i64,
        id: [u8; TOKEN_ID_BYTES],
    ) -> Result<String, IssueError> {
        let expires_unix_s = now_unix_s.saturating_add(self.lifetime_s);
        let claims = Claims { user: *user, session: *session, issued_unix_s: now_unix_s, expires_unix_s };
        let payload = self.names.write(&claims, &id);
        let token = match &self.keys {
            PurposeKeys::Local(ring) => {
                let named = ring.in_use();
                LocalToken::encrypt(named.key(), payload.as_bytes(), Some(named.footer()), None)
            }
            PurposeKeys::Public(ring) => {
                let named = ring.in_use();
                PublicToken::sign(&named.key().secret, payload.as_bytes(), Some(named.footer()), None)
            }
        };
        // Neither the payload nor the key can be at fault: both are ours.
        token.map_err(|_| IssueError)
    }

    /// How long each token is good, in seconds.
    #[must_use]
    pub const fn lifetime_s(&self) -> i64 {
        self.lifetime_s
    }

    /// Checks a token.
    ///
    /// # Errors
    /// The class of what is wrong with it.
    pub fn verify(&self, token: &str, now_unix_s: i64) -> Result<Claims, TokenRejected> {
        if token.len() > ACCESS_TOKEN_BYTES_MAX {
            return Err(TokenRejected::Malformed);
        }
        let trusted = match &self.keys {
            PurposeKeys::Local(ring) => {
                check_header(token, LocalToken::HEADER)?;
                let token = UntrustedToken::<Local, V4>::try_from(token).map_err(|_| TokenRejected::Malformed)?;
                let named = ring.named_by(token.untrusted_footer())?;
                LocalToken::decrypt(named.key(), &token, None, None)
            }
            PurposeKeys::Public(ring) => {
                check_header(token, PublicToken::HEADER)?;
                let token = UntrustedToken::<Public, V4>::try_from(token).map_err(|_| TokenRejected::Malformed)?;
                let named = ring.named_by(token.untrusted_footer())?;
                PublicToken::verify(&named.key().public, &token, None, None)
            }
        };
        let trusted = trusted.map_err(|error| match error {
            Error::PayloadInvalidUtf8 => TokenRejected::Claims,
            _ => TokenRejected::Tampered,
        })?;
        self.names.read(trusted.payload(), now_unix_s)
    }

    /// What `GET /.well-known/paseto-keys` answers: `{"keys":[{"kid":"k4.pid...","key":"k4.public..."}]}`, none of them
    /// in local mode. A staged key is there too, so that others know it before the first token is signed with it.
    #[must_use]
    pub fn published_keys(&self) -> &str {
        &self.published
    }
}

/// Tells by `v4.local.` and the like whether a token is of the kind that is accepted.
fn check_header(token: &str, accepted: &str) -> Result<(), TokenRejected> {
    if token.starts_with(accepted) {
        return Ok(());
    }
    let mut parts = token.splitn(3, '.');
    let (Some(version), Some(purpose), Some(_)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(TokenRejected::Malformed);
    };
    let number = version.strip_prefix('v').unwrap_or_default();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) || !matches!(purpose, "local" | "public")
    {
        Err(TokenRejected::Malformed)
    } else if number == "4" {
        Err(TokenRejected::Purpose)
    } else {
        Err(TokenRejected::Version)
    }
}

#[cfg(test)]
mod tests;
