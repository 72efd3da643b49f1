//! `POST /auth/logout-all`: ends every session of the access token's user.

use super::{Rejection, Reply, Request, ask, authenticated::claims};
use crate::{
    postgres::statements::end_all_sessions::{EndAll, Ended},
    server::Server,
    telemetry::security,
};

pub(super) async fn handle(server: &Server, request: Request<'_>) -> Result<Reply, Rejection> {
    let claims = claims(server, request)?;
    let all = EndAll { current: claims.session, user: claims.user };
    match ask(&server.statements().end_all_sessions, all).await? {
        Ended::Ended(count) => security::sessions_ended(&claims.user, count, request.client),
        Ended::NotAuthenticated => return Err(Rejection::SessionEnded),
    }
    Ok(Reply::no_content())
}
