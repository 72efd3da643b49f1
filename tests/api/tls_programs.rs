//! curl and openssl, as they are installed, against a server that speaks TLS. What is not installed is skipped with a
//! message.
#![allow(clippy::print_stderr)]

use crate::{
    support::{
        client::{PASSWORD, user},
        metrics::Metrics,
        server::{Deployment, Server},
        tls::Authority,
    },
    tls::serve,
};
use serde_json::{Value, json};
use std::process::{Command, Output, Stdio};

/// The program, unless it is not there.
fn program(name: &str) -> Option<Command> {
    let found = Command::new(name).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("skipped: {name} is not installed; on Debian: apt-get install {name}");
    }
    found.then(|| Command::new(name))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What curl says to these arguments, the last of which is a path.
fn curl(server: &Server, authority: &Authority, arguments: &[&str]) -> Option<Output> {
    let (path, options) = arguments.split_last().unwrap();
    let mut curl = program("curl")?;
    curl.args(["--silent", "--show-error", "--max-time", "60", "--cacert"]).arg(authority.root()).args(options);
    Some(curl.arg(format!("https://localhost:{}{path}", server.address().port())).output().unwrap())
}

fn post(body: &Value) -> [String; 4] {
    ["-H", "Content-Type: application/json", "-d", &body.to_string()].map(str::to_owned)
}

#[test]
fn curl_registers_and_logs_in_over_either_version() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &[]);
    for (version, option) in [("1.2", ["--tls-max", "1.2"]), ("1.3", ["--tlsv1.3", "--http1.1"])] {
        let call = |path: &str, arguments: &[String]| {
            let arguments: Vec<_> =
                option.into_iter().chain(arguments.iter().map(String::as_str)).chain([path]).collect();
            let output = curl(&server, &authority, &arguments)?;
            assert!(output.status.success(), "{version}: {}", text(&output.stderr));
            Some(serde_json::from_slice::<Value>(&output.stdout).unwrap())
        };
        let email = format!("ada@{version}.example.com");
        let user: Value = serde_json::from_str(&user(&email)).unwrap();
        let Some(registered) = call("/auth/register", &post(&user)) else { return };
        assert_eq!(registered["email"], email);
        let body = json!({ "email": email, "password": PASSWORD });
        let login = call("/auth/login", &post(&body)).unwrap();
        let bearer = format!("Authorization: Bearer {}", login["access_token"].as_str().unwrap());
        assert_eq!(call("/auth/me", &["-H".to_owned(), bearer]).unwrap()["email"], email);
    }
}

#[test]
fn curl_keeps_its_connection_and_speaks_older_http_too() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &[]);
    let again = format!("https://localhost:{}/openapi.json", server.address().port());
    let told = ["-o", "/dev/null", "-o", "/dev/null", "-w", "%{http_code} %{http_version} %{num_connects}\n"];
    let arguments = [&told[..], &[&again, "/openapi.json"]].concat();
    let Some(output) = curl(&server, &authority, &arguments) else { return };
    assert_eq!(text(&output.stdout), "200 1.1 1\n200 1.1 0\n", "{}", text(&output.stderr));
    let output = curl(&server, &authority, &["--http1.0", "-o", "/dev/null", "-w", "%{http_code}", "/health/live"]);
    assert_eq!(text(&output.unwrap().stdout), "200");
    // What curl does with a certificate that it does not trust.
    let output = curl(&server, &Authority::new(), &["/health/live"]).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
}

#[test]
fn openssl_agrees_on_http_1_1_and_on_no_old_version() {
    let (deployment, authority) = (Deployment::new(), Authority::new());
    let server = serve(&deployment, &authority, &[]);
    let client = |options: &[&str]| {
        let mut openssl = program("openssl")?;
        openssl.args(["s_client", "-connect", &server.address().to_string(), "-servername", "localhost", "-CAfile"]);
        openssl.arg(authority.root()).args(["-verify_return_error"]).args(options).stdin(Stdio::null());
        let output = openssl.output().unwrap();
        Some((output.status.success(), text(&output.stdout) + &text(&output.stderr)))
    };
    for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let Some((success, told)) = client(&[version, "-alpn", "h2,http/1.1"]) else { return };
        assert!(success && told.contains("ALPN protocol: http/1.1"), "{told}");
        assert!(told.contains(name) && told.contains("Verify return code: 0 (ok)"), "{told}");
    }
    let (success, told) = client(&["-alpn", "h2"]).unwrap();
    assert!(!success && told.contains("no application protocol"), "{told}");
    // openssl itself refuses what is old unless told not to.
    let (success, told) = client(&["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"]).unwrap();
    assert!(!success && told.contains(" alert "), "{told}");
    Metrics::once(&server, "refused", |metrics| {
        metrics.sum("jeday_tls_handshake_failures_total", &[("reason", "incompatible")]) == 1.0
    });
}
