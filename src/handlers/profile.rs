//! `GET /debug/profile`: what the process spends its CPU time on. Served on the operator's address only; ends when the
//! client leaves or the server stops, and holds up neither requests nor the metrics.

use super::rejection::NoProfile;
use crate::{
    handlers::{Rejection, Reply, Request},
    http::{field::FieldValue, status::Status},
    limits::{PROFILE_LOOK_INTERVAL, PROFILE_SECONDS, PROFILE_SECONDS_MAX},
    server::Server,
    telemetry::{Profile, ProfileError, Profiling},
};
use futures_lite::future;
use std::time::Duration;

/// How the profile is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Pprof,
    Svg,
}

impl Format {
    fn renderer(self) -> fn(&Profile) -> Result<Vec<u8>, ProfileError> {
        match self {
            Format::Pprof => Profile::pprof,
            Format::Svg => Profile::flame_graph,
        }
    }

    fn content_type(self) -> FieldValue<'static> {
        match self {
            // Not Content-Encoding: the file itself is compressed, and tools want it so.
            Format::Pprof => const { FieldValue::from_static("application/octet-stream") },
            Format::Svg => const { FieldValue::from_static("image/svg+xml") },
        }
    }
}

pub(super) async fn take(server: &Server, request: Request<'_>) -> Result<Reply, Rejection> {
    let (duration, format) = parameters(request.head.target.query)?;
    let profiling = shards::blocking(move || Profiling::start(format.renderer())).await?;
    future::or(shards::sleep(duration), server.stop().wait()).await;
    profiling.end();
    // Looking names up may take seconds, in which the helper thread has to be free for the metrics page.
    while !profiling.is_finished() {
        shards::sleep(PROFILE_LOOK_INTERVAL).await;
    }
    let body = profiling.finish()?;
    Ok(Reply { content_type: Some(format.content_type()), ..Reply::json(Status::Ok, body) })
}

/// What the query asks for; what it does not say is 10 s, for pprof.
fn parameters(query: Option<&str>) -> Result<(Duration, Format), Rejection> {
    let (mut seconds, mut format) = (None, None);
    for parameter in query.unwrap_or_default().split('&').filter(|parameter| !parameter.is_empty()) {
        let fresh = match parameter.split_once('=') {
            Some(("seconds", number)) => seconds.replace(number_of_seconds(number)?).is_none(),
            Some(("format", "pprof")) => format.replace(Format::Pprof).is_none(),
            Some(("format", "svg")) => format.replace(Format::Svg).is_none(),
            _ => false,
        };
        if !fresh {
            return Err(NoProfile::Query.into());
        }
    }
    Ok((Duration::from_secs(seconds.unwrap_or(PROFILE_SECONDS)), format.unwrap_or(Format::Pprof)))
}

fn number_of_seconds(text: &str) -> Result<u64, Rejection> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && (1..=PROFILE_SECONDS_MAX).contains(number));
    number.ok_or(NoProfile::Query.into())
}

impl From<ProfileError> for Rejection {
    fn from(error: ProfileError) -> Rejection {
        match error {
            ProfileError::Running => NoProfile::Running.into(),
            ProfileError::Empty => NoProfile::Idle.into(),
            ProfileError::System(_) | ProfileError::Drawing(_) | ProfileError::Failed => {
                tracing::error!(%error, "no profile");
                NoProfile::Failed.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_says_how_long_and_in_which_format() {
        let parsed = |query| parameters(query).map(|(duration, format)| (duration.as_secs(), format));
        assert_eq!(parsed(None), Ok((PROFILE_SECONDS, Format::Pprof)));
        assert_eq!(parsed(Some("")), Ok((PROFILE_SECONDS, Format::Pprof)));
        assert_eq!(parsed(Some("format=svg&seconds=3")), Ok((3, Format::Svg)));
        assert_eq!(parsed(Some("seconds=300")), Ok((PROFILE_SECONDS_MAX, Format::Pprof)));
    }

    #[test]
    fn query_that_means_something_else_is_refused() {
        for query in [
            "seconds=0",
            "seconds=301",
            "seconds=",
            "seconds=+1",
            "seconds=1&seconds=1",
            "format=png",
            "second=1",
            "svg",
        ] {
            assert_eq!(parameters(Some(query)), Err(NoProfile::Query.into()), "{query}");
        }
    }
}
