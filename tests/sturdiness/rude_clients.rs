//! Thousands of clients that reset their connections in the middle of everything: no descriptor, no connection, no
//! waiter, no place in a queue and no memory is kept for them.

use crate::{
    process::{descriptors, resident_kib},
    support::{
        client::{login, registration, request, user},
        metrics::Metrics,
        pace::{given, random, seed, turn},
        server::{CHEAP, Deployment, Server},
    },
};
use rustix::net::sockopt::set_socket_linger;
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
};

/// Clients that are rude at the same time.
const AT_ONCE: u64 = 8;

/// Before memory is counted: until then stocks fill.
const FIRST: u64 = 5_000;

/// How much more memory the server may have after any number of them, in KiB: what the allocator has not sorted yet.
const GROWTH_KIB_MAX: u64 = 4 << 10;

/// Whose password some of them know.
const KNOWN: &str = "known@example.com";

/// Moments at which a connection is reset.
#[derive(Clone, Copy, Debug)]
enum Moment {
    BeforeTheHead,
    InTheHead,
    InTheBody,
    InABatch,
    BeforeItsAnswerIsRead,
    WhileAnswersAreWritten,
    WhileAPasswordIsHashed,
    AfterHalfClosing,
}

const MOMENTS: [Moment; 8] = [
    Moment::BeforeTheHead,
    Moment::InTheHead,
    Moment::InTheBody,
    Moment::InABatch,
    Moment::BeforeItsAnswerIsRead,
    Moment::WhileAnswersAreWritten,
    Moment::WhileAPasswordIsHashed,
    Moment::AfterHalfClosing,
];

/// Resets its connection, at a moment that `number` chooses. The server may be faster and have closed it.
fn be_rude(server: &Server, seed: u64, number: u64) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    // Closing resets instead of saying good-bye.
    set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request_of_its_own = registration(&[], &user(&format!("{number}@example.com")));
    let head = request_of_its_own.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let random = |bound: usize| random(seed, number, bound as u64) as usize;
    let mut send = |bytes: &[u8]| drop(stream.write_all(bytes));
    match MOMENTS[random(MOMENTS.len())] {
        Moment::BeforeTheHead => {}
        Moment::InTheHead => send(&request_of_its_own[..1 + random(head - 1)]),
        Moment::InTheBody => send(&request_of_its_own[..head + random(request_of_its_own.len() - head)]),
        Moment::InABatch => send(&request_of_its_own),
        Moment::BeforeItsAnswerIsRead => {
            send(&request_of_its_own);
            let _ = stream.read(&mut vec![0; 1 + random(100)]);
        }
        Moment::WhileAnswersAreWritten => {
            send(&request("GET", "/openapi.json", &[], b"").repeat(1 + random(200)));
            let _ = stream.read(&mut vec![0; 1 + random(100)]);
        }
        Moment::WhileAPasswordIsHashed => send(&login(KNOWN)),
        Moment::AfterHalfClosing => {
            send(&request_of_its_own[..1 + random(request_of_its_own.len())]);
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read(&mut [0; 1]);
        }
    }
}

fn be_rude_so_often(server: &Server, seed: u64, numbers: std::ops::Range<u64>) {
    thread::scope(|scope| {
        for first in 0..AT_ONCE {
            let numbers = numbers.clone();
            scope.spawn(move || {
                numbers.skip(first as usize).step_by(AT_ONCE as usize).for_each(|number| be_rude(server, seed, number));
            });
        }
    });
}

#[test]
fn rude_clients_leave_nothing_behind() {
    let _turn = turn();
    let (seed, rounds) = (seed(), given("JEDAY_TEST_ROUNDS", 5_000));
    let deployment = Deployment::new();
    // So few places that the logins at the end would find none, were any of them kept.
    let few_places = ["hardening.queue_max=16", "limits.login_failures_per_account=0"];
    let server = deployment.serve_with(&[CHEAP, &few_places].concat());
    assert_eq!(server.connect().register(KNOWN).status, 201);
    let settled = || {
        Metrics::once(&server, "everybody has gone and nothing waits", |metrics| {
            let nothing = |name: &str| metrics.sum(name, &[]) == 0.0;
            ["jeday_batch_waiters", "jeday_batch_queue_items", "jeday_password_jobs_waiting"].into_iter().all(nothing)
                // The scrape itself is a connection.
                && metrics.sum("jeday_connections_open", &[]) <= 1.0
        });
        (descriptors(&server), resident_kib(&server))
    };
    let (descriptors_before, _) = settled();
    be_rude_so_often(&server, seed, 0..FIRST);
    let (_, resident_before) = settled();
    be_rude_so_often(&server, seed, FIRST..FIRST + rounds);
    let (descriptors_after, resident_after) = settled();
    eprintln!(
        "{rounds} rude clients after {FIRST}: descriptors {descriptors_before} and {descriptors_after}, resident \
         {resident_before} KiB and {resident_after} KiB"
    );
    // The scrape's own connection may or may not be closed yet.
    assert!(descriptors_after <= descriptors_before + 1, "{descriptors_before} became {descriptors_after}");
    assert!(resident_after < resident_before + GROWTH_KIB_MAX, "{resident_before} KiB became {resident_after} KiB");
    let mut client = server.connect();
    assert_eq!(client.register("polite@example.com").status, 201);
    for _ in 0..20 {
        assert_eq!(client.login(KNOWN).status, 200);
    }
    server.stop();
}
