//! Access tokens and refresh tokens: how they are made, read and judged. Knows no HTTP, no table and no clock: times
//! are arguments. Stores nothing, and never tells more about a token that it refuses than the class of what is wrong.

mod claims;
mod keyring;
pub mod paseto;
pub mod refresh;
pub mod rejected;
pub mod rotation;

pub use claims::{Claims, TOKEN_ID_BYTES};
pub use paseto::{AccessConfig, AccessConfigError, AccessMode, AccessTokens, IssueError};
pub use refresh::{NoRefreshKey, RefreshToken, RefreshTokenError, RefreshTokens, SEED_BYTES};
pub use rejected::TokenRejected;
pub use rotation::{RefreshDecision, decide};

#[cfg(test)]
mod vectors;
