//! The containers: what each of them may do, and that their commands, environment and secrets bring Jeday up.

use crate::{
    program, project, read, said,
    seccomp::filtered,
    support::{
        postgres::{Spec, TestCluster},
        server::{CHEAP, JEDAY, Server, on_free_ports},
    },
};
use serde_json::Value;
use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A password that is asked for: everybody but the superuser has to know his.
const HBA: &str = "local all postgres trust\nlocal all all scram-sha-256\n";

/// docker-compose.yml as Compose understands it, with every profile; `None` without Compose.
fn composition() -> Option<Value> {
    let compose = program("docker-compose", "`make container-tools` installs it")?;
    let mut command = Command::new(compose);
    command.arg("--file").arg(project().join("docker-compose.yml")).args([
        "--profile",
        "*",
        "config",
        "--format",
        "json",
    ]);
    command.env_clear().env("PATH", env::var_os("PATH").unwrap()).env("HOME", "/nonexistent");
    Some(serde_json::from_str(&said(&mut command)).unwrap())
}

/// Words of a list; none for null.
fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// What stands behind an instruction of the Dockerfile, as the list that it is.
fn of_image(instruction: &str) -> Vec<String> {
    let text = read("Dockerfile");
    let line = text.lines().find(|line| line.starts_with(instruction)).unwrap_or_else(|| panic!("{instruction}"));
    words(&serde_json::from_str(&line[line.find('[').unwrap()..]).unwrap())
}

/// Files and directories in the place of a container's volumes and secrets.
struct Host {
    cluster: TestCluster,
    files: TempDir,
}

impl Host {
    /// A PostgreSQL with the role that the container's own script makes.
    fn new() -> Host {
        let cluster = TestCluster::start(&Spec { hba: HBA, ..Spec::default() });
        let files = TempDir::new().unwrap();
        let host = Host { cluster, files };
        said(Command::new(project().join("scripts/make-secrets.sh")).arg(host.secrets()));
        let mut script = Command::new(project().join("deploy/postgres/make-role.sh"));
        script.env("POSTGRES_USER", "postgres").env("JEDAY_PASSWORD_FILE", host.secrets().join("jeday-password"));
        said(script.env("PGHOST", host.cluster.socket_directory()).env("PGPORT", host.cluster.port().to_string()));
        host
    }

    fn secrets(&self) -> PathBuf {
        self.files.path().join("secrets")
    }

    fn keys(&self) -> PathBuf {
        self.files.path().join("keys")
    }

    /// A service's program with its environment, paths and names of the container's world replaced by those here.
    fn service(&self, service: &Value) -> Command {
        let mut words = match words(&service["entrypoint"]) {
            own if own.is_empty() => [of_image("ENTRYPOINT"), self::words(&service["command"])].concat(),
            own => own,
        };
        if service["entrypoint"].is_null() && service["command"].is_null() {
            words.extend(of_image("CMD"));
        }
        let mut command = filtered(&[]).unwrap_or_else(|| Command::new("env"));
        // In the output of Compose a dollar of a container's own is written twice.
        command.args(words.iter().map(|word| word.replace("$$", "$"))).current_dir("/");
        let beside = Path::new(JEDAY).parent().unwrap();
        let path =
            env::join_paths([beside.to_owned()].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap())));
        command.env_clear().env("PATH", path.unwrap()).env("PGPORT", self.cluster.port().to_string());
        for (name, value) in service["environment"].as_object().unwrap() {
            let value = value.as_str().unwrap();
            match name.as_str() {
                "JEDAY_CONFIG" => {
                    command.env(name, self.secrets().join(value.strip_prefix("/run/secrets/").unwrap()));
                }
                "KEY_FILE" => {
                    command.env(name, self.keys());
                }
                "PGHOST" => {
                    command.env(name, self.cluster.socket_directory());
                }
                _ => {
                    command.env(name, value);
                }
            }
        }
        on_free_ports(&mut command);
        command
    }
}

#[test]
fn the_containers_commands_bring_jeday_up() {
    let Some(composition) = composition() else { return };
    let host = Host::new();
    let service = |name: &str| host.service(&composition["services"][name]);
    said(&mut service("migrate"));
    said(&mut service("keys"));
    let keys = fs::read(host.keys()).unwrap();
    said(&mut service("keys"));
    assert_eq!(fs::read(host.keys()).unwrap(), keys, "made once");

    let server = Server::start(service("jeday").args(CHEAP.iter().flat_map(|setting| ["--set", setting])));
    assert_eq!(server.connect().register("contained@deploy.example").status, 201);
    let mut check = Command::new(JEDAY);
    check.args(&of_image("HEALTHCHECK")[1..]).env_clear();
    assert!(said(check.env("METRICS_ADDRESS", server.operator_address().to_string())).contains("\"status\":\"ok\""));

    let worker = Server::start(service("worker").args(CHEAP.iter().flat_map(|setting| ["--set", setting])));
    assert!(said(check.env("METRICS_ADDRESS", worker.operator_address().to_string())).contains("\"status\":\"ok\""));
    let role = host.cluster.sql("jeday", "SELECT rolsuper FROM pg_roles WHERE rolname = 'jeday'");
    assert_eq!((role.as_str(), host.cluster.sql("jeday", "SELECT count(*) FROM users").as_str()), ("f", "1"));
    server.stop();
    worker.stop();
}

