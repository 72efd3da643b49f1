//! Profiles of a running server: what they show, that requests do not notice, and that there is one at a time, for as
//! long as somebody waits for it.

use crate::support::{
    client::{Reply, nth},
    server::{Deployment, Server},
};
use flate2::read::GzDecoder;
use prost::Message;
use std::{
    io::Read,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

/// What these tests read of a profile (`profile.proto` of github.com/google/pprof).
#[derive(Clone, PartialEq, Message)]
struct Profile {
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    locations: Vec<Location>,
    #[prost(string, repeated, tag = "6")]
    strings: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    locations: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    values: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
}

impl Profile {
    fn decode_file(file: &[u8]) -> Profile {
        let mut bytes = Vec::new();
        GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        Profile::decode(bytes.as_slice()).unwrap()
    }
}

/// Registers users over four connections while `work` is done. Every one has to be created.
fn under_load<T>(server: &Server, work: impl FnOnce() -> T) -> T {
    let (done, number) = (AtomicBool::new(false), AtomicUsize::new(0));
    let ends = Ends(&done);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = server.connect();
                while !done.load(Ordering::Relaxed) {
                    let email = nth(number.fetch_add(1, Ordering::Relaxed));
                    assert_eq!(client.register(&email).status, 201, "{email}");
                }
            });
        }
        let outcome = work();
        drop(ends);
        outcome
    })
}

/// Ends the load also when the work fails.
struct Ends<'e>(&'e AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn profile(server: &Server, query: &str) -> Reply {
    server.connect_operator().get(&format!("/debug/profile{query}"))
}

/// Asks again until no other profile is being taken.
fn profile_when_free(server: &Server, query: &str) -> Reply {
    loop {
        let reply = profile(server, query);
        if reply.status != 409 {
            return reply;
        }
    }
}

#[test]
fn profiles_of_a_loaded_server_name_its_functions_and_fail_no_request() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let (pprof, svg) =
        under_load(&server, || (profile(&server, "?seconds=2"), profile(&server, "?seconds=2&format=svg")));

    assert_eq!((pprof.status, pprof.field("Content-Type")), (200, Some("application/octet-stream")));
    let decoded = Profile::decode_file(&pprof.body);
    assert!(decoded.samples.iter().all(|sample| sample.values.len() == 2 && sample.values[0] > 0));
    assert!(decoded.samples.iter().any(|sample| sample.locations.len() > 5), "stacks are more than a function");
    let known = |id: &u64| decoded.locations.iter().any(|location| location.id == *id);
    assert!(decoded.samples.iter().flat_map(|sample| &sample.locations).all(known));
    assert!(decoded.strings.iter().any(|name| name.contains("jeday::connection")), "{:?}", decoded.strings);

    assert_eq!((svg.status, svg.field("Content-Type")), (200, Some("image/svg+xml")));
    assert!(svg.text().contains("<svg") && svg.text().contains("jeday::connection"));
}

#[test]
fn second_profile_is_refused_until_the_first_ones_client_leaves() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut first = server.connect_operator();
    first.send("GET /debug/profile?seconds=300 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    // The first is in front of it in the one queue of the shard that serves the operator.
    assert_eq!(profile(&server, "?seconds=1").problem(), (409, "profile_running".to_owned()));
    assert_eq!(server.connect_operator().get("/metrics").status, 200);
    drop(first);
    under_load(&server, || assert_eq!(profile_when_free(&server, "?seconds=1").status, 200));
}

#[test]
fn server_that_stops_waits_for_no_profile() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut waiting = server.connect_operator();
    waiting.send("GET /debug/profile?seconds=300 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(profile(&server, "?seconds=1").status, 409);
    server.stop();
    // What there is by then, which may be nothing.
    assert!([200, 503].contains(&waiting.reply().status));
}

#[test]
fn clients_get_no_profile_and_operators_what_they_ask_for() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    assert_eq!(server.connect().get("/debug/profile").status, 404);
    for query in ["?seconds=0", "?seconds=301", "?seconds=1&seconds=1", "?format=png", "?secs=1"] {
        assert_eq!(profile(&server, query).problem(), (400, "query_invalid".to_owned()), "{query}");
    }
}
