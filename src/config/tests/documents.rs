//! What is generated from the table and from a configuration.

use super::*;
use expect_test::{expect, expect_file};
use std::collections::BTreeSet;

#[test]
fn every_field_has_a_setting() {
    let shown = format!("{:?}", Config::default());
    for unset in [
        format!("{}", usize::MAX),
        format!("{:?}", Duration::MAX),
        format!("{:?}", f64::MAX),
        "service_name: \"\"".to_owned(),
        "Any { port: 0 }".to_owned(),
        "Never".to_owned(),
        "allow_unsafe_durability: true".to_owned(),
        "level: Off".to_owned(),
        "proxy_protocol: Required".to_owned(),
        "blank.invalid".to_owned(),
        "Human".to_owned(),
        "CpuList([])".to_owned(),
        "255.255.255.255".to_owned(),
        "Owasp7m".to_owned(),
        "Public".to_owned(),
        "issuer: \"\"".to_owned(),
        "audience: \"\"".to_owned(),
        "background: false".to_owned(),
        "allow_pending: false".to_owned(),
        "allow_weak_parameters: true".to_owned(),
        "state_directory: \"\"".to_owned(),
    ] {
        assert!(!shown.contains(&unset), "{unset} in {shown}");
    }
}

#[test]
fn keys_variables_and_flags_are_each_unique_and_well_formed() {
    let mut names = BTreeSet::new();
    let mut keys = BTreeSet::new();
    let mut flags = BTreeSet::new();
    for setting in settings::SETTINGS {
        assert!(keys.insert(setting.key), "{}", setting.key);
        assert_eq!(setting.key.matches('.').count(), 1, "{}", setting.key);
        assert!(setting.help.ends_with('.'), "{}", setting.key);
        for name in setting.variables.iter().map(|name| (*name).to_owned()) {
            assert!(names.insert(name.clone()), "{name}");
        }
        assert!(names.insert(setting.own_variable()));
        assert!(setting.flag.is_none_or(|flag| flags.insert(flag)));
        assert!(!setting.is_secret() || matches!(setting.default, settings::Fallback::Unset(_)));
    }
    let sections: Vec<_> = settings::SETTINGS
        .chunk_by(|left, right| left.section() == right.section())
        .map(|chunk| chunk[0].section())
        .collect();
    let distinct: BTreeSet<_> = sections.iter().collect();
    assert_eq!(sections.len(), distinct.len(), "sections are contiguous");
}

#[test]
fn the_sample_file_changes_nothing_and_its_lines_are_the_defaults() {
    let sample = settings::sample();
    let uncommented: String = sample
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    assert_ne!(sample.trim_end(), uncommented.trim_end());
    for text in [sample, uncommented] {
        let configuration = file("sample.toml", &text);
        let sources = Sources { file: Some(&configuration), ..Sources::default() };
        let (config, _) = Config::resolve(&sources).unwrap();
        assert_eq!(config, Config::default());
    }
}

#[test]
fn what_is_shown_reads_back_as_the_same_configuration() {
    let (config, provenance) = Config::resolve(&Sources::default()).unwrap();
    let shown = file("shown.toml", &provenance.to_toml());
    let sources = Sources { file: Some(&shown), ..Sources::default() };
    assert_eq!(Config::resolve(&sources).unwrap().0, config);
}

