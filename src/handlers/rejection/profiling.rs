//! Why there is no profile: for operators, at their own address. Clients never get these, so openapi.json is silent.

use crate::{http::status::Status, limits::PROFILE_SECONDS_MAX};
use std::borrow::Cow;

/// Why a profile was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NoProfile {
    /// The query is not `seconds` and `format`.
    Query,
    Running,
    /// There was nothing to sample.
    Idle,
    /// The log says why.
    Failed,
}

impl NoProfile {
    pub(super) fn status_and_code(self) -> (Status, &'static str) {
        match self {
            NoProfile::Query => (Status::BadRequest, "query_invalid"),
            NoProfile::Running => (Status::Conflict, "profile_running"),
            NoProfile::Idle => (Status::ServiceUnavailable, "profile_empty"),
            NoProfile::Failed => (Status::InternalServerError, "profile_failed"),
        }
    }

    pub(super) fn detail(self) -> Cow<'static, str> {
        match self {
            NoProfile::Query => {
                let max = PROFILE_SECONDS_MAX;
                format!("the query may have seconds=N, from 1 to {max}, and format=pprof or format=svg, each once")
                    .into()
            }
            NoProfile::Running => "another profile is being taken: try again when it has ended".into(),
            NoProfile::Idle => "the server had nothing to do: take the profile while it is asked something".into(),
            NoProfile::Failed => "no profile can be taken here: the log says why".into(),
        }
    }
}
