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
    password_cores: &'static str,
}

/// This shard can read and store accounts and have passwords checked; 503 otherwise. Reasons stay
/// in the log, but for a word or two: they may name hosts.
pub(super) fn ready(server: &Server) -> Reply {
    let fault = server.statements().fault();
    let password_cores = server.password_core().pressure().workers > 0;
    let some_stuck = server.password_core().stuck() > 0;
    let up = fault.is_none() && password_cores;
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
            database: fault.unwrap_or("ok"),
            durability: if server.allows_unsafe_durability() { "not enforced" } else { "enforced" },
            password_cores: match (password_cores, some_stuck) {
                (true, false) => "ok",
                (true, true) => "some stuck",
                (false, true) => "stuck",
                (false, false) => "stopped",
            },
        },
    };
    let body = serde_json::to_vec(&health).expect("plain data can be written as JSON");
    if up && !draining {
        return Reply::json(Status::Ok, body);
    }
    Reply { fields: vec![Field::retry_after(RETRY_AFTER_S)], ..Reply::json(Status::ServiceUnavailable, body) }
}
