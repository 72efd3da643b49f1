//! `POST /auth/logout-all`: ends every session of the access token's user.

use super::{Rejection, Reply, Request, ask, authenticated::claims};
use crate::{
    postgres::statements::end_all_sessions::{AllEnded, Item},
    server::Server,
    telemetry::SecurityEventKind,
};

pub(super) async fn handle(server: &Server, request: Request<'_>) -> Result<Reply, Rejection> {
    let claims = claims(server, request)?;
    let all = Item { current: claims.session, user: claims.user };
    let count = match ask(request, &server.statements().end_all_sessions, all).await? {
        AllEnded::Ended(count) => count,
        AllEnded::NotAuthenticated => return Err(Rejection::SessionEnded),
    };
    let event = request.event(SecurityEventKind::SessionsEnded).user(&claims.user).count(count.into());
    server.record(&event.reason("logout_all"));
    Ok(Reply::no_content())
}
