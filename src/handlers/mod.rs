//! One endpoint, one file. A handler gets a request that is complete and gives a reply; it knows no socket.

mod authenticated;
mod dashboard;
mod fields;
mod health;
pub mod json;
mod login;
mod logout;
mod logout_all;
mod me;
mod metrics;
mod openapi;
mod paseto_keys;
mod preflight;
mod profile;
mod refresh;
pub mod register;
pub mod rejection;
mod reply;
mod session;
mod sessions;
mod tokens;
mod user;

pub use preflight::preflight;
pub use rejection::Rejection;
pub use reply::Reply;

use crate::{
    batch::Intake,
    http::head::Head,
    limits::USER_AGENT_CHARS_MAX,
    routes::Endpoint,
    server::Server,
    telemetry::{Part, RequestTrace, SecurityEvent, SecurityEventKind},
};
use std::net::IpAddr;

/// A complete request.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// Its head.
    pub head: &'r Head<'r>,
    /// Its body, decoded; empty when there is none.
    pub body: &'r [u8],
    /// The address it comes from; unspecified when the client had gone before it was asked for.
    pub client: IpAddr,
    /// The trace it belongs to.
    pub trace: &'r RequestTrace,
}

impl Request<'_> {
    /// What the client says it is, as far as a session keeps it. Bytes that are no text are replaced.
    fn user_agent(&self) -> Option<Box<str>> {
        let sent = String::from_utf8_lossy(self.head.user_agent?);
        let kept: String = sent.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS_MAX).collect();
        (!kept.is_empty()).then(|| kept.into())
    }

    /// A security event that this request has brought about.
    fn event<'e>(&self, kind: SecurityEventKind) -> SecurityEvent<'e> {
        SecurityEvent::new(kind).address(self.client).trace(self.trace.ids())
    }

    /// The address as a session keeps it.
    fn known_client(&self) -> Option<IpAddr> {
        Some(self.client).filter(|address| !address.is_unspecified())
    }
}

/// Lets the endpoint's handler answer.
pub async fn handle(server: &Server, endpoint: Endpoint, request: Request<'_>) -> Reply {
    let outcome = match endpoint {
        Endpoint::Register => register::handle(server, request).await,
        Endpoint::Login => login::handle(server, request).await,
        Endpoint::Refresh => refresh::handle(server, request).await,
        Endpoint::Logout => logout::handle(server, request).await,
        Endpoint::LogoutAll => logout_all::handle(server, request).await,
        Endpoint::Me => me::handle(server, request).await,
        Endpoint::Sessions => sessions::handle(server, request).await,
        Endpoint::Session => session::handle(server, request).await,
        Endpoint::PasetoKeys => Ok(paseto_keys::document(server)),
        Endpoint::HealthLive => Ok(health::live()),
        Endpoint::HealthReady | Endpoint::Health => Ok(health::ready(server)),
        Endpoint::OpenApi => Ok(openapi::document()),
        Endpoint::Metrics => Ok(metrics::page(server).await),
        Endpoint::Dashboard => Ok(dashboard::page()),
        Endpoint::Profile => profile::take(server, request).await,
    };
    outcome.unwrap_or_else(|rejection| rejection.into())
}

/// Puts an item into a statement's queue and waits for its outcome.
async fn ask<I, O>(request: Request<'_>, statement: &Intake<I, O>, item: I) -> Result<O, Rejection> {
    let answer = statement.submit(item).map_err(|_| Rejection::QueueFull)?;
    Ok(request.trace.timed(Part::Statement(statement.name()), answer).await?)
}
