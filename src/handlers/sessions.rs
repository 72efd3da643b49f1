//! `GET /auth/sessions`: where the user of the access token is logged in, the latest first.

use super::{
    Rejection, Reply, Request, ask,
    authenticated::{claims, may_enter},
    json,
};
use crate::{
    account::SessionId,
    http::status::Status,
    postgres::statements::list_sessions::{Item, SessionRow},
    server::Server,
};
use std::io::Write;

pub(super) async fn handle(server: &Server, request: Request<'_>) -> Result<Reply, Rejection> {
    let claims = claims(server, request)?;
    let asked = Item { user: claims.user, current: claims.session };
    let listed = ask(request, &server.statements().list_sessions, asked).await?.ok_or(Rejection::SessionEnded)?;
    may_enter(listed.status, server.policy().pending_may_log_in)?;
    let mut body = b"{\"sessions\":[".to_vec();
    for (number, session) in listed.sessions.iter().enumerate() {
        if number > 0 {
            body.push(b',');
        }
        write(session, session.id == claims.session, &mut body);
    }
    body.extend_from_slice(b"]}");
    Ok(Reply::json(Status::Ok, body))
}

fn write(session: &SessionRow, is_current: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(session.id.encode(&mut [0; SessionId::TEXT_BYTES]).as_bytes());
    for (name, time) in [
        ("created_at", session.created_unix_ms),
        ("last_used_at", session.last_used_unix_ms),
        ("expires_at", session.expires_unix_ms),
    ] {
        write!(out, "\",\"{name}\":\"").expect("memory takes what is written to it");
        json::write_time(time, out);
    }
    out.extend_from_slice(b"\",\"address\":");
    match session.ip {
        Some(ip) => write!(out, "\"{ip}\"").expect("memory takes what is written to it"),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"user_agent\":");
    match &session.user_agent {
        Some(agent) => json::write_string(agent, out),
        None => out.extend_from_slice(b"null"),
    }
    write!(out, ",\"current\":{is_current}}}").expect("memory takes what is written to it");
}
