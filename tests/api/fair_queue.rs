//! Who has only right passwords is not limited, and still cannot keep all others from logging in.

use crate::support::{client::PASSWORD, server::Deployment};
use serde_json::json;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

#[test]
fn one_address_leaves_room_for_the_logins_of_others() {
    let deployment = Deployment::new();
    let settings = ["hardening.queue_max=8", "cores.request_shards=1", "server.trusted_proxies=127.0.0.1"];
    let server = deployment.serve_with(&settings);
    for number in 0..4 {
        assert_eq!(server.connect().register(&format!("crowd{number}@example.com")).status, 201);
    }
    assert_eq!(server.connect().register("ada@example.com").status, 201);
    let login = |email: &str, address: &str| {
        let body = json!({ "email": email, "password": PASSWORD }).to_string();
        let fields = [("Content-Type", "application/json"), ("X-Forwarded-For", address)];
        server.connect().request("POST", "/auth/login", &fields, body.as_bytes())
    };
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..16 {
            let (login, enough) = (&login, &enough);
            scope.spawn(move || {
                while !enough.load(Ordering::Relaxed) {
                    let reply = login(&format!("crowd{}@example.com", number % 4), "203.0.113.1");
                    assert!(matches!(reply.status, 200 | 429 | 503), "{reply:?}");
                }
            });
        }
        let statuses: Vec<u16> = (0..10).map(|_| login("ada@example.com", "198.51.100.7").status).collect();
        enough.store(true, Ordering::Relaxed);
        assert_eq!(statuses, [200; 10]);
    });
}
