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
    HealthLive,
    HealthReady,
    Health,
    OpenApi,
    Metrics,
}

/// One path and the method it answers to; GET implies HEAD (RFC 9110 section 9.3.2).
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// As clients send it, without escapes.
    pub path: &'static str,
    /// GET or another method.
    pub method: Method,
    /// Who answers.
    pub endpoint: Endpoint,
}

/// A set of routes that one listener serves.
pub type Table = [Route];

const fn route(method: Method, path: &'static str, endpoint: Endpoint) -> Route {
    Route { path, method, endpoint }
}

/// What clients may ask for.
pub const PUBLIC: &Table = &[
    route(Method::Post, "/auth/register", Endpoint::Register),
    route(Method::Get, "/health/live", Endpoint::HealthLive),
    route(Method::Get, "/health/ready", Endpoint::HealthReady),
    route(Method::Get, "/health", Endpoint::Health),
    route(Method::Get, "/openapi.json", Endpoint::OpenApi),
];

/// What the operator may ask for, on an address of its own.
pub const OPERATOR: &Table = &[
    route(Method::Get, "/metrics", Endpoint::Metrics),
    route(Method::Get, "/health/live", Endpoint::HealthLive),
    route(Method::Get, "/health/ready", Endpoint::HealthReady),
    route(Method::Get, "/health", Endpoint::Health),
];

/// The place among the metrics of requests that reached no endpoint.
pub const UNROUTED: usize = NAMES.len() - 1;

/// Names of the endpoints for metrics, by [`Endpoint`]; the last is [`UNROUTED`].
pub const NAMES: &[RouteName] = &[
    RouteName { method: "POST", path: "/auth/register" },
    RouteName { method: "GET", path: "/health/live" },
    RouteName { method: "GET", path: "/health/ready" },
    RouteName { method: "GET", path: "/health" },
    RouteName { method: "GET", path: "/openapi.json" },
    RouteName { method: "GET", path: "/metrics" },
    RouteName { method: "", path: "unrouted" },
];

/// Finds who answers.
///
/// # Errors
/// [`Rejection::NotFound`] for an unknown path, [`Rejection::MethodUnknown`] for a method that no path answers to,
/// [`Rejection::MethodNotAllowed`] for one that others do.
pub fn find(table: &Table, method: Method, raw_path: &str) -> Result<Endpoint, Rejection> {
    let path = path::canonical(raw_path);
    let mut allow = None;
    for route in table.iter().filter(|route| route.path == path) {
        if route.method == method || (route.method == Method::Get && method == Method::Head) {
            return Ok(route.endpoint);
        }
        allow = Some(if route.method == Method::Get { "GET, HEAD" } else { route.method.as_str() });
    }
    match allow {
        _ if method == Method::Other => Err(Rejection::MethodUnknown),
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
    fn only_the_exact_path_reaches_a_route() {
        for path in ["/auth/register/", "//auth/register", "/auth/./register", "/auth%2Fregister", "/AUTH/register", ""]
        {
            assert_eq!(find(PUBLIC, Method::Post, path), Err(Rejection::NotFound), "{path}");
        }
        assert_eq!(find(PUBLIC, Method::Post, "/auth/%72egister"), Ok(Endpoint::Register));
    }
}
