//! `GET /auth/me`: the user of an access token whose session lives and whose account may be used, as of now.

use super::{
    Rejection, Reply, Request, ask,
    authenticated::{claims, may_enter},
    user::User,
};
use crate::{http::status::Status, postgres::statements::find_session, server::Server};

pub(super) async fn handle(server: &Server, request: Request<'_>) -> Result<Reply, Rejection> {
    let claims = claims(server, request)?;
    let holder = find_session::Item { session: claims.session, user: claims.user };
    let owner = ask(request, &server.statements().find_session, holder).await?.ok_or(Rejection::SessionEnded)?;
    may_enter(owner.status, server.policy().pending_may_log_in)?;
    let user = User { id: &claims.user, email: &owner.email, username: &owner.username, status: owner.status };
    Ok(Reply::json(Status::Ok, user.to_json()))
}
