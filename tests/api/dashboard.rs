//! The page of the operator's address, in a real browser: it draws what the server does, and says when it does nothing.

use crate::support::{
    browser::Browser,
    client::nth,
    server::{CHEAP, Deployment, Server},
};
use base64ct::{Base64, Encoding};
use serde_json::json;
use std::{
    env, fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// Where the page leaves a picture of itself for those who want to look at it.
const PICTURES: &str = "JEDAY_TEST_PICTURES";

fn picture(browser: &mut Browser, name: &str, scheme: &str) {
    let Ok(folder) = env::var(PICTURES) else { return };
    let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
    browser.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    let size = json!({ "width": 1280, "height": 1500, "deviceScaleFactor": 1, "mobile": false });
    browser.call("Emulation.setDeviceMetricsOverride", size);
    let taken = browser.call("Page.captureScreenshot", json!({ "format": "png" }));
    let bytes = Base64::decode_vec(taken["data"].as_str().unwrap()).unwrap();
    fs::write(format!("{folder}/{name}-{scheme}.png"), bytes).unwrap();
}

/// Registers users, and lets some log in, until told that it is over.
fn load(server: &Server, over: &AtomicBool) {
    let mut client = server.connect();
    for number in (0..).take_while(|_| !over.load(Ordering::Relaxed)) {
        let email = nth(number);
        assert_eq!(client.register(&email).status, 201);
        if number % 8 == 0 {
            assert_eq!(client.login(&email).status, 200);
        }
    }
}

#[test]
fn dashboard_draws_what_the_server_does_and_says_when_it_has_gone() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(CHEAP);
    let Some(mut browser) = Browser::open(&format!("http://{}/", server.operator_address())) else { return };
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| load(&server, &over));
        for figure in ["requests", "hashes", "cpus", "memory", "clients"] {
            browser.await_true(&format!("parseFloat(document.querySelector('#figure-{figure}')?.textContent) > 0"));
        }
        for chart in ["requests", "latency", "batch", "queue", "commit", "shards", "workers", "hashes", "wait"] {
            // Two points make a line.
            let drawn = format!("document.querySelector('#chart-{chart} path')?.getAttribute('d').includes('L')");
            browser.await_true(&format!("!!({drawn})"));
        }
        browser.await_true("/201 [1-9]/.test(document.querySelector('#chart-requests ul').textContent)");
        browser.await_true("/p99 [0-9.]+ (us|ms|s)/.test(document.querySelector('#chart-commit ul').textContent)");
        assert_eq!(browser.value("document.querySelector('#figure-version').textContent"), env!("CARGO_PKG_VERSION"));
        picture(&mut browser, "busy", "light");
        picture(&mut browser, "busy", "dark");
        over.store(true, Ordering::Relaxed);
    });
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);

    drop(server);
    browser.await_true("document.querySelector('#state').textContent.startsWith('No answer since ')");
    assert_eq!(browser.value("document.querySelector('#figure-requests').textContent"), "-");
    picture(&mut browser, "gone", "light");
}

#[test]
fn dashboard_loads_nothing_from_elsewhere_and_is_the_operators_alone() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    assert_eq!(server.connect().get("/").status, 404);
    let page = server.connect_operator().get("/");
    assert_eq!((page.status, page.field("Content-Type")), (200, Some("text/html; charset=utf-8")));
    let policy = page.field("Content-Security-Policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    let Some(mut browser) = Browser::open(&format!("http://{}/", server.operator_address())) else { return };
    browser.await_true("!!document.querySelector('#figure-requests')");
    let hinder = "document.body.append(Object.assign(document.createElement('script'), { textContent: 'hacked = 1' })); \
                  typeof hacked";
    assert_eq!(browser.value(hinder), "undefined", "only the page's own script runs");
}
