//! The statuses Jeday answers with (RFC 9110 section 15, RFC 6585) and their status lines.
//! Which error gets which status is not decided here.

macro_rules! statuses {
    ($($name:ident = $code:literal $reason:literal),+ $(,)?) => {
        /// A final status code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Status {
            $($name = $code),+
        }

        impl Status {
            /// All of them, in ascending order.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The reason phrase.
            pub const fn reason(self) -> &'static str {
                match self {
                    $(Self::$name => $reason),+
                }
            }

            /// The status line with its CRLF.
            pub(super) const fn line(self) -> &'static str {
                match self {
                    $(Self::$name => concat!("HTTP/1.1 ", $code, " ", $reason, "\r\n")),+
                }
            }
        }
    };
}

statuses! {
    Ok = 200 "OK",
    Created = 201 "Created",
    Accepted = 202 "Accepted",
    NoContent = 204 "No Content",
    SeeOther = 303 "See Other",
    NotModified = 304 "Not Modified",
    BadRequest = 400 "Bad Request",
    Unauthorized = 401 "Unauthorized",
    Forbidden = 403 "Forbidden",
    NotFound = 404 "Not Found",
    MethodNotAllowed = 405 "Method Not Allowed",
    NotAcceptable = 406 "Not Acceptable",
    RequestTimeout = 408 "Request Timeout",
    Conflict = 409 "Conflict",
    ContentTooLarge = 413 "Content Too Large",
    UriTooLong = 414 "URI Too Long",
    UnsupportedMediaType = 415 "Unsupported Media Type",
    ExpectationFailed = 417 "Expectation Failed",
    UnprocessableContent = 422 "Unprocessable Content",
    TooManyRequests = 429 "Too Many Requests",
    RequestHeaderFieldsTooLarge = 431 "Request Header Fields Too Large",
    InternalServerError = 500 "Internal Server Error",
    NotImplemented = 501 "Not Implemented",
    ServiceUnavailable = 503 "Service Unavailable",
    GatewayTimeout = 504 "Gateway Timeout",
    HttpVersionNotSupported = 505 "HTTP Version Not Supported",
}

impl Status {
    /// The number.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Whether a reply may have a body and must say how long it is (RFC 9112 section 6.3).
    pub const fn has_body(self) -> bool {
        !matches!(self, Self::NoContent | Self::NotModified)
    }
}
