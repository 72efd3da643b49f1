//! Without a database of its own to name: one command starts Jeday on a private PostgreSQL, and the data stays.

use crate::support::server::{Server, jeday, on_free_ports};
use rustix::process::Signal;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};
use tempfile::TempDir;

/// The command that a new user types, on free ports and in a home of its own.
fn serve(home: &Path) -> Command {
    let mut command = jeday(["serve"]);
    on_free_ports(&mut command);
    command.env("XDG_STATE_HOME", home);
    command
}

/// PostgreSQL's user has to get through it.
fn home() -> TempDir {
    let home = TempDir::new().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    home
}

fn postmaster(home: &Path) -> Option<String> {
    let mut folders = vec![home.join("jeday")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.file_name() == "postmaster.pid" {
                return fs::read_to_string(entry.path()).unwrap().lines().next().map(str::to_owned);
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    None
}

fn keys(home: &Path) -> String {
    let file = home.join("jeday/keys");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    fs::read_to_string(file).unwrap()
}

#[test]
fn data_is_still_there_after_a_stop_and_a_kill() {
    let home = home();
    let server = Server::start(&mut serve(home.path()));
    let ready = server.await_log("ready");
    assert!(ready["database"].as_str().unwrap().starts_with("private PostgreSQL "), "{ready}");
    assert_eq!(server.connect().register("ada@example.com").status, 201);
    let made = keys(home.path());

    // A second server leaves the first alone.
    let (status, text) = Server::spawn(&mut serve(home.path())).wait();
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(text.contains("is in use by another jeday") && text.contains("JEDAY_STATE_DIRECTORY"), "{text}");
    assert_eq!(server.connect().register("eve@example.com").status, 201);

    server.stop();
    assert_eq!(postmaster(home.path()), None, "PostgreSQL is stopped with the server");

    let mut server = Server::start(&mut serve(home.path()));
    assert_eq!(server.connect().register("ada@example.com").status, 409);
    assert_eq!(server.connect().register("bob@example.com").status, 201);
    assert_eq!(keys(home.path()), made);
    server.signal(Signal::KILL);
    server.wait();

    let server = Server::start(&mut serve(home.path()));
    let mut client = server.connect();
    for email in ["ada@example.com", "eve@example.com", "bob@example.com"] {
        assert_eq!(client.register(email).status, 409, "{email}");
    }
    drop(client);
    server.stop();
    assert_eq!(postmaster(home.path()), None);
}

#[test]
fn signal_during_the_first_start_leaves_nothing_running() {
    let home = home();
    let starting = Server::spawn(&mut serve(home.path()));
    starting.await_any_log();
    starting.signal(Signal::INT);
    let (status, text) = starting.wait();
    assert_eq!(postmaster(home.path()), None, "{status}: {text}");
    // And nothing in the way of the next start.
    let server = Server::start(&mut serve(home.path()));
    assert_eq!(server.connect().register("ada@example.com").status, 201);
    server.stop();
}

#[test]
fn death_of_the_private_postgresql_is_mended() {
    let home = home();
    let server = Server::start(&mut serve(home.path()));
    assert_eq!(server.connect().register("ada@example.com").status, 201);
    let pid: i32 = postmaster(home.path()).unwrap().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    server.await_log("the private PostgreSQL is back");
    let mut client = server.connect();
    // Both answers are true ones: not now, and later yes.
    while client.register("eve@example.com").status == 503 {}
    assert_eq!(client.register("eve@example.com").status, 409);
    assert_eq!(client.register("ada@example.com").status, 409);
    drop(client);
    server.stop();
}
