//! The pair of tokens that login and refresh answer with.

use super::{Rejection, Reply, user::User};
use crate::{
    account::{SessionId, UserId},
    http::status::Status,
    server::Server,
};
use std::io::Write;

/// A session, as far as its tokens need it.
pub(super) struct Grant<'g> {
    pub(super) user: &'g UserId,
    pub(super) session: &'g SessionId,
    pub(super) generation: u32,
    pub(super) seed: &'g [u8; 16],
}

/// The reply with both tokens, and with the user where there is one to show.
pub(super) fn reply(server: &Server, grant: &Grant<'_>, user: Option<&User<'_>>) -> Result<Reply, Rejection> {
    let jti = server.random().bytes().map_err(|_| Rejection::Internal)?;
    let access = server.access_tokens().issue(grant.user, grant.session, server.unix_seconds(), jti);
    let access = access.map_err(|_| Rejection::Internal)?;
    let refresh = server.refresh_tokens().issue(grant.session, grant.generation, grant.seed);
    let mut body = Vec::with_capacity(512 + access.len() + refresh.len());
    let expires_in = server.access_tokens().lifetime_s();
    // Both tokens are made of characters that JSON takes as they are.
    write!(
        body,
        "{{\"access_token\":\"{access}\",\"refresh_token\":\"{refresh}\",\"token_type\":\"Bearer\",\"expires_in\":{expires_in}"
    )
    .expect("memory takes what is written to it");
    if let Some(user) = user {
        body.extend_from_slice(b",\"user\":");
        user.write(&mut body);
    }
    body.push(b'}');
    Ok(Reply::json(Status::Ok, body))
}
