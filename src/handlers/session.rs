//! `DELETE /auth/sessions/{id}`: ends one session of the access token's user, also the present one.

use super::{Rejection, Reply, Request, ask, authenticated::claims};
use crate::{
    account::SessionId,
    http::path,
    postgres::statements::end_session::{Ended, Item},
    server::Server,
    telemetry::SecurityEventKind,
};

pub(super) async fn handle(server: &Server, request: Request<'_>) -> Result<Reply, Rejection> {
    let claims = claims(server, request)?;
    let path = path::canonical(request.head.target.path);
    let id = path.rsplit('/').next().and_then(|id| id.parse::<SessionId>().ok());
    let target = id.ok_or(Rejection::SessionNotFound)?;
    let end = Item { current: claims.session, user: claims.user, target };
    match ask(request, &server.statements().end_session, end).await? {
        Ended::Ended => {}
        Ended::NoSuchSession => return Err(Rejection::SessionNotFound),
        Ended::NotAuthenticated => return Err(Rejection::SessionEnded),
    }
    let event = request.event(SecurityEventKind::SessionEnded).user(&claims.user).session(&target);
    server.record(&event.reason("ended_by_user"));
    Ok(Reply::no_content())
}
