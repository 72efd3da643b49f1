//! Requests that are sent without waiting for replies: answered in their order however many, and never at the cost of
//! other clients.

use crate::support::{
    client::request,
    server::{Deployment, Server},
};
use std::{
    io::Write,
    net::Shutdown,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// More than fit what both kernels hold, as the requests and as the replies.
const FLOOD: usize = 100_000;

/// Requests that are sent at a time.
const BURST: usize = 1_000;

/// How often others are served while the flood is, at the least: the bound on one turn makes it 6,000 times. Without
/// it the shard looks at its sockets some dozen times a second, while there is always something to go on with.
const SERVED_BESIDE_MIN: usize = 1_000;

/// Sends all of `requests` from another thread: whoever only sends is not read from either.
fn flood(server: &Server, requests: &[Vec<u8>], mut check: impl FnMut(usize, u16, Vec<u8>)) {
    let mut client = server.connect();
    let mut sending = client.stream().try_clone().unwrap();
    let all = requests.concat();
    thread::scope(|scope| {
        scope.spawn(move || sending.write_all(&all).unwrap());
        for number in 0..requests.len() {
            let reply = client.reply();
            check(number, reply.status, reply.body);
        }
    });
    client.finish_sending();
    client.expect_end();
}

#[test]
fn thousands_of_requests_are_answered_in_their_order() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    // Some are answered at once, some wait for the database; a reply says which one it is for.
    let requests: Vec<_> = (0..2_000)
        .map(|number| match number % 4 {
            0 => request("GET", "/health/live", &[], b""),
            1 => request("GET", "/nowhere", &[], b""),
            2 => request("GET", "/auth/me", &[], b""),
            _ => {
                let body = crate::support::client::user(&format!("user{number}@example.com"));
                crate::support::client::registration(&[], &body)
            }
        })
        .collect();
    flood(&server, &requests, |number, status, body| {
        assert_eq!(status, [200, 404, 401, 201][number % 4], "{number}");
        if number % 4 == 3 {
            let email = format!("\"user{number}@example.com\"");
            assert!(String::from_utf8(body).unwrap().contains(&email), "{number}");
        }
    });
}

#[test]
fn flood_on_one_connection_leaves_others_their_turn() {
    let deployment = Deployment::new();
    // One shard, so that the flood and the others meet.
    let server = deployment.serve_with(&["cores.request_shards=1"]);
    let ask = request("HEAD", "/health/live", &[], b"");
    let mut one = server.connect();
    one.send(&ask);
    one.reply_to_head();
    let mut flooding = server.connect();
    let sending = flooding.stream().try_clone().unwrap();
    let over = AtomicBool::new(false);
    let served = thread::scope(|scope| {
        scope.spawn(|| {
            let burst = ask.repeat(BURST);
            for _ in 0..FLOOD / BURST {
                (&sending).write_all(&burst).unwrap();
            }
            sending.shutdown(Shutdown::Write).unwrap();
        });
        scope.spawn(|| {
            // Faster than replies are written, so that the server waits for nobody: their bytes are not looked at.
            let replies = flooding.rest();
            assert!(replies.starts_with(b"HTTP/1.1 200 ") && replies.ends_with(b"\r\n\r\n"));
            over.store(true, Ordering::Relaxed);
        });
        let mut served = 0;
        while !over.load(Ordering::Relaxed) {
            one.send(&ask);
            one.reply_to_head();
            served += 1;
        }
        served
    });
    assert!(served >= SERVED_BESIDE_MIN, "others were served {served} times beside {FLOOD} requests");
}