#[test]
fn values_are_shown_with_their_sources_and_without_secrets() {
    let configuration = file("/etc/jeday.toml", "[server]\nidle_timeout = '90s'\nbody_bytes_max = 20_000\n");
    let profile = file("cores-2.toml", "[cores]\nrequest_shards = 2\ncpus = '0-1'");
    let metrics = settings::find("metrics.address").unwrap();
    let sources = Sources {
        topology: Suggestions::none().with("cores.password_cores", 1),
        profile: Some(&profile),
        file: Some(&configuration),
        environment: variables([
            ("HOME", "/home/me"),
            ("DB_URL", "postgres://jeday:hunter2@db/auth"),
            ("TOKEN_SYMMETRIC_KEY", "hunter2hunter2hunter2hunter2hunt"),
        ]),
        cli: CliValues::none().flag(metrics, "off").set("log.level=DEBUG"),
    };
    let (config, provenance) = Config::resolve(&sources).unwrap();
    for shown in [provenance.to_toml(), provenance.to_json().to_string(), format!("{config:?}{provenance:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    expect![[r#"

        [server]
        address = "127.0.0.1:8080"                # from default
        backlog = 4096                            # from default
        connections_max = 16384                   # from default
        connections_per_address_max = 0           # from default
        header_timeout = "10s"                    # from default
        body_timeout = "20s"                      # from default
        idle_timeout = "1m30s"                    # from /etc/jeday.toml:2
        write_timeout = "20s"                     # from default
        body_bytes_max = 20000                    # from /etc/jeday.toml:3
        header_bytes_max = "16KiB"                # from default
        share_address = false                     # from default
        drain_timeout = "20s"                     # from default
        trusted_proxies = "none"                  # from default
        proxy_protocol = "off"                    # from default
        cors_origins = "none"                     # from default
        # tls_certificate is not set: plain HTTP  # from default
        # tls_key is not set: plain HTTP          # from default

        [metrics]
        address = "off"  # from --metrics-address

        [database]
        url = "postgres://jeday:***@db/auth"  # from DB_URL
        write_connections = 1                 # from default
        read_connections = 1                  # from default
        deadline = "5s"                       # from default
        connect_timeout = "3s"                # from default
        prepare = "auto"                      # from default
        allow_unsafe_durability = false       # from default

        [cluster]
        state_directory = "/home/me/.local/state/jeday"  # from HOME

        [registration]
        batch_size = 400  # from default
        batch_wait = "0"  # from default
        queue_max = 8192  # from default

        [passwords]
        min_chars = 8    # from default
        max_chars = 256  # from default

        [hardening]
        background = true              # from default
        worker_interval = "1s"         # from default
        weak_age_max = "1m"            # from default
        claim_size = 100               # from default
        preset = "default"             # from default
        memory = "auto"                # from default
        passes = "auto"                # from default
        lanes = "auto"                 # from default
        allow_weak_parameters = false  # from default
        queue_max = 64                 # from default
        login_deadline = "5s"          # from default

        [tokens]
        mode = "local"             # from default
        issuer = "jeday"           # from default
        audience = "jeday"         # from default
        symmetric_key = "***"      # from TOKEN_SYMMETRIC_KEY
        access_duration = "15m"    # from default
        refresh_idle = "30d"       # from default
        refresh_absolute = "180d"  # from default
        refresh_grace = "10s"      # from default
        sessions_per_user = 20     # from default

        [login]
        allow_pending = true  # from default

        [limits]
        login_failures_per_account = 10   # from default
        login_failures_per_address = 100  # from default
        registrations_per_address = 0     # from default

        [keys]
        # file is not set  # from default

        [log]
        level = "debug"  # from --set
        format = "auto"  # from default

        [tracing]
        # collector is not set: no traces                               # from default
        # endpoint is not set: the path v1/traces of tracing.collector  # from default
        sample_ratio = "0.01"                                           # from default
        service_name = "jeday"                                          # from default

        [cores]
        request_shards = 2  # from cores-2.toml:2
        password_cores = 1  # from topology
        cpus = "0-1"        # from cores-2.toml:3
    "#]]
    .assert_eq(&provenance.to_toml());
    let json = provenance.to_json();
    expect![[r#"
        {"source":"/etc/jeday.toml:3","value":20000}
        {"source":"/etc/jeday.toml:2","value":"1m30s"}
        {"source":"default","value":null}
        {"source":"DB_URL","value":"postgres://jeday:***@db/auth"}"#]]
    .assert_eq(&format!(
        "{}\n{}\n{}\n{}",
        json["server"]["body_bytes_max"], json["server"]["idle_timeout"], json["keys"]["file"], json["database"]["url"]
    ));
}

#[test]
fn the_documents_follow_the_table() {
    expect_file!["settings.md"].assert_eq(&settings::markdown());
    expect_file!["sample.toml"].assert_eq(&settings::sample());
}
