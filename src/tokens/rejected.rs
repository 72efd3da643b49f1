//! Why an access token is not accepted. Never holds any part of the token.

use thiserror::Error;

/// The class of what is wrong with an access token. Each is `invalid_token` by RFC 6750 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{}", self.description())]
pub enum TokenRejected {
    /// Not a PASETO of ours by its form, or longer than any.
    Malformed,
    /// A PASETO of another version than 4.
    Version,
    /// A local token where public ones are in use, or the other way round.
    Purpose,
    /// Made with a key that is not among ours.
    UnknownKey,
    /// Not what was made with the key that it names.
    Tampered,
    /// Made by another issuer.
    Issuer,
    /// Made for another audience.
    Audience,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Authentic, but the claims are not those of an access token.
    Claims,
}

impl TokenRejected {
    /// Every class.
    pub const ALL: [Self; 10] = [
        Self::Malformed,
        Self::Version,
        Self::Purpose,
        Self::UnknownKey,
        Self::Tampered,
        Self::Issuer,
        Self::Audience,
        Self::Expired,
        Self::NotYetValid,
        Self::Claims,
    ];

    /// What `error_description` says beside `error="invalid_token"` in `WWW-Authenticate`. Needs no escaping there.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Malformed => "the access token is malformed",
            Self::Version => "the access token is of another PASETO version than v4",
            Self::Purpose => "the access token is of another PASETO purpose",
            Self::UnknownKey => "the access token was made with an unknown key",
            Self::Tampered => "the access token was altered",
            Self::Issuer => "the access token is of another issuer",
            Self::Audience => "the access token is for another audience",
            Self::Expired => "the access token has expired",
            Self::NotYetValid => "the access token is not valid yet",
            Self::Claims => "the access token has other claims than expected",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    // RFC 6750 section 3: %x20-21 / %x23-5B / %x5D-7E.
    #[test]
    fn descriptions_fit_a_header_and_tell_the_classes_apart() {
        let descriptions: HashSet<_> = TokenRejected::ALL.map(TokenRejected::description).into();
        assert_eq!(descriptions.len(), TokenRejected::ALL.len());
        for description in descriptions {
            assert!(description.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)));
        }
    }
}
