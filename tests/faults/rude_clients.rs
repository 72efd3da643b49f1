//! Thousands of clients that reset their connections in the middle of everything: no descriptor, no connection, no
//! waiter and no memory is kept for them.

use crate::{
    random, seed,
    support::{
        client::{registration, user},
        metrics::Metrics,
        server::{Deployment, Server},
    },
    turn,
};
use rustix::net::sockopt::set_socket_linger;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// Resets its connection, at a moment that `number` chooses.
fn be_rude(server: &Server, seed: u64, number: u64) {
    let request = registration(&[], &user(&format!("{number}@example.com")));
    let mut stream = TcpStream::connect(server.address()).unwrap();
    // Closing resets instead of saying good-bye.
    set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    let head = request.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    let random = |bound: usize| random(seed, number, bound as u64) as usize;
    let sent = match number % 5 {
        0 => 0,
        1 => 1 + random(head - 1),
        2 => head + random(request.len() - head),
        _ => request.len(),
    };
    let _ = stream.write_all(&request[..sent]);
    if number % 5 == 4 {
        let _ = stream.read(&mut vec![0; 1 + random(100)]);
    }
}

fn descriptors(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid().as_raw_nonzero())).unwrap().count()
}

pub(crate) fn resident_kib(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid().as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[test]
fn rude_clients_leave_nothing_behind() {
    let _turn = turn();
    let seed = seed();
    let deployment = Deployment::new();
    let server = deployment.serve();
    let settled = || {
        Metrics::once(&server, "everybody has gone", |metrics| {
            metrics.sum("jeday_batch_waiters", &[]) == 0.0 && metrics.sum("jeday_connections_open", &[]) <= 1.0
        });
        (descriptors(&server), resident_kib(&server))
    };
    let (descriptors_first, _) = settled();
    (0..5_000).for_each(|number| be_rude(&server, seed, number));
    let (_, resident_half) = settled();
    (5_000..10_000).for_each(|number| be_rude(&server, seed, number));
    let (descriptors_last, resident_last) = settled();
    // The scrape's own connection may or may not be closed yet.
    assert!(descriptors_last <= descriptors_first + 1, "{descriptors_first} descriptors became {descriptors_last}");
    assert!(resident_last < resident_half + 4096, "{resident_half} KiB became {resident_last} KiB");
    let mut client = server.connect();
    assert_eq!(client.register("polite@example.com").status, 201);
    server.stop();
}
