//! `GET /.well-known/paseto-keys`: the keys that access tokens in public mode are checked with, as PASERK.

use super::Reply;
use crate::{http::status::Status, server::Server};

/// No key in local mode: those are secret.
pub(super) fn document(server: &Server) -> Reply {
    Reply::json(Status::Ok, server.access_tokens().published_keys().as_bytes().to_vec())
}
