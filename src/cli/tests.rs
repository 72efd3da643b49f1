//! Tests of the command line without a process: parsing, help, what is printed, exit statuses.

use super::*;
use crate::config::settings::SETTINGS;
use crate::config::{CliValues, Suggestions};
use clap::Args as _;
use expect_test::expect;
use std::fs;

/// Every subcommand's arguments under its name, those included whose work stands in other modules.
fn every_subcommand() -> Vec<clap::Command> {
    let named = clap::Command::new;
    let mut subcommands = vec![
        serve::Args::augment_args(named("serve")),
        migrate::Args::augment_args(named("migrate")),
        keygen::Args::augment_args(named("keygen")),
        config::Args::augment_args(named("config")),
        doctor::Args::augment_args(named("doctor")),
        plan::Args::augment_args(named("plan")),
        status::Args::augment_args(named("status")),
        top::Args::augment_args(named("top")),
        tune::Args::augment_args(named("tune")),
        worker::Args::augment_args(named("worker")),
        completions::Args::augment_args(named("completions")),
        man::Args::augment_args(named("man")),
    ];
    subcommands.sort_by_key(|subcommand| subcommand.get_name().to_owned());
    subcommands
}

fn parsed<A: clap::FromArgMatches + clap::Args>(arguments: &[&str]) -> A {
    let matches = A::augment_args(clap::Command::new("test")).get_matches_from(arguments);
    A::from_arg_matches(&matches).unwrap()
}

fn context(arguments: &[&str], variables: &[(&str, &str)]) -> Context {
    Context::new(parsed(arguments), Environment::new(variables.iter().copied()))
}

fn shown(arguments: &[&str], variables: &[(&str, &str)]) -> Result<String, CliError> {
    let matches = command().try_get_matches_from([&["jeday", "config"], arguments].concat()).unwrap();
    let cli = <Cli as clap::FromArgMatches>::from_arg_matches(&matches).unwrap();
    let Some(Command::Config(args)) = cli.command else {
        panic!("config was asked for");
    };
    let environment = Environment::new(variables.iter().copied());
    config::text(&args, &Context::new(cli.files, environment))
}

#[test]
fn the_definitions_are_sound() {
    command().debug_assert();
    let all = clap::Command::new("jeday").subcommands(every_subcommand());
    FileArgs::augment_args(all).debug_assert();
}

#[test]
fn every_subcommand_says_what_it_does_and_gives_examples() {
    for subcommand in every_subcommand() {
        let name = subcommand.get_name();
        assert!(subcommand.get_about().is_some(), "{name}");
        let examples = subcommand.get_after_help().map(ToString::to_string);
        let examples = examples.unwrap_or_default();
        assert!(examples.starts_with("Examples:\n"), "{name}");
        assert!(examples.contains(&format!("jeday {name}")), "{name}");
        assert!(examples.lines().all(|line| line.len() <= 90), "{name}");
    }
}

#[test]
fn help_names_the_exit_statuses() {
    let help = command().render_long_help().to_string();
    assert!(help.contains("Exit status:\n  0  Success\n  1  "), "{help}");
}

#[test]
fn flags_come_from_the_table_and_win() {
    let args: serve::Args = parsed(&["serve", "--address", ":1", "--allow-unsafe-durability"]);
    let context = context(&["test"], &[("SERVER_ADDRESS", ":2")]);
    let (config, _) = context.settings(&args.settings.values, Suggestions::none()).unwrap();
    assert_eq!(config.server.address.port(), 1);
    assert!(config.database.allow_unsafe_durability);

    let subcommand = serve::Args::augment_args(clap::Command::new("serve"));
    for flag in SETTINGS.iter().filter_map(|setting| setting.flag) {
        let has = |argument: &clap::Arg| argument.get_long() == Some(flag);
        assert!(subcommand.get_arguments().any(has), "{flag}");
    }
    let subcommand = keygen::Args::augment_args(clap::Command::new("keygen"));
    assert!(subcommand.get_arguments().all(|argument| argument.get_long() != Some("db-url")));
}

#[test]
fn files_are_read_and_the_option_wins_over_the_variable() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("a.toml"), "log.level = 'warn'").unwrap();
    fs::write(path("b.toml"), "log.level = 'error'").unwrap();
    fs::write(path("p.toml"), "server.backlog = 7").unwrap();
    let (a, b, p) = (path("a.toml"), path("b.toml"), path("p.toml"));
    let variables = [("JEDAY_CONFIG", b.as_str()), ("JEDAY_PROFILE", p.as_str())];
    let with_option = shown(&["--config", &a], &variables).unwrap();
    assert!(with_option.contains("level = \"warn\""), "{with_option}");
    assert!(with_option.contains("backlog = 7"), "{with_option}");
    let without = shown(&[], &variables).unwrap();
    assert!(without.contains("level = \"error\""), "{without}");
    assert!(without.contains(&format!("# from {b}:1")), "{without}");
}

