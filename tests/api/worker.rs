//! `jeday worker`: hardens what servers have stored, and serves nobody but its operator.

use crate::support::{
    client::nth,
    metrics::Metrics,
    server::{CHEAP, Deployment, STAYS_WEAK, jeday, on_free_ports},
};
use rustix::process::Signal;

/// The queue is looked at often.
const SOON: &str = "hardening.worker_interval=50ms";

#[test]
fn worker_hardens_what_servers_leave_to_it_and_stops_when_told() {
    let deployment = Deployment::new();
    let server = deployment.serve_with(&[CHEAP, &[STAYS_WEAK]].concat());
    server.connect().register_many(20);
    deployment.make_claimable();
    let mut worker = deployment.work_with(&[CHEAP, &[SOON]].concat());
    let ready = worker.await_log("ready");
    assert_eq!((ready["role"].as_str(), ready["address"].as_str()), (Some("worker"), Some("off")), "{ready}");
    Metrics::once(&worker, "all are hardened", |_| deployment.weak() == 0);
    let hashes = Metrics::of(&worker).sum("jeday_password_hashes_total", &[("result", "done")]);
    assert_eq!(hashes, 20.0);
    assert_eq!(worker.connect_operator().get("/health/ready").status, 200);
    assert_eq!(worker.connect_operator().get("/auth/me").status, 404, "it serves no client");
    worker.signal(Signal::TERM);
    assert_eq!(worker.wait().code(), Some(0), "{}", worker.log());
    worker.await_log("stopped");
    for number in 0..20 {
        assert_eq!(server.connect().login(&nth(number)).status, 200);
    }
}

#[test]
fn worker_without_anything_to_do_says_so() {
    let deployment = Deployment::new();
    let mut homeless = jeday(["worker"]);
    on_free_ports(&mut homeless);
    let idle = deployment.jeday(["worker", "--set", STAYS_WEAK]);
    for (mut command, says) in [(homeless, "DB_URL"), (idle, "hardening.background is off")] {
        let output = command.output().unwrap();
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(words.starts_with("jeday: error: ") && words.contains(says), "{words}");
    }
}
