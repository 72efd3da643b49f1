//! Which source wins.

use super::*;

/// Every source that can set `registration.batch_size`, from the weakest, with a value of its own.
const RANKED: [&str; 7] = [
    "default",
    "topology",
    "profile.toml:2",
    "jeday.toml:3",
    "REGISTRATION_BATCH_SIZE",
    "JEDAY_REGISTRATION_BATCH_SIZE",
    "--set",
];

fn resolve_with(present: &[&str]) -> (Config, Provenance) {
    let profile = file("profile.toml", "[registration]\nbatch_size = 2");
    let configuration = file("jeday.toml", "# a comment\n[registration]\nbatch_size = 3");
    let has = |name| present.contains(&name);
    let environment = [("REGISTRATION_BATCH_SIZE", "4"), ("JEDAY_REGISTRATION_BATCH_SIZE", "5")];
    let sources = Sources {
        topology: match has("topology") {
            true => Suggestions::none().with("registration.batch_size", 1),
            false => Suggestions::none(),
        },
        profile: has("profile.toml:2").then_some(&profile),
        file: has("jeday.toml:3").then_some(&configuration),
        environment: Environment::new(environment.into_iter().filter(|(name, _)| has(name))),
        cli: match has("--set") {
            true => CliValues::none().set("registration.batch_size=6"),
            false => CliValues::none(),
        },
    };
    Config::resolve(&sources).unwrap()
}

#[test]
fn of_any_two_sources_the_stronger_wins() {
    for (weak_rank, weak) in RANKED.iter().enumerate() {
        for (strong_rank, strong) in RANKED.iter().enumerate().skip(weak_rank + 1) {
            let (config, provenance) = resolve_with(&[weak, strong]);
            assert_eq!(config.registration.batch_size, strong_rank, "{weak} {strong}");
            let source = &provenance.get("registration.batch_size").unwrap().source;
            assert_eq!(source.to_string(), *strong);
        }
    }
}

#[test]
fn a_flag_of_its_own_wins_over_set_and_environment() {
    let setting = settings::find("server.address").unwrap();
    let sources = Sources {
        environment: variables([("SERVER_ADDRESS", ":1")]),
        cli: CliValues::none().flag(setting, ":3").set("server.address=:2"),
        ..Sources::default()
    };
    let (config, provenance) = Config::resolve(&sources).unwrap();
    assert_eq!(config.server.address.port(), 3);
    let source = &provenance.get("server.address").unwrap().source;
    assert_eq!(source, &Source::Flag("address"));
}

#[test]
fn the_go_versions_variables_go_on_working() {
    let sources = Sources {
        environment: variables([
            ("DB_URL", "postgresql://user:secret@localhost:5432/auth_db?sslmode=disable"),
            ("SERVER_ADDRESS", "0.0.0.0:8080"),
            ("TOKEN_SYMMETRIC_KEY", "12345678901234567890123456789012"),
            ("ACCESS_TOKEN_DURATION", "24h"),
            ("REGISTRATION_BATCH_SIZE", "250"),
            ("REGISTRATION_BATCH_WAIT", "5ms"),
            ("WORKER_INTERVAL", "7s"),
            ("WORKER_UPGRADE_LIMIT", "3"),
            ("LOG_LEVEL", "WARNING"),
        ]),
        ..Sources::default()
    };
    let (config, provenance) = Config::resolve(&sources).unwrap();
    let url = config.database.url.unwrap();
    assert!(url.expose().starts_with("postgresql://user:secret@"));
    assert_eq!(config.server.address.to_string(), "0.0.0.0:8080");
    let key = config.tokens.symmetric_key.unwrap();
    assert_eq!(key.expose(), b"12345678901234567890123456789012");
    assert_eq!(config.tokens.access_duration, Duration::from_secs(86_400));
    assert_eq!(config.registration.batch_size, 250);
    assert_eq!(config.registration.batch_wait, Duration::from_millis(5));
    assert_eq!(config.hardening.worker_interval, Duration::from_secs(7));
    assert_eq!(config.hardening.claim_size, 3);
    assert_eq!(config.log.level, LogLevel::Warn);
    assert_eq!(provenance.without_effect().map(|entry| entry.setting.key).next(), None);
}

#[test]
fn an_empty_variable_counts_as_absent() {
    let sources =
        Sources { environment: variables([("DB_URL", ""), ("TOKEN_SYMMETRIC_KEY", "")]), ..Sources::default() };
    let (config, _) = Config::resolve(&sources).unwrap();
    assert_eq!(config.database.url, None);
}

