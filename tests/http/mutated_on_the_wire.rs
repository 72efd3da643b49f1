//! Mutants against a real server: it answers no more than there are requests, comes to an end with each connection, and
//! outlives them all.

use crate::{
    mutants::{mutant, stock},
    reference::{self, Read},
    support::{
        client::{registration, user},
        mutation::{Random, Replay, first_seed, rounds},
        server::{Deployment, Server},
    },
};
use std::{
    io::Write,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

const ROUNDS: u64 = 10_000;

/// Connections under way at a time.
const AT_ONCE: usize = 8;

/// Sends `bytes` and nothing more, and looks at everything that comes back.
fn exchange(server: &Server, bytes: &[u8]) -> usize {
    let mut client = server.connect();
    // Whoever is refused need not be read to the end, nor be there still when it comes.
    let _ = client.stream().write_all(bytes);
    let _ = client.stream().shutdown(std::net::Shutdown::Write);
    let replies = client.rest();
    let methods = methods(bytes);
    let statuses = statuses(&replies, &methods);
    let shown = String::from_utf8_lossy(bytes);
    assert!(statuses.len() <= methods.len(), "{statuses:?} to {shown:?}");
    assert!(statuses.iter().all(|status| *status != 500), "{statuses:?} to {shown:?}");
    statuses.len()
}

/// How many requests `bytes` holds from the first to the one that is the last for any reason: an incomplete one, one
/// that is refused, one behind which the connection closes. The methods of all of them, as far as they can be read.
fn methods(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut methods = Vec::new();
    while !bytes.is_empty() && bytes != b"\r\n" && bytes != b"\r" {
        let start = bytes.strip_prefix(b"\r\n").unwrap_or(bytes);
        methods.push(start.split(|&byte| byte == b' ').next().unwrap_or_default().to_vec());
        let Read::Whole(request) = reference::head(bytes) else { break };
        let Read::Whole((_, length)) = reference::body(request.framing, &bytes[request.length..]) else { break };
        if request.is_last {
            break;
        }
        bytes = &bytes[request.length + length..];
    }
    methods
}

/// The statuses of the final replies, which must be whole. A reply to HEAD has no body.
fn statuses(mut replies: &[u8], methods: &[Vec<u8>]) -> Vec<u16> {
    let mut statuses = Vec::new();
    while !replies.is_empty() {
        let shown = String::from_utf8_lossy(replies);
        let end = replies.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or_else(|| panic!("{shown:?}"));
        let head = std::str::from_utf8(&replies[..end]).unwrap();
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status: u16 = status.unwrap_or_else(|| panic!("no reply: {shown:?}"));
        replies = &replies[end + 4..];
        if status == 100 {
            continue;
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let to_head = methods.get(statuses.len()).is_some_and(|method| method == b"HEAD");
        let length = length.filter(|_| !to_head).map_or(0, |length| length.parse().unwrap());
        replies = replies.get(length..).unwrap_or_else(|| panic!("half a body: {shown:?}"));
        statuses.push(status);
    }
    statuses
}

#[test]
fn mutants_neither_stop_the_server_nor_get_a_reply_too_many() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let mut stock = stock();
    stock.push(registration(&[], &user("ada@example.com")));
    let (first, rounds) = (first_seed(), rounds(ROUNDS));
    let (next, replies) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let round = next.fetch_add(1, Ordering::Relaxed);
                    if round >= rounds {
                        break;
                    }
                    let seed = first.wrapping_add(round);
                    let _replay = Replay(seed);
                    let count = exchange(&server, &mutant(&stock, &mut Random::new(seed)));
                    replies.fetch_add(count as u64, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(server.connect().get("/health/live").status, 200);
    let log = server.stop();
    assert!(!log.contains("panicked"), "{log}");
    eprintln!("{rounds} mutants, {} replies", replies.into_inner());
}
