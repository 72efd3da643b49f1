//! `GET /metrics`: the Prometheus page, merged over all shards. Served on the operator's address only.

use crate::{handlers::Reply, http::field::FieldValue, http::status::Status, server::Server, telemetry};

/// The page, made on a helper thread: merging many shards takes longer than a request should hold one up.
pub(super) async fn page(server: &Server) -> Reply {
    let registry = server.registry().clone();
    let page = shards::blocking(move || registry.render()).await;
    Reply {
        content_type: Some(const { FieldValue::from_static(telemetry::CONTENT_TYPE) }),
        ..Reply::json(Status::Ok, page.into_bytes())
    }
}
