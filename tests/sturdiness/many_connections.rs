//! Ten thousand clients at once: all are let in, any of them is answered, and each costs little.

use crate::{
    process::{allow_descriptors, descriptors, resident_kib},
    support::{client::Client, metrics::Metrics, pace::turn, server::Deployment},
};

const CLIENTS: usize = 10_000;

/// Each of so many asks once more, when all are connected.
const ASKS: usize = 97;

/// Open files of this process beside its clients.
const OTHER_FILES: u64 = 500;

/// What a connection without a request may cost the server, in KiB. Measured without optimisation: 3.3. What the kernel
/// holds for its socket comes on top.
const CONNECTION_KIB_MAX: f64 = 8.0;

#[test]
fn ten_thousand_connections_are_open_and_answered() {
    let _turn = turn();
    if !allow_descriptors(CLIENTS as u64 + OTHER_FILES) {
        eprintln!("skipped: the limit on open files cannot be raised to hold {CLIENTS} connections");
        return;
    }
    let deployment = Deployment::new();
    let bound = format!("server.connections_max={}", CLIENTS * 101 / 100);
    // One shard, or the kernel's uneven hand would fill one before the other.
    let server = deployment.serve_with(&["cores.request_shards=1", "server.idle_timeout=10m", &bound]);
    assert_eq!(server.connect().register("first@example.com").status, 201);
    let open = |metrics: &Metrics| metrics.sum("jeday_connections_open", &[]);
    // The scrape's own connection is one of them.
    let settled = |clients: usize| Metrics::once(&server, "settled", |metrics| open(metrics) == (clients + 1) as f64);
    settled(0);
    let (files_before, before_kib) = (descriptors(&server), resident_kib(&server));
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    let metrics = settled(CLIENTS);
    assert_eq!(metrics.sum("jeday_connections_refused_total", &[]), 0.0);
    let each = |with_kib: u64| with_kib.saturating_sub(before_kib) as f64 / CLIENTS as f64;
    let silent_kib = resident_kib(&server);
    for (number, client) in clients.iter_mut().enumerate().step_by(ASKS) {
        assert_eq!(client.register(&format!("{number}@example.com")).status, 201);
    }
    for client in &mut clients {
        assert_eq!(client.get("/health/live").status, 200);
    }
    let served_kib = resident_kib(&server);
    eprintln!("resident for each of {CLIENTS}: {:.2} KiB, then {:.2} KiB", each(silent_kib), each(served_kib));
    assert!(each(served_kib.max(silent_kib)) < CONNECTION_KIB_MAX, "{before_kib}, {silent_kib}, {served_kib}");
    drop(clients);
    let metrics = settled(0);
    let closed_by_clients = metrics.sum("jeday_connections_closed_total", &[("reason", "peer")]);
    assert!(closed_by_clients >= CLIENTS as f64, "{closed_by_clients}");
    let files_after = descriptors(&server);
    assert!(files_after <= files_before + 1, "{files_before} descriptors became {files_after}");
    server.stop();
}
