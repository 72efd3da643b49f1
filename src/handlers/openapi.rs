//! `GET /openapi.json`: the description of this API, as it stands in `openapi.json`.

use crate::{handlers::Reply, http::status::Status};

/// OpenAPI 3.1; a test compares its paths and methods with the route table.
pub(super) const DOCUMENT: &str = include_str!("../../openapi.json");

pub(super) fn document() -> Reply {
    Reply::json(Status::Ok, DOCUMENT.as_bytes())
}
