//! HTTP/1.1 by RFC 9112, sans I/O: bytes in, values out. Knows no route.
//!
//! `head` is the way in for a request and `response` the way out; `body` stands between them. Every bound comes from
//! the caller. What is ambiguous is refused: a front proxy and Jeday must never see two different requests in the same
//! bytes.

pub mod bearer;
pub mod body;
pub mod cors;
pub mod date;
pub mod field;
pub mod forwarded;
pub mod framing;
pub mod head;
pub mod media_type;
pub mod network;
pub mod path;
pub mod proxy_protocol;
pub mod response;
pub mod status;
pub mod trace_context;

mod block;
mod grammar;
mod host;
mod request_line;
