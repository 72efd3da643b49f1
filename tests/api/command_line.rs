//! The subcommands that serve nothing: keygen, config, doctor, plan, completions, man, help.

use crate::support::{
    postgres::TestCluster,
    server::{Deployment, jeday},
};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

const SUBCOMMANDS: [&str; 13] = [
    "serve",
    "worker",
    "status",
    "migrate",
    "keygen",
    "config",
    "doctor",
    "plan",
    "tune",
    "top",
    "bench",
    "completions",
    "man",
];

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What it says when it succeeds.
fn said(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    // The log, if any, is there too.
    assert!(status.success() && text(&stderr).lines().all(|line| line.starts_with('{')), "{status}: {}", text(&stderr));
    text(&stdout).to_owned()
}

/// Exit status and what it complains of.
fn complaint(command: &mut Command) -> (i32, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(!status.success() && stdout.is_empty(), "{status}: {}", text(&stdout));
    (status.code().unwrap(), text(&stderr).to_owned())
}

#[test]
fn keygen_makes_a_private_file_and_never_overwrites_it() {
    let files = TempDir::new().unwrap();
    let file = files.path().join("keys");
    let path = file.to_str().unwrap();
    assert!(said(&mut jeday(["keygen", "--key-file", path])).contains("keep a copy in a safe place"));
    let keys = fs::read_to_string(&file).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, words) = complaint(&mut jeday(["keygen", "--key-file", path]));
    assert!(code == 1 && words.contains(path), "{words}");
    assert_eq!(fs::read_to_string(&file).unwrap(), keys);

    let printed = said(&mut jeday(["keygen", "--stdout"]));
    let kinds = |keys: &str| -> Vec<String> {
        let lines = keys.lines().skip(1).filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
    };
    assert_eq!(kinds(&printed), ["pepper", "token-local", "token-public", "refresh"]);
    assert_eq!(kinds(&printed), kinds(&keys));
    assert_ne!(printed, said(&mut jeday(["keygen", "--stdout"])), "new ones each time");
}

#[test]
fn keys_are_exchanged_one_step_at_a_time_and_never_shown() {
    let files = TempDir::new().unwrap();
    let path = files.path().join("keys");
    let path = path.to_str().unwrap();
    said(&mut jeday(["keygen", "--key-file", path]));
    let keygen = |change: &[&str]| said(jeday(["keygen", "--key-file", path]).args(change));
    // Kind and use of each key, in the order of the list.
    let uses = || -> Vec<String> {
        let list = keygen(&["--list"]);
        let secrets = fs::read_to_string(path).unwrap();
        let mut secrets = secrets.split_whitespace().filter(|word| word.len() == 43);
        assert!(secrets.all(|secret| !list.contains(secret)), "{list}");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let key = |line: &str| format!("{} {}", words(line)[0], words(line)[5..].join(" "));
        list.lines().skip(1).map(key).filter(|key| key.starts_with("token-local")).collect()
    };
    assert_eq!(uses(), ["token-local in use"]);
    assert!(keygen(&["--stage", "token-local"]).contains("every node"));
    assert_eq!(uses(), ["token-local in use", "token-local staged"]);
    keygen(&["--promote", "token-local"]);
    assert_eq!(uses(), ["token-local in use", "token-local old"]);
    keygen(&["--rotate", "token-local"]);
    assert_eq!(uses(), ["token-local in use", "token-local old", "token-local old"]);

    let refused = |change: &[&str]| complaint(jeday(["keygen", "--key-file", path]).args(change));
    let (code, words) = refused(&["--promote", "token-local"]);
    assert!(code == 1 && words.contains("`--stage token-local`"), "{words}");
    let (code, words) = refused(&["--promote", "salt"]);
    assert!(code == 2 && words.contains("token-public"), "{words}");
    assert_eq!(refused(&["--list", "--stage", "pepper"]).0, 2);
    assert_eq!(refused(&["--stdout", "--list"]).0, 2);
}

#[test]
fn config_shows_sources_and_masks_secrets() {
    let files = TempDir::new().unwrap();
    let file = files.path().join("jeday.toml");
    fs::write(&file, "[server]\nidle_timeout = \"9s\"\nbacklog = 77\n").unwrap();
    let mut command = jeday(["config", "--config", file.to_str().unwrap(), "--set", "server.backlog=88"]);
    command.env("DB_URL", "postgres://jeday:hunter2@db/auth").env("LOG_LEVEL", "debug");
    let shown = said(&mut command);
    let line = |start: &str| shown.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{shown}"));
    assert!(line("idle_timeout").contains("\"9s\"") && line("idle_timeout").contains("jeday.toml:2"), "{shown}");
    assert!(line("backlog").contains("88") && line("backlog").contains("--set"), "{shown}");
    assert!(line("level").contains("\"debug\"") && line("level").contains("LOG_LEVEL"), "{shown}");
    assert!(line("url").contains("jeday") && !shown.contains("hunter2"), "{shown}");

    // The sample says what holds anyway, so that it can be started from.
    let sample = said(&mut jeday(["config", "--defaults"]));
    fs::write(&file, &sample).unwrap();
    assert_eq!(
        said(&mut jeday(["config", "--config", file.to_str().unwrap(), "--json"])),
        said(&mut jeday(["config", "--json"]))
    );
}

