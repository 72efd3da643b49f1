//! HTTP on the wire: every rule of RFC 9112, RFC 9110 and RFC 8259 that the server keeps as a case of a corpus, sent to
//! real servers as it stands and cut up, and what must hold for any bytes at all. Never a judge of speed.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

#[path = "../support"]
mod support {
    pub(crate) mod client;
    pub(crate) mod mutation;
    pub(crate) mod postgres;
    pub(crate) mod server;
    pub(crate) mod tls;
}

mod configured_bounds;
mod corpus;
mod every_rule;
mod exchanges;
mod mutants;
mod mutated_in_process;
mod mutated_on_the_wire;
mod packets;
mod pipelining;
#[path = "../../fuzz/src/reference.rs"]
mod reference;
#[path = "../../fuzz/src/requests.rs"]
mod requests;
