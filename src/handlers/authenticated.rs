//! Who asks: the bearer token of a request (RFC 6750 section 2.1), checked without the database. Whether its session
//! lives still is for each endpoint's own statement to say.

use super::{Rejection, Request};
use crate::{
    account::Status,
    http::bearer::{self, BearerError},
    server::Server,
    tokens::{Claims, TokenRejected},
};

/// The claims of the request's token.
pub(super) fn claims(server: &Server, request: Request<'_>) -> Result<Claims, Rejection> {
    let token = bearer::token(request.head.authorization).map_err(|error| match error {
        BearerError::Missing => Rejection::TokenMissing,
        BearerError::Malformed => Rejection::Token(TokenRejected::Malformed),
    })?;
    server.access_tokens().verify(token, server.unix_seconds()).map_err(Rejection::Token)
}

/// Lets only those in that may use their account. `pending_may`: whether those that have confirmed nothing yet may.
pub(super) fn may_enter(status: Status, pending_may: bool) -> Result<(), Rejection> {
    match status {
        Status::Active => Ok(()),
        Status::Pending if pending_may => Ok(()),
        Status::Pending => Err(Rejection::AccountPending),
        Status::Blocked => Err(Rejection::AccountBlocked),
        Status::Deleted => Err(Rejection::AccountDeleted),
    }
}
