//! Which path answers to which method, and what a reply may hold: 404, 405 with `Allow`, 501, HEAD without a body, 204
//! without a length.

use super::{Line, NOT_FOUND, Outcome, closed, kept, problem, to_head, with_field};

/// The lines are a method and a target.
pub(super) fn frame(line: &[u8]) -> Vec<u8> {
    [line, b" HTTP/1.1\r\nHost: test\r\n\r\n"].concat()
}

const READ_ONLY: Outcome = kept(&[with_field(problem(405, "method_not_allowed"), "Allow", "GET, HEAD")]);
const POST_ONLY: Outcome = kept(&[with_field(problem(405, "method_not_allowed"), "Allow", "POST")]);
const DELETE_ONLY: Outcome = kept(&[with_field(problem(405, "method_not_allowed"), "Allow", "DELETE")]);
const UNKNOWN: Outcome = kept(&[problem(501, "method_unknown")]);
const NO_TOKEN: Outcome = kept(&[with_field(problem(401, "token_missing"), "WWW-Authenticate", "Bearer")]);

pub(super) const LINES: &[Line] = &[
    ("RFC 9110 9.3.2", "HEAD of what GET has", b"HEAD /health/live", kept(&[to_head(200)])),
    ("RFC 9110 9.3.2", "HEAD of a long document", b"HEAD /openapi.json", kept(&[to_head(200)])),
    ("RFC 9110 9.3.2", "HEAD of nothing", b"HEAD /nowhere", kept(&[to_head(404)])),
    ("RFC 9110 9.3.2", "HEAD where there is no GET", b"HEAD /auth/register", kept(&[to_head(405)])),
    ("RFC 9110 9.3.2", "HEAD without a token", b"HEAD /auth/me", kept(&[to_head(401)])),
    ("RFC 9110 9.3.2", "HEAD of a bad target", b"HEAD /#", closed(&[to_head(400)])),
    ("RFC 9110 15.5.5", "a path that is nowhere", b"GET /nowhere", NOT_FOUND),
    ("RFC 9110 15.5.5", "the root", b"GET /", NOT_FOUND),
    ("RFC 9110 15.5.5", "the operator's page", b"GET /metrics", NOT_FOUND),
    ("RFC 9110 15.5.6", "GET where there is POST", b"GET /auth/register", POST_ONLY),
    ("RFC 9110 15.5.6", "PUT where there is POST", b"PUT /auth/register", POST_ONLY),
    ("RFC 9110 15.5.6", "PATCH where there is POST", b"PATCH /auth/login", POST_ONLY),
    ("RFC 9110 15.5.6", "DELETE where there is POST", b"DELETE /auth/refresh", POST_ONLY),
    ("RFC 9110 15.5.6", "POST where there is GET", b"POST /health", READ_ONLY),
    ("RFC 9110 15.5.6", "PUT where there is GET", b"PUT /openapi.json", READ_ONLY),
    ("RFC 9110 15.5.6", "PATCH where there is GET", b"PATCH /auth/me", READ_ONLY),
    ("RFC 9110 15.5.6", "DELETE where there is GET", b"DELETE /auth/sessions", READ_ONLY),
    ("RFC 9110 15.5.6", "GET where there is DELETE", b"GET /auth/sessions/0198", DELETE_ONLY),
    ("RFC 9110 9.3.7", "OPTIONS where there is POST", b"OPTIONS /auth/register", POST_ONLY),
    ("RFC 9110 9.3.7", "OPTIONS where there is GET", b"OPTIONS /health/live", READ_ONLY),
    ("RFC 9110 9.3.7", "OPTIONS of nothing", b"OPTIONS /nowhere", NOT_FOUND),
    ("RFC 9110 9.3.8", "TRACE where there is GET", b"TRACE /health/live", READ_ONLY),
    ("RFC 9110 9.3.8", "TRACE where there is POST", b"TRACE /auth/login", POST_ONLY),
    ("RFC 9110 9.3.8", "TRACE of nothing", b"TRACE /", NOT_FOUND),
    ("RFC 9110 9.1", "an unknown method where there is POST", b"PROPFIND /auth/register", UNKNOWN),
    ("RFC 9110 9.1", "an unknown method of nothing", b"BREW /nowhere", UNKNOWN),
    ("RFC 9110 9.1", "methods are told apart by case", b"Post /auth/register", UNKNOWN),
    ("RFC 6750 3", "no token where one is needed", b"GET /auth/me", NO_TOKEN),
];
