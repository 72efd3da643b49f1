//! The table: path and method to endpoint. Paths are matched exactly; nothing here reads a body or knows a handler.

use crate::{
    handlers::Rejection,
    http::{head::Method, path},
    telemetry::RouteName,
};

/// What can be asked for. The discriminant is the endpoint's place among the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Endpoint {
    Register,
    Login,
    Refresh,
    Logout,
    LogoutAll,
    Me,
    Sessions,
    Session,
    PasetoKeys,
    HealthLive,
    HealthReady,
    Health,
    OpenApi,
    Metrics,
    Dashboard,
    Profile,
}

impl Endpoint {
    /// Whether an answer takes so long that its client may have left by then, and nobody needs it any more.
    pub const fn is_for_who_waits(self) -> bool {
        matches!(self, Endpoint::Profile)
    }
}

/// One path and the method it answers to; GET implies HEAD (RFC 9110 section 9.3.2).
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// As clients send it, without escapes; a last segment of `{id}` stands for any one segment.
    pub path: &'static str,
    /// GET or another method.
    pub method: Method,
    /// Who answers.
    pub endpoint: Endpoint,
}

impl Route {
    fn matches(&self, path: &str) -> bool {
        match self.path.strip_suffix(ANY_SEGMENT) {
            None => self.path == path,
            Some(fixed) => parameter(fixed, path).is_some(),
        }
    }
}

/// What a pattern ends in that leaves its last segment to the client.
const ANY_SEGMENT: &str = "{id}";

/// The segment of `path` behind `fixed`, when there is exactly one. None that another server would resolve, or take for
/// two: a dot segment, or one in which an escape is left (RFC 3986 section 6.2.2).
fn parameter<'p>(fixed: &str, path: &'p str) -> Option<&'p str> {
    let is_plain = |segment: &&str| !matches!(*segment, "" | "." | "..") && !segment.contains(['/', '%']);
    path.strip_prefix(fixed).filter(is_plain)
}

/// A set of routes that one listener serves.
pub type Table = [Route];

/// Who is served at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// Clients, by whatever way they come.
    Public,
    /// The operator, who comes directly and by no website.
    Operator,
}

impl Front {
    /// What may be asked for there.
    pub const fn table(self) -> &'static Table {
        match self {
            Front::Public => PUBLIC,
            Front::Operator => OPERATOR,
        }
    }
}

const fn route(method: Method, path: &'static str, endpoint: Endpoint) -> Route {
    Route { path, method, endpoint }
}

/// What clients may ask for.
pub const PUBLIC: &Table = &[
    route(Method::Post, "/auth/register", Endpoint::Register),
    route(Method::Post, "/auth/login", Endpoint::Login),
    route(Method::Post, "/auth/refresh", Endpoint::Refresh),
    route(Method::Post, "/auth/logout", Endpoint::Logout),
    route(Method::Post, "/auth/logout-all", Endpoint::LogoutAll),
    route(Method::Get, "/auth/me", Endpoint::Me),
    route(Method::Get, "/auth/sessions", Endpoint::Sessions),
    route(Method::Delete, "/auth/sessions/{id}", Endpoint::Session),
    route(Method::Get, "/.well-known/paseto-keys", Endpoint::PasetoKeys),
    route(Method::Get, "/health/live", Endpoint::HealthLive),
    route(Method::Get, "/health/ready", Endpoint::HealthReady),
    route(Method::Get, "/health", Endpoint::Health),
    route(Method::Get, "/openapi.json", Endpoint::OpenApi),
];

/// What the operator may ask for, on an address of its own.
pub const OPERATOR: &Table = &[
    route(Method::Get, "/", Endpoint::Dashboard),
    route(Method::Get, "/metrics", Endpoint::Metrics),
    route(Method::Get, "/debug/profile", Endpoint::Profile),
    route(Method::Get, "/health/live", Endpoint::HealthLive),
    route(Method::Get, "/health/ready", Endpoint::HealthReady),
    route(Method::Get, "/health", Endpoint::Health),
];

/// The place among the metrics of what browsers ask before they send a request of another website.
pub const PREFLIGHT: usize = NAMES.len() - 2;

/// The place among the metrics of requests that reached no endpoint.
pub const UNROUTED: usize = NAMES.len() - 1;