#[test]
fn no_container_can_do_more_than_it_has_to() {
    let Some(composition) = composition() else { return };
    for (name, service) in composition["services"].as_object().unwrap() {
        assert_eq!(words(&service["cap_drop"]), ["ALL"], "{name}");
        assert!(service["cap_add"].is_null() && service["privileged"].is_null(), "{name}");
        assert!(words(&service["security_opt"]).contains(&"no-new-privileges:true".to_owned()), "{name}");
        assert!(!words(&service["security_opt"]).iter().any(|option| option.contains("unconfined")), "{name}");
        for port in service["ports"].as_array().into_iter().flatten() {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name}");
        }
        let image = service["image"].as_str().unwrap();
        assert!(
            !service["build"].is_null() || image.split_once(':').is_some_and(|(_, tag)| tag != "latest"),
            "{image}"
        );
        if image == "jeday" {
            assert_eq!(service["read_only"], true, "{name}");
            assert!(words(&service["security_opt"]).contains(&"seccomp=deploy/seccomp.json".to_owned()), "{name}");
        }
    }
    let text = read("Dockerfile");
    let user = text.lines().rev().find_map(|line| line.strip_prefix("USER ")).unwrap();
    assert!(user.parse::<u32>().unwrap() > 0, "an engine can tell that it is not root");
}

#[test]
fn secrets_come_from_files_and_none_is_built_in() {
    let Some(composition) = composition() else { return };
    for (name, service) in composition["services"].as_object().unwrap() {
        for (variable, value) in service["environment"].as_object().into_iter().flatten() {
            let secret = ["PASSWORD", "SECRET", "TOKEN", "DB_URL"].iter().any(|word| variable.contains(word));
            let by_file = variable.ends_with("_FILE") && value.as_str().unwrap().starts_with("/run/secrets/");
            assert!(!secret || by_file, "{name}: {variable}");
        }
    }
    let directory = TempDir::new().unwrap();
    let (first, second) = (directory.path().join("first"), directory.path().join("second"));
    let make = |at: &Path| Command::new(project().join("scripts/make-secrets.sh")).arg(at).output().unwrap();
    assert!(make(&first).status.success() && make(&second).status.success());
    assert_eq!(fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o700);
    for secret in composition["secrets"].as_object().unwrap().values() {
        let file = Path::new(secret["file"].as_str().unwrap());
        let name = file.file_name().unwrap();
        let made = fs::read(first.join(name)).unwrap();
        assert!(made.len() >= 32 && made != fs::read(second.join(name)).unwrap(), "{name:?}");
        assert!(
            !file.starts_with(project().join("deploy/secrets")) || read(".gitignore").contains("/deploy/secrets\n")
        );
    }
    assert!(read(".dockerignore").lines().any(|line| line == "deploy/secrets"));
    let before = fs::read(first.join("jeday.toml")).unwrap();
    assert!(!make(&first).status.success(), "what is there stays");
    assert_eq!(fs::read(first.join("jeday.toml")).unwrap(), before);
}

#[test]
fn postgresql_starts_with_the_containers_command() {
    let Some(composition) = composition() else { return };
    let database = &composition["services"]["database"];
    let command = words(&database["command"]);
    let mounted = database["volumes"].as_array().unwrap();
    let file = mounted.iter().find(|volume| volume["target"] == "/etc/postgresql/jeday.conf").unwrap();
    let file = fs::read(file["source"].as_str().unwrap()).unwrap();
    let cluster = TestCluster::start(&Spec::default());
    let settings = cluster.socket_directory().join("jeday.conf");
    fs::write(&settings, file).unwrap();
    // Started, it would need the memory that it asks for; like this it reads all of it and says one setting.
    let mut postgres = cluster.as_owner(&command[0]);
    let replaced = |word: &String| word.replace("/etc/postgresql/jeday.conf", settings.to_str().unwrap());
    postgres.args(command[1..].iter().map(replaced)).args(["-C", "listen_addresses"]);
    assert_eq!(said(&mut postgres).trim(), "*");
}

#[test]
fn a_linter_finds_nothing_in_the_dockerfiles() {
    let Some(linter) = program("hadolint", "`make container-tools` installs it") else { return };
    for file in ["Dockerfile", "deploy/pgbouncer/Dockerfile"] {
        said(Command::new(&linter).args(["--failure-threshold", "warning"]).arg(project().join(file)));
    }
}
