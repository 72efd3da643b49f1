//! The server's clock jumps by an hour either way, while it serves: tokens go by the clock within their skew, sessions
//! by the database's, and batches, timers and connections by a clock that nobody sets.

use crate::{
    load::Load,
    support::{
        client::{Client, Tokens},
        server::{CHEAP, Deployment, Server},
    },
    turn,
};
use rustix::process::Signal;
use std::{fs, path::Path};
use tempfile::TempDir;

/// A clock for one server, by libfaketime; what is not the time of day is left alone.
struct Clock(TempDir);

impl Clock {
    /// `None` where libfaketime is not installed.
    fn new() -> Option<Clock> {
        if Clock::library().is_none() {
            eprintln!("skipped: libfaketime is not installed (Debian's package faketime)");
            return None;
        }
        let clock = Clock(TempDir::new().unwrap());
        clock.set("+0");
        Some(clock)
    }

    fn library() -> Option<String> {
        let machine = std::env::consts::ARCH;
        let folders = [format!("/usr/lib/{machine}-linux-gnu/faketime"), "/usr/lib64/faketime".to_owned()];
        let libraries = folders.map(|folder| format!("{folder}/libfaketimeMT.so.1"));
        libraries.into_iter().find(|library| Path::new(library).exists())
    }

    /// Jumps to so many seconds from the true time.
    fn set(&self, offset: &str) {
        let made = self.0.path().join("made");
        fs::write(&made, offset).unwrap();
        fs::rename(made, self.0.path().join("offset")).unwrap();
    }

    fn serve(&self, deployment: &Deployment<'_>, settings: &[&str]) -> Server {
        let settings = settings.iter().flat_map(|text| ["--set", text]);
        let mut command = deployment.jeday(["serve"].into_iter().chain(settings));
        command
            .env("LD_PRELOAD", Clock::library().unwrap())
            .env("FAKETIME_TIMESTAMP_FILE", self.0.path().join("offset"));
        Server::start(command.env("FAKETIME_NO_CACHE", "1").env("DONT_FAKE_MONOTONIC", "1"))
    }
}

fn me(client: &mut Client, tokens: &Tokens) -> (u16, Option<String>) {
    let reply = client.authorized("GET", "/auth/me", &tokens.access);
    (reply.status, (reply.status != 200).then(|| reply.code()))
}

#[test]
fn tokens_go_by_the_clock_and_sessions_outlive_its_jumps() {
    let Some(clock) = Clock::new() else { return };
    let deployment = Deployment::new();
    let server = clock.serve(&deployment, &[CHEAP, &["tokens.access_duration=15m"]].concat());
    let mut client = server.connect();
    let mut tokens = client.new_session("ada@example.com");
    let codes = [("+3600", "token_expired"), ("+0", "token_invalid"), ("-3600", "token_invalid")];
    for (offset, code) in codes {
        clock.set(offset);
        assert_eq!(me(&mut client, &tokens), (401, Some(code.to_owned())), "{offset}");
        tokens = client.refresh(&tokens.refresh).tokens();
        assert_eq!(me(&mut client, &tokens).0, 200, "{offset}");
        let other = client.login("ada@example.com").tokens();
        assert_eq!(me(&mut client, &other).0, 200, "{offset}");
    }
    // Within what the clocks of two nodes may differ by.
    for offset in ["-3580", "-3600"] {
        clock.set(offset);
        assert_eq!(me(&mut client, &tokens).0, 200, "{offset}");
        tokens = client.refresh(&tokens.refresh).tokens();
    }
    server.stop();
}

#[test]
fn nothing_hangs_when_the_clock_jumps() {
    let _turn = turn();
    let Some(clock) = Clock::new() else { return };
    let deployment = Deployment::new();
    let settings = ["server.idle_timeout=2s", "registration.batch_wait=20ms", "hardening.worker_interval=100ms"];
    let mut server = clock.serve(&deployment, &[CHEAP, &settings].concat());
    let load = Load::start(server.address(), "jumping", 16);
    for offset in ["+0", "+3600", "-3600", "+3600", "+0"] {
        // One that waits for its idle timeout while the clock jumps.
        let mut idle = server.connect();
        assert_eq!(idle.get("/health/live").status, 200);
        clock.set(offset);
        load.await_created(200);
        idle.expect_end();
        let mut client = server.connect();
        client.register(&format!("at{offset}@example.com"));
        assert_eq!(client.login(&format!("at{offset}@example.com")).status, 200);
    }
    let journal = load.stop();
    journal.check(&deployment);
    clock.set("-3600");
    server.signal(Signal::TERM);
    let status = server.wait();
    assert!(status.success(), "{status}: {}", server.log());
}
