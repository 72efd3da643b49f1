//! What does not come in time: a head, a body, and an empty line that nothing follows, which is no request.

use super::{Fate, Made, Outcome, POST, closed, plain, problem, to_head};

const HEAD_LATE: Outcome = closed(&[problem(408, "header_timeout")]);
const BODY_LATE: Outcome = closed(&[problem(408, "body_timeout")]);

pub(super) const CASES: &[Made] = &[
    ("RFC 9110 15.5.9", "half a request line", || b"GET /health/live HT".to_vec(), HEAD_LATE),
    ("RFC 9110 15.5.9", "half a head", || b"GET /health/live HTTP/1.1\r\nHost: te".to_vec(), HEAD_LATE),
    ("RFC 9110 15.5.9", "half a head of HEAD", || b"HEAD /health/live HTTP/1.1\r\n".to_vec(), closed(&[to_head(408)])),
    ("RFC 9110 15.5.9", "half a body", || [POST, b"Content-Length: 21\r\n\r\n{\"refresh_"].concat(), BODY_LATE),
    ("RFC 9110 15.5.9", "half a chunk", || [POST, b"Transfer-Encoding: chunked\r\n\r\n15\r\n{"].concat(), BODY_LATE),
    ("RFC 9112 2.2", "an empty line", || b"\r\n".to_vec(), Outcome { answers: &[], fate: Fate::GivenUp }),
    (
        "RFC 9112 2.2",
        "an empty line behind a request",
        || b"GET /health/live HTTP/1.1\r\nHost: test\r\n\r\n\r\n".to_vec(),
        Outcome { answers: &[plain(200)], fate: Fate::GivenUp },
    ),
];
