//! One endpoint, one file. A handler gets a request that is complete and gives a reply; it knows no socket.

mod health;
mod json;
mod metrics;
mod openapi;
pub mod register;
pub mod rejection;
mod reply;

pub use rejection::Rejection;
pub use reply::Reply;

use crate::{http::head::Head, routes::Endpoint, server::Server};

/// A complete request.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// Its head.
    pub head: &'r Head<'r>,
    /// Its body, decoded; empty when there is none.
    pub body: &'r [u8],
}

/// Lets the endpoint's handler answer.
pub async fn handle(server: &Server, endpoint: Endpoint, request: Request<'_>) -> Reply {
    let outcome = match endpoint {
        Endpoint::Register => register::handle(server, request).await,
        Endpoint::HealthLive => Ok(health::live()),
        Endpoint::HealthReady | Endpoint::Health => Ok(health::ready(server)),
        Endpoint::OpenApi => Ok(openapi::document()),
        Endpoint::Metrics => Ok(metrics::page(server).await),
    };
    outcome.unwrap_or_else(|rejection| rejection.into())
}
