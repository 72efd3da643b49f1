//! Under `deploy/seccomp.json` all works, and without what it adds the reason is told.

use crate::{
    project,
    support::server::{CHEAP, Deployment, JEDAY, PATIENCE, Server},
};
use std::{env, path::Path, process::Command, time::Instant};

/// Debian's, which is where the package puts libseccomp's module.
const PYTHON: &str = "/usr/bin/python3";

/// How a program is run under the filter, less the calls named; `None` without libseccomp's module for Python.
pub(crate) fn filtered(less: &[&str]) -> Option<Command> {
    let run = |less: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig=TERM", "--", PYTHON]).arg(project().join("tests/deploy/under_seccomp.py"));
        command.arg(project().join("deploy/seccomp.json")).args(less.iter().map(|name| format!("-{name}")));
        command.env_clear().env("PATH", env::var_os("PATH").unwrap()).env("HOME", "/nonexistent").current_dir("/");
        command
    };
    let there = Path::new(PYTHON).is_file() && run(&[]).arg("true").status().is_ok_and(|status| status.success());
    if !there {
        eprintln!("skipped: no libseccomp for Python; on Debian: apt-get install python3-seccomp");
    }
    there.then(|| run(less))
}

#[test]
fn a_server_does_all_its_work_under_the_filter() {
    let Some(mut command) = filtered(&[]) else { return };
    let deployment = Deployment::new();
    command.arg(JEDAY).arg("serve").args(CHEAP.iter().flat_map(|setting| ["--set", setting]));
    command.env("DB_URL", deployment.url()).env("KEY_FILE", deployment.key_file());
    command.env("SERVER_ADDRESS", "127.0.0.1:0").env("METRICS_ADDRESS", "127.0.0.1:0");
    let server = Server::start(&mut command);
    let mut client = server.connect();
    assert_eq!(client.register("filtered@deploy.example").status, 201);
    let login = client.login("filtered@deploy.example");
    assert_eq!(client.refresh(&login.tokens().refresh).status, 200);
    assert_eq!(client.authorized("GET", "/auth/me", &login.tokens().access).status, 200);
    assert_eq!(server.connect_operator().get("/metrics").status, 200);
    let profile = server.connect_operator().get("/debug/profile?seconds=1");
    // A server with nothing to do has no profile.
    assert!(profile.status == 200 || profile.code() == "profile_empty", "{}", profile.text());
    // Also what is lost and made anew: connections to the database.
    deployment.sql(&format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
        deployment.database()
    ));
    let until = Instant::now() + PATIENCE;
    for attempt in 0.. {
        let status = server.connect().register(&format!("again-{attempt}@deploy.example")).status;
        if status == 201 {
            break;
        }
        assert!(status == 503 && Instant::now() < until, "{status}");
    }
    server.stop();
}

#[test]
fn without_io_uring_a_sentence_says_what_to_allow() {
    let calls = ["io_uring_setup", "io_uring_enter", "io_uring_register"];
    let Some(mut command) = filtered(&calls) else { return };
    let output = command.args([JEDAY, "serve"]).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(calls.iter().all(|call| words.contains(call)) && words.contains("seccomp"), "{words}");
    assert!(!words.contains("panicked"), "{words}");
}

#[test]
fn namespaces_and_modules_stay_out_of_reach() {
    for program in [["unshare", "--user"], ["unshare", "--mount"], ["nsenter", "--all"]] {
        let Some(mut command) = filtered(&[]) else { return };
        assert!(!command.args(program).arg("true").output().unwrap().status.success(), "{program:?}");
    }
    let Some(mut command) = filtered(&[]) else { return };
    assert!(command.args(["sh", "-c", "echo a shell | cat"]).output().unwrap().status.success());
}
