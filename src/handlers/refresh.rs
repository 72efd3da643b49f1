//! `POST /auth/refresh`: a refresh token for its successor and a new access token. A token that was replaced already is
//! taken for a lost reply within the grace, and for theft afterwards: theft ends the session.

use super::{
    Rejection, Reply, Request, ask,
    authenticated::may_enter,
    fields::refused,
    json,
    rejection::{Field, FieldProblem},
    tokens::{self, Grant},
};
use crate::{
    account::UserId,
    limits::ROTATIONS_RACED_MAX,
    postgres::statements::{
        end_session,
        find_refresh::Stored,
        rotate_session::{self, Rotated},
    },
    server::Server,
    telemetry::SecurityEventKind,
    tokens::{RefreshDecision, RefreshToken, SEED_BYTES, decide},
};

pub(super) async fn handle(server: &Server, request: Request<'_>) -> Result<Reply, Rejection> {
    let [sent] = json::read(request, ["refresh_token"])?;
    let missing = || refused([(Field::RefreshToken, Some(FieldProblem::Missing))]);
    let sent = sent.ok_or_else(missing)?;
    let token = RefreshToken::parse(&sent).map_err(|_| Rejection::RefreshTokenInvalid)?;
    if !server.refresh_tokens().issued(&token) {
        return Err(Rejection::RefreshTokenInvalid);
    }
    let policy = server.policy();
    let grace_ms = i64::try_from(policy.refresh_grace.as_millis()).unwrap_or(i64::MAX);
    for _ in 0..ROTATIONS_RACED_MAX {
        // Nearly always it is the present token, and this is all.
        if let Some(Rotated { user, seed }) =
            ask(request, &server.statements().rotate_session, rotation(server, request, &token)).await?
        {
            return grant(server, &token, &user, &seed, token.generation() + 1);
        }
        let stored = ask(request, &server.statements().find_refresh, *token.session()).await?;
        // Whoever has a key but no token of this session learns nothing of it, not even that it exists.
        let stored = stored.filter(|stored| token.proves(&stored.seed)).ok_or(Rejection::RefreshTokenInvalid)?;
        match decide(token.generation(), stored.generation, stored.rotated_ms_ago.cast_signed(), grace_ms) {
            // Either the user is shut out, or was until a moment ago.
            RefreshDecision::Rotate => may_enter(stored.status, policy.pending_may_log_in)?,
            RefreshDecision::SameSuccessor => {
                may_enter(stored.status, policy.pending_may_log_in)?;
                return grant(server, &token, &stored.user, &stored.seed, stored.generation);
            }
            RefreshDecision::Theft => return Err(revoke(server, request, &token, &stored).await?),
            RefreshDecision::NotIssued => return Err(Rejection::RefreshTokenInvalid),
        }
    }
    Err(Rejection::CredentialChanging)
}

fn rotation(server: &Server, request: Request<'_>, token: &RefreshToken) -> rotate_session::Item {
    let policy = server.policy();
    rotate_session::Item {
        session: *token.session(),
        generation: token.generation(),
        proof: *token.proof(),
        pending_may: policy.pending_may_log_in,
        ip: request.known_client(),
        user_agent: request.user_agent(),
        idle: policy.sessions.idle,
        absolute: policy.sessions.absolute,
    }
}

fn grant(
    server: &Server,
    token: &RefreshToken,
    user: &UserId,
    seed: &[u8; SEED_BYTES],
    generation: u32,
) -> Result<Reply, Rejection> {
    tokens::reply(server, &Grant { user, session: token.session(), generation, seed }, None)
}

/// Ends the session of a token that came back too late; the answer is an error, the end is committed all the same.
async fn revoke(
    server: &Server,
    request: Request<'_>,
    token: &RefreshToken,
    stored: &Stored,
) -> Result<Rejection, Rejection> {
    let session = *token.session();
    let end = end_session::Item { current: session, user: stored.user, target: session };
    ask(request, &server.statements().end_session, end).await?;
    let event = request.event(SecurityEventKind::RefreshReused).user(&stored.user).session(&session);
    server.record(&event);
    Ok(Rejection::RefreshTokenReused)
}