#[test]
fn files_that_cannot_be_read_are_told_with_what_names_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("binary"), [0xff, 0xfe]).unwrap();
    let told = |arguments: &[&str], variables: &[(&str, &str)]| {
        let report = shown(arguments, variables).unwrap_err().report();
        report.replace(directory.path().to_str().unwrap(), "DIR")
    };
    let missing = path("missing");
    let reports = told(&[], &[("JEDAY_CONFIG", &missing)])
        + &told(&["--profile", &path("")], &[])
        + &told(&["--config", &path("binary")], &[])
        + &told(&["--config", "/dev/zero"], &[]);
    expect![[r#"
        jeday: error: the configuration file DIR/missing cannot be read: No such file or directory
        hint: JEDAY_CONFIG names it
        jeday: error: the tuning profile DIR/ cannot be read: Is a directory
        jeday: error: the configuration file DIR/binary cannot be read: it is not valid UTF-8
        jeday: error: the configuration file /dev/zero cannot be read: it is larger than 1 MiB
    "#]]
    .assert_eq(&reports);
}

#[test]
fn config_shows_values_with_their_sources() {
    let variables = [
        ("HOME", "/home/me"),
        ("DB_URL", "postgres://jeday:hunter2@db/auth"),
        ("WORKER_INTERVAL", "2s"),
        ("KEY_FILE", "/etc/jeday/keys"),
    ];
    let text = shown(&["--address", ":80", "--set", "log.format=json"], &variables).unwrap();
    assert!(!text.contains("hunter2"));
    // What it looks like in full is tested where it is made.
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{text}"));
    for (setting, value, source) in [
        ("url", "\"postgres://jeday:***@db/auth\"", "DB_URL"),
        ("worker_interval", "\"2s\"", "WORKER_INTERVAL"),
        ("file", "\"/etc/jeday/keys\"", "KEY_FILE"),
        ("format", "\"json\"", "--set"),
        ("request_shards", "2", "topology"),
        ("idle_timeout", "\"1m15s\"", "default"),
    ] {
        let shown: Vec<&str> = line(setting).splitn(3, ' ').collect();
        assert!(shown[2].starts_with(value) && shown[2].ends_with(&format!("# from {source}")), "{}", line(setting));
    }
    let json = shown(&["--json"], &variables).unwrap();
    assert!(!json.contains("hunter2"));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["hardening"]["worker_interval"]["value"], "2s");
    assert_eq!(json["keys"]["file"]["source"], "KEY_FILE");
}

#[test]
fn a_sample_is_printed_even_when_the_settings_cannot_be_used() {
    let wrong = [("JEDAY_NONSENSE", "1")];
    assert!(shown(&[], &wrong).is_err());
    let sample = shown(&["--defaults"], &wrong).unwrap();
    assert!(sample.contains("#idle_timeout = \"75s\""));
    let reference = shown(&["--markdown"], &wrong).unwrap();
    assert!(reference.starts_with("### `[server]`"));
}

#[test]
fn errors_become_a_line_and_a_hint_and_a_status() {
    let error = shown(&["--address", "nowhere"], &[]).unwrap_err();
    expect![[r#"
        jeday: error: --address "nowhere": the port is missing
        hint: accepted: an address such as 127.0.0.1:8080, [::1]:8080, localhost:8080, :8080 (every address) or 8080 (loopback)
    "#]].assert_eq(&error.report());
    assert_eq!(error.status_number(), 2);
    let error = CliError::failure("the port 8080 is in use").with_hint("choose another");
    expect![[r#"
        jeday: error: the port 8080 is in use
        hint: choose another
    "#]]
    .assert_eq(&error.report());
    assert_eq!(error.status_number(), 1);
    assert_eq!(CliError::usage("no").status_number(), 2);
}

#[test]
fn causes_are_told_once_each() {
    #[derive(Debug, thiserror::Error)]
    #[error("the database cannot be reached")]
    struct Outer(#[source] Inner);
    #[derive(Debug, thiserror::Error)]
    #[error("no route: {0}")]
    struct Inner(#[source] std::fmt::Error);
    let error = CliError::failed(&Outer(Inner(std::fmt::Error)));
    expect![[r#"
        jeday: error: the database cannot be reached: no route: an error occurred when formatting an argument
    "#]]
    .assert_eq(&error.report());
}

#[test]
fn every_shell_gets_a_script_with_subcommands_and_flags() {
    use clap::ValueEnum;
    for shell in clap_complete::Shell::value_variants() {
        let script = String::from_utf8(completions::script(*shell)).unwrap();
        assert!(script.contains("metrics-address"), "{shell}");
        assert!(script.contains("completions"), "{shell}");
    }
}

#[test]
fn the_manual_tells_every_setting_and_exit_status() {
    let page = String::from_utf8(man::page(&man::built()).unwrap()).unwrap();
    for setting in SETTINGS {
        assert!(page.contains(&setting.own_variable()), "{}", setting.key);
    }
    assert!(page.contains(".SH \"EXIT STATUS\""), "{page}");
    assert!(page.contains(".SH EXAMPLES"), "{page}");
    for subcommand in man::built().get_subcommands() {
        let page = String::from_utf8(man::page(subcommand).unwrap()).unwrap();
        assert!(page.contains(".SH EXAMPLES"), "{}", subcommand.get_name());
    }
}

#[test]
fn no_flag_means_no_value() {
    let args: doctor::Args = parsed(&["doctor"]);
    let context = context(&["test"], &[]);
    let flags = context.settings(&args.settings.values, Suggestions::none());
    let none = context.settings(&CliValues::none(), Suggestions::none());
    assert_eq!(flags.unwrap().0, none.unwrap().0);
}
