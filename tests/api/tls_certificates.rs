//! The files of certificate and key: what is refused and warned of, and how others take their place while the server
//! runs.

use crate::{
    support::{
        client::Client,
        metrics::Metrics,
        server::{Deployment, Server, write_private},
        tls::Authority,
    },
    tls::serve,
};
use rcgen::date_time_ymd;
use rustix::process::Signal;
use rustls::pki_types::CertificateDer;
use std::{fs, os::unix::fs::PermissionsExt};

const RELOADED: &str = "read the certificate of TLS again";
const KEPT: &str = "the certificate of TLS stays the one that it was";

fn shown(client: &mut Client) -> CertificateDer<'static> {
    client.tls().peer_certificates().unwrap()[0].clone()
}

fn reloads(server: &Server, result: &str, count: u64) {
    Metrics::once(server, result, |metrics| {
        metrics.sum("jeday_tls_certificate_reloads_total", &[("result", result)]) == count as f64
    });
}

#[test]
fn a_new_certificate_is_shown_after_sighup_and_old_connections_go_on() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &[]);
    let connect = || Client::connect_tls(server.address(), authority.trusted());
    let mut old = connect();
    let first = shown(&mut old);
    assert_eq!(old.get("/health/live").status, 200);

    let second = authority.renew();
    assert!(first != second && shown(&mut connect()) == first, "files alone change nothing");
    server.signal(Signal::HUP);
    server.await_log(RELOADED);
    reloads(&server, "done", 1);
    // On each shard: connections fall to one or another.
    for _ in 0..16 {
        assert!(shown(&mut connect()) == second);
    }
    assert_eq!(old.get("/health/live").status, 200);
    assert!(shown(&mut old) == first);
    drop(old);
    server.stop();
}

#[test]
fn files_that_cannot_be_used_leave_the_old_certificate() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &[]);
    let mut old = Client::connect_tls(server.address(), authority.trusted());
    let first = shown(&mut old);
    let not_after = || Metrics::of(&server).sum("jeday_tls_certificate_not_after_seconds", &[]);
    let before = not_after();

    let (another, its_key) = authority.issue(|params| params.not_after = date_time_ymd(2031, 2, 3));
    // The key of the old one is still there.
    fs::write(authority.certificate(), &another).unwrap();
    server.signal(Signal::HUP);
    assert!(server.await_log(KEPT)["error"].as_str().unwrap().contains("belongs to another certificate"));
    reloads(&server, "refused", 1);
    fs::write(authority.certificate(), "half of a certific").unwrap();
    server.signal(Signal::HUP);
    reloads(&server, "refused", 2);
    assert_eq!(not_after(), before);
    for _ in 0..8 {
        let mut client = Client::connect_tls(server.address(), authority.trusted());
        assert!(shown(&mut client) == first && client.get("/health/live").status == 200);
    }
    assert_eq!(old.get("/health/live").status, 200);

    // Mended, they are taken.
    fs::write(authority.certificate(), &another).unwrap();
    write_private(&authority.key(), &its_key);
    server.signal(Signal::HUP);
    reloads(&server, "done", 1);
    // 2031-02-03T00:00:00Z.
    assert_eq!(not_after(), 1_927_843_200.0);
    assert!(shown(&mut Client::connect_tls(server.address(), authority.trusted())) != first);
}

#[test]
fn what_cannot_be_used_keeps_the_server_from_starting() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let [certificate, key] = authority.settings().map(|setting| setting.split_once('=').unwrap().1.to_owned());
    let start = |variables: &[(&str, &str)]| {
        let mut command = deployment.jeday(["serve"]);
        command.envs(variables.iter().copied());
        let (status, text) = Server::spawn(&mut command).wait();
        assert_eq!(status.code(), Some(2 - i32::from(text.contains("TLS_CERT and TLS_KEY name"))), "{text}");
        text
    };
    for variables in [[("TLS_CERT", &*certificate)], [("TLS_KEY", &*key)]] {
        let text = start(&variables);
        assert!(text.contains("go together: one of them is missing"), "{text}");
    }
    let text = start(&[("TLS_CERT", &certificate), ("TLS_KEY", &certificate)]);
    assert!(text.contains("server.crt"), "{text}");
    let text = start(&[("TLS_CERT", "/nonexistent/a.crt"), ("TLS_KEY", &key)]);
    assert!(text.contains("cannot read /nonexistent/a.crt"), "{text}");
    fs::set_permissions(authority.key(), fs::Permissions::from_mode(0o644)).unwrap();
    let text = start(&[("TLS_CERT", &certificate), ("TLS_KEY", &key)]);
    assert!(text.contains("is open to others (mode 0644)"), "{text}");
}

#[test]
fn a_certificate_near_its_end_is_warned_of() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let doctor = || {
        let [certificate, key] = authority.settings().map(|setting| setting.split_once('=').unwrap().1.to_owned());
        let output = deployment.jeday(["doctor"]).env("TLS_CERT", certificate).env("TLS_KEY", key).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.success(), text.lines().find(|line| line.contains("TLS certificate")).unwrap().to_owned())
    };
    assert!(doctor().1.starts_with("ok "));
    let (certificate, key) = authority.issue(|params| params.not_after = date_time_ymd(2020, 1, 2));
    fs::write(authority.certificate(), certificate).unwrap();
    write_private(&authority.key(), &key);
    let (success, line) = doctor();
    assert!(success && line.starts_with("warning ") && line.contains("2020-01-02T00:00:00Z"), "{line}");
    let server = serve(&deployment, &authority, &[]);
    let warning = server.await_log("the certificate of TLS has expired: clients refuse it");
    assert_eq!(warning["valid_until"], "2020-01-02T00:00:00Z");
    server.stop();
    fs::remove_file(authority.key()).unwrap();
    let (success, line) = doctor();
    assert!(!success && line.starts_with("fatal "), "{line}");
}

#[test]
fn a_server_without_tls_has_no_figures_of_it_and_survives_sighup() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    server.signal(Signal::HUP);
    server.await_log("SIGHUP is for certificates of TLS, and there are none");
    assert!(Metrics::of(&server).types.keys().all(|name| !name.starts_with("jeday_tls_")));
}
