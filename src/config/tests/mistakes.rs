//! What is refused, and what is said about it.

use super::*;
use expect_test::expect;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

#[test]
fn unknown_names_are_answered_with_the_nearest_known_one() {
    let configuration = file(
        "jeday.toml",
        "SERVER_ADDRESS = ':1'\n[server]\nadress = ':8080'\nbatch_size = 3\nzzz = 1\n[registratoin]\nbatch_size = 1\n[weather]\n",
    );
    let sources = Sources {
        file: Some(&configuration),
        environment: variables([
            ("JEDAY_SERVER_ADRESS", ":1"),
            ("JEDAY_DB_URL", "postgres://u:hunter2@db/auth"),
            ("JEDAY_WEATHER", "fine"),
            ("SOMETHING_ELSE", "1"),
        ]),
        cli: CliValues::none().set("log.levle=debug").set("log.level").set("no.such=1"),
        ..Sources::default()
    };
    expect![[r#"
        error: jeday.toml:1: unknown setting SERVER_ADDRESS
        hint: did you mean server.address?
        error: jeday.toml:3: unknown setting server.adress
        hint: did you mean server.address?
        error: jeday.toml:4: unknown setting server.batch_size
        hint: did you mean registration.batch_size?
        error: jeday.toml:5: unknown setting server.zzz
        hint: jeday config --defaults lists every setting
        error: jeday.toml:6: unknown section [registratoin]
        hint: did you mean [registration]?
        error: jeday.toml:8: unknown section [weather]
        hint: jeday config --defaults lists every section
        error: unknown environment variable JEDAY_DB_URL
        hint: did you mean DB_URL?
        error: unknown environment variable JEDAY_SERVER_ADRESS
        hint: did you mean JEDAY_SERVER_ADDRESS?
        error: unknown environment variable JEDAY_WEATHER
        hint: jeday config --defaults lists every setting with its variables
        error: --set: unknown setting log.levle
        hint: did you mean log.level?
        error: --set: the value is missing
        hint: write --set section.key=value, such as --set server.idle_timeout=30s
        error: --set: unknown setting no.such
        hint: jeday config --defaults lists every setting
    "#]]
    .assert_eq(&complaints(&sources));
}

#[test]
fn bad_values_name_their_source_and_what_is_accepted() {
    let configuration = file(
        "jeday.toml",
        "[server]\nheader_timeout = 10\nbody_timeout = \"10 parsecs\"\nidle_timeout = \"1ms\"\nbody_bytes_max = \"16KB\"\nbacklog = 0x10000\n\n[database]\nprepare = \"maybe\"\nallow_unsafe_durability = 2\nwrite_connections = 1.5\n\n[cores]\ncpus = [true]\n[registration]\nbatch_size = [1]\n",
    );
    let address = settings::find("server.address").unwrap();
    let sources = Sources {
        topology: Suggestions::none().with("cores.request_shards", 0),
        file: Some(&configuration),
        environment: variables([
            ("METRICS_ADDRESS", "http://localhost:8081"),
            ("LOG_LEVEL", "loud"),
            ("JEDAY_STATE_DIRECTORY", "~/jeday"),
            ("TRUSTED_PROXIES", "10.0.0.1/8"),
            ("CORS_ORIGINS", "*"),
            ("ARGON2_PRESET", "owasp-1m"),
            // As for programs that count in KiB.
            ("ARGON2_MEMORY", "47104"),
            ("TOKEN_ISSUER", "a\nb"),
            ("ACCESS_TOKEN_DURATION", "31d"),
        ]),
        cli: CliValues::none().flag(address, "localhost").set("registration.queue_max=99999999999999999999"),
        ..Sources::default()
    };
    expect![[r#"
        error: jeday.toml:16: registration.batch_size cannot be an array
        hint: accepted: a whole number, from 1 to 10000
        error: topology: cores.request_shards = 0: the least is 1
        hint: accepted: auto, or a whole number, from 1 to 1024
        error: jeday.toml:2: server.header_timeout = 10: a unit is missing (ns, us, ms, s, m, h or d)
        hint: accepted: a duration such as 500ms, 10s or 1m30s, from 100ms to 10m
        error: jeday.toml:3: server.body_timeout = "10 parsecs": the units are ns, us, ms, s, m, h and d
        hint: accepted: a duration such as 500ms, 10s or 1m30s, from 100ms to 10m
        error: jeday.toml:4: server.idle_timeout = "1ms": the least is 100ms
        hint: accepted: a duration such as 500ms, 10s or 1m30s, from 100ms to 1h
        error: jeday.toml:5: server.body_bytes_max = "16KB": the units are B, KiB (1024 bytes), MiB and GiB
        hint: accepted: a number of bytes such as 65536, 64KiB or 1MiB, from 1KiB to 1MiB
        error: jeday.toml:6: server.backlog = 65536: the most is 65535
        hint: accepted: a whole number, from 1 to 65535
        error: jeday.toml:9: database.prepare = "maybe": it is none of the known words
        hint: accepted: auto, always or never
        error: jeday.toml:10: database.allow_unsafe_durability = 2: it is neither true nor false
        hint: accepted: true or false
        error: jeday.toml:11: database.write_connections = "1.5": it is not a whole number
        hint: accepted: a whole number, from 1 to 64
        error: jeday.toml:14: cores.cpus = "true": it is not a list of numbers and ranges such as 0,2-5
        hint: accepted: auto, or CPU numbers and ranges such as 0,2-5
        error: TRUSTED_PROXIES="10.0.0.1/8": a network has bits set past its prefix: write the address of the network, or the address alone
        hint: accepted: none, or addresses and networks such as 10.0.0.0/8,192.0.2.7,2001:db8::/32
        error: CORS_ORIGINS="*": * would let every website in the world try passwords from its visitors' browsers: list the origins
        hint: accepted: none, or origins such as https://app.example.com,http://localhost:3000
        error: METRICS_ADDRESS="http://localhost:8081": it is a URL, and only host and port are wanted
        hint: accepted: off, or an address such as 127.0.0.1:8081, [::1]:8081, localhost:8081, :8081 (every address) or 8081 (loopback)
        error: JEDAY_STATE_DIRECTORY="~/jeday": ~ is not expanded here: write the whole path
        hint: accepted: the path of a directory
        error: ARGON2_PRESET="owasp-1m": it is none of the known words
        hint: accepted: default, owasp-46m, owasp-19m, owasp-12m, owasp-9m or owasp-7m
        error: ARGON2_MEMORY=47104: the least is 64KiB
        hint: accepted: auto, or a number of bytes such as 65536, 64KiB or 1MiB, from 64KiB to 4GiB
        error: TOKEN_ISSUER="a\nb": it has a control character
        hint: accepted: a text of 1 to 255 bytes without control characters
        error: ACCESS_TOKEN_DURATION="31d": the most is 30d
        hint: accepted: a duration such as 500ms, 10s or 1m30s, from 10s to 30d
        error: LOG_LEVEL="loud": it is none of the known words
        hint: accepted: trace, debug, info, warn, error or off
        error: --set registration.queue_max=99999999999999999999: the most is 1000000
        hint: accepted: a whole number, from 1 to 1000000
        error: --address "localhost": the port is missing
        hint: accepted: an address such as 127.0.0.1:8080, [::1]:8080, localhost:8080, :8080 (every address) or 8080 (loopback)
    "#]].assert_eq(&complaints(&sources));
}

#[test]
fn a_mistake_that_a_stronger_source_hides_is_still_one() {
    let configuration = file("jeday.toml", "[registration]\nbatch_size = 0");
    let sources = Sources {
        file: Some(&configuration),
        environment: variables([("REGISTRATION_BATCH_SIZE", "100")]),
        ..Sources::default()
    };
    expect![[r#"
        error: jeday.toml:2: registration.batch_size = 0: the least is 1
        hint: accepted: a whole number, from 1 to 10000
    "#]]
    .assert_eq(&complaints(&sources));
}

#[test]
fn secrets_are_never_repeated() {
    let configuration =
        file("jeday.toml", "[tokens]\nsymmetric_key = \"hunter2\"\n[database]\nurl = \"mysql://u:hunter2@db/x\"");
    let url = settings::find("database.url").unwrap();
    let sources = Sources {
        file: Some(&configuration),
        environment: variables([("TOKEN_SYMMETRIC_KEY", "hunter2hunter2")]),
        cli: CliValues::none()
            .flag(url, "hunter2")
            .set("tokens.symmetric_key=hunter2")
            .set("postgres://u:hunter2@db/auth?sslmode=require")
            .set("hunter2"),
        ..Sources::default()
    };
    let complaints = complaints(&sources);
    assert!(!complaints.contains("hunter2"), "{complaints}");
    expect![[r#"
        error: --set: no key stands before the =
        hint: write --set section.key=value, such as --set server.idle_timeout=30s
        error: --set: the value is missing
        hint: write --set section.key=value, such as --set server.idle_timeout=30s
        error: jeday.toml:2: tokens.symmetric_key = (not shown): it has 7 bytes and must have exactly 32
        hint: accepted: exactly 32 bytes
        error: jeday.toml:4: database.url = (not shown): it does not start with postgres:// or postgresql://
        hint: accepted: a URL such as postgres://user:password@host:5432/database, or key=value pairs
        error: TOKEN_SYMMETRIC_KEY=(not shown): it has 14 bytes and must have exactly 32
        hint: accepted: exactly 32 bytes
        error: --set tokens.symmetric_key=(not shown): it has 7 bytes and must have exactly 32
        hint: accepted: exactly 32 bytes
        error: --db-url (not shown): it is neither a URL nor key=value pairs
        hint: accepted: a URL such as postgres://user:password@host:5432/database, or key=value pairs
    "#]]
    .assert_eq(&complaints);
}

#[test]
fn a_broken_file_is_told_by_line_without_repeating_it() {
    let configuration = file("jeday.toml", "[tokens]\n\nsymmetric_key = \"hunter2\nsymmetric_key = hunter2\n");
    let sources = Sources { file: Some(&configuration), ..Sources::default() };
    let complaints = complaints(&sources);
    assert!(!complaints.contains("hunter2"), "{complaints}");
    expect![[r#"
        error: jeday.toml:3: invalid basic string, expected `"`
        error: jeday.toml:4: string values must be quoted, expected literal string
        error: jeday.toml:4: duplicate key
    "#]]
    .assert_eq(&complaints);
}

#[test]
fn a_profile_sets_tuning_only() {
    let profile = file("fast.toml", "[server]\nbacklog = 10\naddress = ':1'");
    let sources = Sources { profile: Some(&profile), ..Sources::default() };
    expect![[r#"
        error: fast.toml:3: server.address is not a tuning setting
        hint: put it into the configuration file
    "#]]
    .assert_eq(&complaints(&sources));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let sources = Sources {
        environment: variables([
            ("METRICS_ADDRESS", ":8080"),
            ("JEDAY_PASSWORDS_MAX_CHARS", "100"),
            ("JEDAY_PASSWORDS_MIN_CHARS", "101"),
            ("JEDAY_SERVER_BODY_BYTES_MAX", "1KiB"),
            ("JEDAY_REGISTRATION_QUEUE_MAX", "10"),
            ("DB_DEADLINE", "50ms"),
            ("REGISTRATION_BATCH_WAIT", "1s"),
            ("ARGON2_MEMORY", "64KiB"),
            ("ARGON2_LANES", "9"),
            ("WORKER_INTERVAL", "16s"),
            ("ACCESS_TOKEN_DURATION", "5m"),
            ("JEDAY_TOKENS_REFRESH_IDLE", "300s"),
            ("JEDAY_TOKENS_REFRESH_GRACE", "31s"),
        ]),
        ..Sources::default()
    };
    expect![[r#"
        error: passwords.min_chars = 101 (from JEDAY_PASSWORDS_MIN_CHARS) must not be more than passwords.max_chars = 100 (from JEDAY_PASSWORDS_MAX_CHARS)
        error: server.body_bytes_max = "1KiB" (from JEDAY_SERVER_BODY_BYTES_MAX) must have room for 4 bytes a character, and 1KiB more, of passwords.max_chars = 100 (from JEDAY_PASSWORDS_MAX_CHARS)
        error: registration.batch_size = 400 (from default) must not be more than registration.queue_max = 10 (from JEDAY_REGISTRATION_QUEUE_MAX)
        error: registration.batch_wait = "1s" (from REGISTRATION_BATCH_WAIT) must be less than database.deadline = "50ms" (from DB_DEADLINE)
        error: hardening.memory = "64KiB" (from ARGON2_MEMORY) must have 8KiB at least for each of hardening.lanes = 9 (from ARGON2_LANES)
        error: hardening.worker_interval = "16s" (from WORKER_INTERVAL) must not be more than a quarter of hardening.weak_age_max = "1m" (from default)
        error: tokens.access_duration = "5m" (from ACCESS_TOKEN_DURATION) must be less than tokens.refresh_idle = "5m" (from JEDAY_TOKENS_REFRESH_IDLE)
        error: tokens.refresh_grace = "31s" (from JEDAY_TOKENS_REFRESH_GRACE) must not be more than a tenth of tokens.refresh_idle = "5m" (from JEDAY_TOKENS_REFRESH_IDLE)
        error: metrics.address = ":8080" (from METRICS_ADDRESS) must not take the port of server.address = "127.0.0.1:8080" (from default)
        hint: give --metrics-address another port, or turn it off
    "#]].assert_eq(&complaints(&sources));
}

#[test]
fn a_value_that_is_no_text_is_refused() {
    let sources = Sources {
        environment: Environment::new(["LOG_LEVEL", "JEDAY_CONFIG"].map(|name| (name, OsString::from_vec(vec![0xff])))),
        ..Sources::default()
    };
    expect![[r#"
        error: JEDAY_CONFIG: the value is not valid UTF-8
        error: LOG_LEVEL: the value is not valid UTF-8
    "#]]
    .assert_eq(&complaints(&sources));
}

#[test]
fn long_values_are_cut_and_control_characters_escaped() {
    let sources = Sources {
        environment: variables([("LOG_LEVEL", &format!("\u{1b}[31m{}", "x".repeat(100)))]),
        ..Sources::default()
    };
    expect![[r#"
        error: LOG_LEVEL="\u{1b}[31mxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"...: it is none of the known words
        hint: accepted: trace, debug, info, warn, error or off
    "#]].assert_eq(&complaints(&sources));
}
