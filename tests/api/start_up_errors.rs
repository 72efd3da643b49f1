//! What keeps the server from starting is told in a sentence with its remedy, and by the exit status.

use crate::support::{
    postgres::{Spec, TestCluster},
    server::{Deployment, Server, on_free_ports, write_private},
};
use expect_test::{Expect, expect};
use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};
use tempfile::TempDir;

/// Runs what must fail with this exit status; `places` are replaced by names in what is compared.
fn fails(command: &mut Command, code: i32, places: &[(&str, &str)], expected: Expect) {
    let (status, mut text) = Server::spawn(command).wait();
    assert_eq!(status.code(), Some(code), "{text}");
    for (place, name) in places {
        text = text.replace(place, name);
    }
    // Warnings about the machine are not what is looked at here.
    let errors: String = text.lines().filter(|line| !line.starts_with('{')).map(|line| format!("{line}\n")).collect();
    expected.assert_eq(&errors);
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn nobody_listens_at_the_database_address() {
    let deployment = Deployment::new();
    let port = free_port();
    let url = format!("postgres://jeday@127.0.0.1:{port}/auth");
    fails(
        deployment.jeday(["serve"]).env("DB_URL", url),
        1,
        &[(&port.to_string(), "PORT")],
        expect![[r#"
        jeday: error: no PostgreSQL listens at 127.0.0.1:PORT; start it, or correct the host and port
    "#]],
    );
}

#[test]
fn database_host_does_not_exist() {
    let deployment = Deployment::new();
    let mut command = deployment.jeday(["serve"]);
    let (status, text) = Server::spawn(command.env("DB_URL", "postgres://jeday@db.invalid/auth")).wait();
    // The resolver's words differ from machine to machine.
    assert_eq!(status.code(), Some(1));
    assert!(text.contains("jeday: error: the database host db.invalid was not found ("), "{text}");
    assert!(text.contains("check its spelling and the name server"), "{text}");
}

#[test]
fn database_url_cannot_be_read() {
    let deployment = Deployment::new();
    let urls = [
        (
            "mysql://jeday:hunter2@localhost/auth",
            expect![[r#"
            jeday: error: DB_URL=(not shown): it does not start with postgres:// or postgresql://
            hint: accepted: a URL such as postgres://user:password@host:5432/database, or key=value pairs
        "#]],
        ),
        (
            "postgres://jeday:hunter2@localhost:port/auth",
            expect![[r#"
            jeday: error: the value of port is not valid: accepted is a number from 1 to 65535 for each host, or one for all
            hint: DB_URL takes what psql takes, as postgres://user@host/database
        "#]],
        ),
        (
            "postgres://jeday:hunter2@localhost/auth?sslmode=maybe",
            expect![[r#"
            jeday: error: the value of sslmode is not valid: accepted is disable, allow, prefer, require, verify-ca or verify-full
            hint: DB_URL takes what psql takes, as postgres://user@host/database
        "#]],
        ),
        (
            "postgres://jeday:hunter2@localhost/auth?colour=blue",
            expect![[r#"
            jeday: error: there is no connection parameter colour
            hint: DB_URL takes what psql takes, as postgres://user@host/database
        "#]],
        ),
    ];
    for (url, expected) in urls {
        let mut command = deployment.jeday(["serve"]);
        let (status, text) = Server::spawn(command.env("DB_URL", url)).wait();
        assert!(status.code() == Some(1) || status.code() == Some(2), "{status}");
        assert!(!text.contains("hunter2"), "{text}");
        let errors: String =
            text.lines().filter(|line| !line.starts_with('{')).map(|line| format!("{line}\n")).collect();
        expected.assert_eq(&errors);
    }
}

#[test]
fn database_does_not_accept_the_password() {
    let cluster = TestCluster::start(&Spec {
        hba: "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
        ..Spec::default()
    });
    let deployment = Deployment::on(&cluster);
    cluster.sql("postgres", "CREATE ROLE jeday LOGIN PASSWORD 'right'");
    let port = cluster.port().to_string();
    let url = |user: &str| cluster.tcp_url(user, deployment.database());
    let places = [(port.as_str(), "PORT")];
    fails(
        deployment.jeday(["serve"]).env("DB_URL", url("jeday:wrong")),
        1,
        &places,
        expect![[r#"
        jeday: error: 127.0.0.1:PORT did not accept the credentials of user jeday: password authentication failed for user "jeday"; check the user and the password
    "#]],
    );
    fails(
        deployment.jeday(["serve"]).env("DB_URL", url("jeday")),
        1,
        &places,
        expect![[r#"
        jeday: error: 127.0.0.1:PORT asks for the password of user jeday; give it in the database URL, PGPASSWORD or ~/.pgpass
    "#]],
    );
    fails(
        deployment.jeday(["serve"]).env("DB_URL", url("nobody:wrong")),
        1,
        &places,
        expect![[r#"
        jeday: error: 127.0.0.1:PORT did not accept the credentials of user nobody: password authentication failed for user "nobody"; check the user and the password
    "#]],
    );
}

#[test]
fn database_does_not_exist() {
    let deployment = Deployment::new();
    let cluster = TestCluster::shared();
    let port = cluster.port().to_string();
    let url = cluster.tcp_url("postgres", "nowhere");
    fails(
        deployment.jeday(["serve"]).env("DB_URL", url),
        1,
        &[(&port, "PORT")],
        expect![[r#"
        jeday: error: there is no database nowhere at 127.0.0.1:PORT; create it (createdb nowhere) or correct the name
    "#]],
    );
}

#[test]
fn database_may_lose_what_was_confirmed() {
    let deployment = Deployment::new();
    let cluster = TestCluster::shared();
    let port = cluster.port().to_string();
    let database = deployment.database();
    deployment.sql(&format!("ALTER DATABASE {database} SET synchronous_commit = off"));
    let url = cluster.tcp_url("postgres", database);
    let mut command = deployment.jeday(["serve"]);
    fails(
        command.env("DB_URL", &url),
        1,
        &[(&port, "PORT"), (database, "DATABASE")],
        expect![[r#"
        jeday: error: 127.0.0.1:PORT has synchronous_commit = off: commits are confirmed before they reach the disk; run there: ALTER ROLE ... SET synchronous_commit = on, or the same for the database or the system; see pg_db_role_setting and pg_settings for where it is off
    "#]],
    );
    let mut command = deployment.jeday(["serve", "--allow-unsafe-durability"]);
    assert_eq!(Server::start(command.env("DB_URL", &url)).connect().register("ada@example.com").status, 201);
}

#[test]
fn tables_are_missing_or_of_another_version() {
    let deployment = Deployment::new();
    fails_with_schema(
        &deployment,
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
        expect![[r#"
        jeday: error: the database has no Jeday tables yet: run `jeday migrate up`
        hint: with the same DB_URL: jeday migrate up
    "#]],
    );
    let deployment = Deployment::new();
    assert!(deployment.jeday(["migrate", "down"]).output().unwrap().status.success());
    fails_with_schema(
        &deployment,
        "SELECT 1",
        expect![[r#"
        jeday: error: the database is at version 4, this jeday needs 5: run `jeday migrate up`
        hint: with the same DB_URL: jeday migrate up
    "#]],
    );
}

fn fails_with_schema(deployment: &Deployment<'_>, sql: &str, expected: Expect) {
    deployment.sql(sql);
    fails(&mut deployment.jeday(["serve"]), 1, &[(deployment.database(), "DATABASE")], expected);
}

#[test]
fn database_is_of_a_newer_version() {
    let deployment = Deployment::new();
    deployment.sql(
        "INSERT INTO schema_migrations (version, name, checksum, applied_at) \
         SELECT 9999, 'from_the_future', checksum, now() FROM schema_migrations LIMIT 1",
    );
    fails(
        &mut deployment.jeday(["serve"]),
        1,
        &[(deployment.database(), "DATABASE")],
        expect![[r#"
        jeday: error: this jeday knows migrations up to 5, the database is at 9999: use a newer jeday, or migrate down with the newer one first
    "#]],
    );
}

#[test]
fn port_is_in_use() {
    let deployment = Deployment::new();
    let server = deployment.serve();
    let (public, operator) = (server.address().to_string(), server.operator_address().to_string());
    let mut command = deployment.jeday(["serve"]);
    fails(
        command.env("SERVER_ADDRESS", &public),
        1,
        &[(&public, "ADDRESS")],
        expect![[r#"
        jeday: error: cannot listen on ADDRESS: Address already in use
        hint: another program listens there: stop it, or choose another port by server.address
    "#]],
    );
    let mut command = deployment.jeday(["serve"]);
    fails(
        command.env("METRICS_ADDRESS", &operator),
        1,
        &[(&operator, "ADDRESS")],
        expect![[r#"
        jeday: error: cannot listen on ADDRESS: Address already in use
        hint: another program listens there: stop it, or choose another port by metrics.address
    "#]],
    );
    assert_eq!(server.connect().register("ada@example.com").status, 201, "the first is not disturbed");
}

#[test]
fn address_is_not_of_this_machine() {
    let deployment = Deployment::new();
    let mut command = deployment.jeday(["serve"]);
    // TEST-NET-1 (RFC 5737).
    fails(
        command.env("SERVER_ADDRESS", "192.0.2.1:8080"),
        1,
        &[],
        expect![[r#"
        jeday: error: cannot listen on 192.0.2.1:8080: Cannot assign requested address
        hint: server.address must be an address of this machine
    "#]],
    );
}

#[test]
fn key_file_is_missing_or_open_to_others_or_broken() {
    let deployment = Deployment::new();
    let file = deployment.key_file();
    let shown = file.display().to_string();
    let places = [(shown.as_str(), "FILE")];
    let good = fs::read_to_string(&file).unwrap();

    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    fails(
        &mut deployment.jeday(["serve"]),
        1,
        &places,
        expect![[r#"
        jeday: error: the key file FILE is open to others (mode 0640): `chmod 600 FILE`
    "#]],
    );

    fs::remove_file(&file).unwrap();
    fails(
        &mut deployment.jeday(["serve"]),
        1,
        &places,
        expect![[r#"
        jeday: error: there is no key file FILE: `jeday keygen` makes one
    "#]],
    );
    assert!(!file.exists(), "keys of a database that is given are not made unasked");

    write_private(&file, "something else\n");
    fails(
        &mut deployment.jeday(["serve"]),
        1,
        &places,
        expect![[r#"
        jeday: error: the key file FILE is damaged: line 1: does not say `jeday-keys 1`: not a key file, or one of a newer version of Jeday
    "#]],
    );

    let without_pepper: String =
        good.lines().filter(|line| !line.starts_with("pepper")).map(|line| format!("{line}\n")).collect();
    write_private(&file, &without_pepper);
    fails(
        &mut deployment.jeday(["serve"]),
        1,
        &places,
        expect![[r#"
        jeday: error: the key file has no pepper: restore it from a copy, or where no password is stored yet, `jeday keygen --rotate pepper` adds one
    "#]],
    );

    write_private(&file, &good);
    assert_eq!(deployment.serve().connect().register("ada@example.com").status, 201);
}

#[test]
fn no_key_file_is_named() {
    let deployment = Deployment::new();
    fails(
        deployment.jeday(["serve"]).env_remove("KEY_FILE"),
        1,
        &[],
        expect![[r#"
        jeday: error: no key file is configured: without its keys no password can be stored or checked
        hint: jeday keygen --key-file FILE makes one; then set KEY_FILE=FILE
    "#]],
    );
}

#[test]
fn settings_that_cannot_be_used_are_all_told() {
    let deployment = Deployment::new();
    let files = TempDir::new().unwrap();
    let file = files.path().join("jeday.toml");
    fs::write(&file, "[server]\nadress = \":8080\"\nidle_timeout = \"soon\"\n").unwrap();
    let shown = file.display().to_string();
    let mut command = deployment.jeday(["serve", "--config", &shown, "--set", "registration.batch_size=0"]);
    fails(
        command.env("JEDAY_DB_URL", "postgres://"),
        2,
        &[(&shown, "FILE")],
        expect![[r#"
        jeday: error: FILE:2: unknown setting server.adress
        hint: did you mean server.address?
        jeday: error: unknown environment variable JEDAY_DB_URL
        hint: did you mean DB_URL?
        jeday: error: FILE:3: server.idle_timeout = "soon": it is not a number followed by a unit
        hint: accepted: a duration such as 500ms, 10s or 1m30s, from 100ms to 1h
        jeday: error: --set registration.batch_size=0: the least is 1
        hint: accepted: a whole number, from 1 to 10000
    "#]],
    );
    fails(
        &mut deployment.jeday(["serve", "--adress", ":8080"]),
        2,
        &[],
        expect![[r#"
        jeday: error: unexpected argument '--adress' found

          tip: a similar argument exists: '--address'

        Usage: jeday serve --address <ADDRESS>

        For more information, try '--help'.
    "#]],
    );
}

#[test]
fn state_directory_cannot_be_used() {
    let mut command = crate::support::server::jeday(["serve"]);
    on_free_ports(&mut command);
    let files = TempDir::new().unwrap();
    let file = files.path().join("state");
    fs::write(&file, "").unwrap();
    let shown = file.display().to_string();
    fails(
        command.env("JEDAY_STATE_DIRECTORY", &file),
        1,
        &[(&shown, "DIRECTORY")],
        expect![[r#"
            jeday: error: cannot lock DIRECTORY/jeday.lock: Not a directory (os error 20)
            hint: see what is wrong there, or choose another state directory by JEDAY_STATE_DIRECTORY
        "#]],
    );
    assert_eq!(mode(&file), 0o644 & mode(&file), "left as it was");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}