/// Names of the endpoints for metrics, by [`Endpoint`]; the last are [`PREFLIGHT`] and [`UNROUTED`].
pub const NAMES: &[RouteName] = &[
    RouteName { method: "POST", path: "/auth/register" },
    RouteName { method: "POST", path: "/auth/login" },
    RouteName { method: "POST", path: "/auth/refresh" },
    RouteName { method: "POST", path: "/auth/logout" },
    RouteName { method: "POST", path: "/auth/logout-all" },
    RouteName { method: "GET", path: "/auth/me" },
    RouteName { method: "GET", path: "/auth/sessions" },
    RouteName { method: "DELETE", path: "/auth/sessions/{id}" },
    RouteName { method: "GET", path: "/.well-known/paseto-keys" },
    RouteName { method: "GET", path: "/health/live" },
    RouteName { method: "GET", path: "/health/ready" },
    RouteName { method: "GET", path: "/health" },
    RouteName { method: "GET", path: "/openapi.json" },
    RouteName { method: "GET", path: "/metrics" },
    RouteName { method: "GET", path: "/" },
    RouteName { method: "GET", path: "/debug/profile" },
    RouteName { method: "OPTIONS", path: "preflight" },
    RouteName { method: "", path: "unrouted" },
];

/// The pattern of the paths of this place among the metrics; none where it stands for no endpoint.
pub fn pattern(place: usize) -> Option<&'static str> {
    NAMES[..PREFLIGHT].get(place).map(|name| name.path)
}

/// Finds who answers.
///
/// # Errors
/// [`Rejection::NotFound`] for an unknown path, [`Rejection::MethodUnknown`] for a method that no path answers to,
/// [`Rejection::MethodNotAllowed`] for one that others do. CONNECT has no path, and nothing here is a tunnel.
pub fn find(table: &Table, method: Method, raw_path: &str) -> Result<Endpoint, Rejection> {
    let path = path::canonical(raw_path);
    let mut allow = None;
    for route in table.iter().filter(|route| route.matches(&path)) {
        if route.method == method || (route.method == Method::Get && method == Method::Head) {
            return Ok(route.endpoint);
        }
        allow = Some(if route.method == Method::Get { "GET, HEAD" } else { route.method.as_str() });
    }
    match allow {
        _ if matches!(method, Method::Other | Method::Connect) => Err(Rejection::MethodUnknown),
        Some(allow) => Err(Rejection::MethodNotAllowed(allow)),
        None => Err(Rejection::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_its_name_in_the_metrics() {
        for route in PUBLIC.iter().chain(OPERATOR) {
            let name = &NAMES[route.endpoint as usize];
            assert_eq!((name.method, name.path), (route.method.as_str(), route.path));
        }
        assert_eq!(NAMES.len(), UNROUTED + 1);
    }

    #[test]
    fn head_is_answered_wherever_get_is() {
        assert_eq!(find(PUBLIC, Method::Head, "/health"), Ok(Endpoint::Health));
        assert_eq!(find(PUBLIC, Method::Head, "/auth/register"), Err(Rejection::MethodNotAllowed("POST")));
    }

    #[test]
    fn pattern_stands_for_one_segment_and_no_more() {
        let find = |path| find(PUBLIC, Method::Delete, path);
        assert_eq!(find("/auth/sessions/0198"), Ok(Endpoint::Session));
        assert_eq!(find("/auth/sessions"), Err(Rejection::MethodNotAllowed("GET, HEAD")));
        for path in ["/auth/sessions/", "/auth/sessions/0198/", "/auth/sessions/a/b", "/auth/sessionsx"]
            .into_iter()
            .chain(["/auth/sessions/.", "/auth/sessions/%2E%2e", "/auth/sessions/a%2fb", "/auth/sessions/a%00"])
        {
            assert_eq!(find(path), Err(Rejection::NotFound), "{path}");
        }
    }

    #[test]
    fn only_the_exact_path_reaches_a_route() {
        for path in ["/auth/register/", "//auth/register", "/auth/./register", "/auth%2Fregister", "/AUTH/register", ""]
        {
            assert_eq!(find(PUBLIC, Method::Post, path), Err(Rejection::NotFound), "{path}");
        }
        assert_eq!(find(PUBLIC, Method::Post, "/auth/%72egister"), Ok(Endpoint::Register));
    }
}