#[test]
fn doctor_finds_what_is_wrong_with_its_remedy() {
    let deployment = Deployment::new();
    let healthy = deployment.jeday(["doctor"]).output().unwrap();
    let words = text(&healthy.stdout);
    assert!(healthy.status.success(), "{words}");
    let machine = ["kernel", "io_uring", "locked memory", "open files", "clock source", "cores", "argon2id engine"];
    for check in machine.into_iter().chain(["database", "durability", "schema", "max_wal_size", "connections", "clock"])
    {
        assert!(words.lines().any(|line| line.contains(&format!(" {check}: "))), "{check}: {words}");
    }

    deployment.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    deployment.sql(&format!("ALTER DATABASE {} SET synchronous_commit = off", deployment.database()));
    let broken = deployment.jeday(["doctor", "--json", "--allow-unsafe-durability"]).output().unwrap();
    assert_eq!(broken.status.code(), Some(1));
    let checks: Vec<Value> = serde_json::from_slice(&broken.stdout).unwrap();
    let verdict = |name: &str| {
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        (check["verdict"].as_str().unwrap(), check["remedy"].as_str().unwrap_or_default())
    };
    assert!(matches!(verdict("schema"), ("fatal", remedy) if remedy.contains("jeday migrate up")), "{checks:?}");
    assert!(matches!(verdict("durability"), ("warning", remedy) if remedy.contains("ALTER ")), "{checks:?}");

    let greedy = (deployment.jeday(["doctor", "--json", "--allow-unsafe-durability"]))
        .args(["--set", "database.write_connections=64"])
        .output()
        .unwrap();
    let checks: Vec<Value> = serde_json::from_slice(&greedy.stdout).unwrap();
    let budget = checks.iter().find(|check| check["name"] == "connections").unwrap();
    assert_eq!(budget["verdict"], "fatal", "{budget}");

    let url = TestCluster::shared().tcp_url("jeday:hunter2", "nowhere");
    let unreachable = deployment.jeday(["doctor"]).env("DB_URL", url).output().unwrap();
    assert_eq!(unreachable.status.code(), Some(1));
    assert!(text(&unreachable.stdout).contains("fatal") && !text(&unreachable.stdout).contains("hunter2"));
}

#[test]
fn bench_recommends_parameters_that_a_server_takes() {
    let quick = ["bench", "argon2", "--json", "--target-ms", "10000", "--memory-max-mib", "12", "--sample-ms", "1"];
    let figures: Value = serde_json::from_str(&said(&mut jeday(quick))).unwrap();
    assert_eq!(figures["presets"].as_array().unwrap().len(), 6, "{figures}");
    let recommended = &figures["recommended"];
    assert_eq!(recommended["memory_kib"], 12 << 10, "{figures}");
    assert!(recommended["ms"].as_f64().unwrap() > 0.0);
    let mut plan = jeday(["plan"]);
    plan.env("ARGON2_MEMORY", format!("{}KiB", recommended["memory_kib"]));
    plan.env("ARGON2_PASSES", recommended["passes"].to_string());
    plan.env("ARGON2_LANES", recommended["lanes"].to_string());
    said(&mut plan);
}

#[test]
fn plan_shows_which_core_does_what() {
    let plan: Value = serde_json::from_str(&said(&mut jeday(["plan", "--json"]))).unwrap();
    let shards = plan["shards"].as_array().unwrap();
    assert!(!shards.is_empty() && !plan["password_cores"].as_array().unwrap().is_empty(), "{plan}");
    assert!(shards.iter().enumerate().all(|(index, shard)| shard["index"] == index && shard["cpu"].is_u64()), "{plan}");
    let picture = said(&mut jeday(["plan"]));
    assert!(picture.contains("request shard") && picture.contains("MiB for hashing, "), "{picture}");
    let of_cores =
        plan["password_cores"].as_array().unwrap().iter().map(|core| core["hash_memory_bytes"].as_u64().unwrap());
    assert_eq!(plan["hash_memory_bytes"], of_cores.sum::<u64>(), "{plan}");
    let one: Value =
        serde_json::from_str(&said(&mut jeday(["plan", "--json", "--set", "cores.request_shards=1"]))).unwrap();
    assert_eq!(one["shards"].as_array().unwrap().len(), 1);
    let (code, words) = complaint(&mut jeday(["plan", "--set", "cores.request_shards=1024"]));
    assert!(code != 0 && words.starts_with("jeday: error: ") && words.contains("1024"), "{words}");
}

#[test]
fn completions_can_be_loaded() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = said(&mut jeday(["completions", shell]));
        assert!(SUBCOMMANDS.iter().all(|name| script.contains(name)), "{shell}");
    }
    let script = said(&mut jeday(["completions", "bash"]));
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
    assert!(said(&mut jeday(["man"])).contains(".TH "));
}

#[test]
fn help_has_examples_and_mistakes_have_status_2() {
    assert!(said(&mut jeday([])).contains("Usage: jeday"));
    assert_eq!(said(&mut jeday(["--version"])), format!("jeday {}\n", env!("CARGO_PKG_VERSION")));
    for name in SUBCOMMANDS {
        let help = said(&mut jeday([name, "--help"]));
        assert!(help.contains("Examples:") && help.contains("Usage: jeday"), "{name}: {help}");
        assert_eq!(said(&mut jeday(["help", name])), help, "{name}");
        assert_eq!(complaint(&mut jeday([name, "--no-such-flag"])).0, 2, "{name}");
    }
    let (code, words) = complaint(&mut jeday(["serv"]));
    assert!(code == 2 && words.contains("'serve'"), "{words}");
}
