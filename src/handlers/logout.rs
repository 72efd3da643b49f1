//! `POST /auth/logout`: ends the session of the access token. Refresh and access tokens of it are worthless at once.

use super::{Rejection, Reply, Request, ask, authenticated::claims};
use crate::{
    postgres::statements::end_session::{Ended, Item},
    server::Server,
    telemetry::SecurityEventKind,
};

pub(super) async fn handle(server: &Server, request: Request<'_>) -> Result<Reply, Rejection> {
    let claims = claims(server, request)?;
    let end = Item { current: claims.session, user: claims.user, target: claims.session };
    match ask(request, &server.statements().end_session, end).await? {
        Ended::Ended => {}
        Ended::NoSuchSession | Ended::NotAuthenticated => return Err(Rejection::SessionEnded),
    }
    let event = request.event(SecurityEventKind::SessionEnded).user(&claims.user).session(&claims.session);
    server.record(&event.reason("logout"));
    Ok(Reply::no_content())
}
