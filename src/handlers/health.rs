//! `GET /health/live`, `/health/ready`, `/health`: whether the process runs, and whether it can serve.

use crate::{
    handlers::Reply,
    http::{field::Field, status::Status},
    limits::RETRY_AFTER_S,
    server::Server,
};
use serde::Serialize;

/// The process answers, which is all that is asked.
pub(super) fn live() -> Reply {
    Reply::json(Status::Ok, &b"{\"status\":\"ok\"}"[..])
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    database: &'static str,
    durability: &'static str,
}

/// This shard can store registrations; 503 otherwise. Reasons stay in the log: they may name hosts.
pub(super) fn ready(server: &Server) -> Reply {
    let up = server.statements().are_reachable();
    let draining = server.stop().requested();
    let health = Health {
        status: if draining {
            "draining"
        } else if up {
            "ok"
        } else {
            "unavailable"
        },
        version: env!("CARGO_PKG_VERSION"),
        checks: Checks {
            database: if up { "ok" } else { "unreachable" },
            durability: if server.allows_unsafe_durability() { "not enforced" } else { "enforced" },
        },
    };
    let body = serde_json::to_vec(&health).expect("plain data can be written as JSON");
    if up && !draining {
        return Reply::json(Status::Ok, body);
    }
    Reply { fields: vec![Field::retry_after(RETRY_AFTER_S)], ..Reply::json(Status::ServiceUnavailable, body) }
}