#[test]
fn auto_and_off_take_back_what_a_weaker_source_set() {
    let configuration = file(
        "jeday.toml",
        "metrics.address = ':9'\ncores = { request_shards = 3, cpus = [0, '2-4'] }\nserver.trusted_proxies = ['::1', '10.0.0.0/8']\nserver.cors_origins = ['http://localhost:3000', 'https://a.example']\nhardening = { memory = '19MiB', passes = 2 }",
    );
    let sources = Sources { file: Some(&configuration), ..Sources::default() };
    let (config, _) = Config::resolve(&sources).unwrap();
    assert_eq!(config.cores.request_shards, Some(3));
    assert_eq!(config.cores.cpus.unwrap().as_slice(), [0, 2, 3, 4]);
    assert_eq!(config.server.trusted_proxies.to_string(), "::1,10.0.0.0/8");
    assert_eq!(config.server.cors_origins.to_string(), "http://localhost:3000,https://a.example");
    assert_eq!((config.hardening.memory, config.hardening.passes), (Some(19 << 20), Some(2)));
    let sources = Sources {
        environment: variables([
            ("METRICS_ADDRESS", "off"),
            ("REQUEST_SHARDS", "auto"),
            ("CPUS", "auto"),
            ("TRUSTED_PROXIES", "none"),
            ("CORS_ORIGINS", "none"),
            ("ARGON2_MEMORY", "auto"),
            ("ARGON2_PASSES", "auto"),
        ]),
        ..sources
    };
    let (config, _) = Config::resolve(&sources).unwrap();
    assert_eq!(config.metrics.address, None);
    assert_eq!(config.cores.request_shards, None);
    assert_eq!(config.cores.cpus, None);
    assert!(config.server.trusted_proxies.is_empty() && config.server.cors_origins.is_empty());
    assert_eq!((config.hardening.memory, config.hardening.passes), (None, None));
}

#[test]
fn the_state_directory_follows_systemd_then_xdg_then_home() {
    let placed = |environment: &[(&str, &str)]| {
        let (config, provenance) = Config::resolve(&Sources {
            environment: Environment::new(environment.iter().copied()),
            ..Sources::default()
        })
        .unwrap();
        let source = &provenance.get("cluster.state_directory").unwrap().source;
        format!("{} {source}", config.cluster.state_directory.display())
    };
    let home = ("HOME", "/home/me");
    let xdg = ("XDG_STATE_HOME", "/state/");
    let unit = ("STATE_DIRECTORY", "/var/lib/unit:/var/lib/other");
    let own = ("JEDAY_STATE_DIRECTORY", "/srv/jeday");
    assert_eq!(placed(&[]), "/var/lib/jeday default");
    assert_eq!(placed(&[home]), "/home/me/.local/state/jeday HOME");
    assert_eq!(placed(&[home, xdg]), "/state/jeday XDG_STATE_HOME");
    assert_eq!(placed(&[home, ("XDG_STATE_HOME", "relative")]), "/home/me/.local/state/jeday HOME");
    assert_eq!(placed(&[home, xdg, unit]), "/var/lib/unit STATE_DIRECTORY");
    assert_eq!(placed(&[home, xdg, unit, own]), "/srv/jeday JEDAY_STATE_DIRECTORY");
}

#[test]
fn root_keeps_its_state_where_the_database_user_can_enter() {
    let environment = Environment::new([("HOME", "/root")]).of_root(true);
    let (config, _) = Config::resolve(&Sources { environment, ..Sources::default() }).unwrap();
    assert_eq!(config.cluster.state_directory, PathBuf::from("/var/lib/jeday"));
}

#[test]
fn a_keys_file_is_made_up_only_beside_the_private_cluster() {
    let keys = |environment: &[(&str, &str)]| {
        let (config, _) = Config::resolve(&Sources {
            environment: Environment::new(environment.iter().copied()),
            ..Sources::default()
        })
        .unwrap();
        config.keys.file
    };
    let state = ("JEDAY_STATE_DIRECTORY", "/srv/jeday");
    let database = ("DB_URL", "postgres://db/auth");
    assert_eq!(keys(&[state]), Some(PathBuf::from("/srv/jeday/keys")));
    assert_eq!(keys(&[state, database]), None);
    assert_eq!(keys(&[state, database, ("KEY_FILE", "/etc/jeday/keys")]), Some(PathBuf::from("/etc/jeday/keys")));
}
