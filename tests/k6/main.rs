//! The scenarios of `k6/`, each for two seconds against a real server: what its summary says has to agree with what the
//! database holds. Never a judge of speed. Skipped where `make k6` was not run and no k6 is installed.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

#[path = "../support"]
mod support {
    pub(crate) mod client;
    pub(crate) mod postgres;
    pub(crate) mod server;
}

use serde_json::Value;
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use support::server::{CHEAP, Deployment, Server};
use tempfile::TempDir;

/// What k6 ends with when a threshold was broken.
const THRESHOLD_BROKEN: i32 = 99;

const SCENARIOS: [&str; 8] =
    ["full-flow", "health", "login", "mixed", "register", "register-duplicates", "soak", "spike"];

/// Modules that scenarios import.
const MODULES: [&str; 2] = ["jeday", "sessions"];

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where `make k6` puts it, or on the path.
fn k6() -> Option<PathBuf> {
    let on_path = env::var_os("PATH").into_iter().flat_map(|path| env::split_paths(&path).collect::<Vec<_>>());
    let found = [project().join(".tools")].into_iter().chain(on_path).map(|folder| folder.join("k6"));
    let found = found.into_iter().find(|file| file.is_file());
    if found.is_none() {
        eprintln!("skipped: there is no k6; `make k6` installs it");
    }
    found
}

/// One run of a scenario: how it ended, and its summary.
struct Run {
    output: Output,
    summary: Value,
}

impl Run {
    /// Runs it for two seconds; `None` without k6. `environment` comes last and wins.
    fn of(scenario: &str, server: &Server, environment: &[(&str, &str)]) -> Option<Run> {
        let files = TempDir::new().unwrap();
        let summary = files.path().join("summary.json");
        let mut command = Command::new(k6()?);
        command.args(["run", "--quiet", "--address="]);
        command.arg(project().join(format!("k6/{scenario}.js"))).env_clear().current_dir(files.path());
        command.env("K6_NO_USAGE_REPORT", "true").env("SUMMARY", &summary);
        command.env("BASE_URL", format!("http://{}", server.address()));
        // However slow this machine is just now.
        command.env("P95_MS", "60000").env("DURATION", "2s").env("VUS", "3");
        let output = command.envs(environment.iter().copied()).output().unwrap();
        let text = fs::read_to_string(&summary).unwrap_or_else(|error| panic!("{scenario}: {error}: {output:?}"));
        Some(Run { output, summary: serde_json::from_str(&text).unwrap() })
    }

    fn told(&self) -> String {
        format!("{}{}", String::from_utf8_lossy(&self.output.stdout), String::from_utf8_lossy(&self.output.stderr))
    }

    fn count(&self, operation: &str) -> u64 {
        self.summary["operations"][operation]["count"]
            .as_u64()
            .unwrap_or_else(|| panic!("{operation}: {}", self.told()))
    }

    /// Every threshold was kept, and everything that a summary tells is there.
    fn expect_success(&self, scenario: &str, model: &str) {
        let told = self.told();
        assert_eq!(self.output.status.code(), Some(0), "{told}");
        let summary = self.summary.as_object().unwrap();
        let members: Vec<_> = summary.keys().map(String::as_str).collect();
        let expected = [
            "base_url",
            "checks_failed",
            "checks_passed",
            "dropped_iterations",
            "duration_s",
            "elapsed_s",
            "errors",
            "iterations",
            "model",
            "operations",
            "passed",
            "rate_per_s",
            "requests",
            "requests_per_s",
            "scenario",
            "thresholds",
            "virtual_users",
        ];
        assert_eq!(members.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(expected));
        assert_eq!((&summary["scenario"], &summary["model"]), (&scenario.into(), &model.into()));
        assert_eq!((&summary["passed"], &summary["checks_failed"]), (&true.into(), &0.into()), "{told}");
        let number = |name: &str| summary[name].as_f64().unwrap();
        assert!(number("iterations") > 0.0 && number("checks_passed") >= number("requests"), "{told}");
        for (operation, values) in summary["operations"].as_object().unwrap() {
            let value = |name: &str| values[name].as_f64().unwrap_or_else(|| panic!("{operation}: {values}"));
            let (p50, p95, p99, max) = (value("p50_ms"), value("p95_ms"), value("p99_ms"), value("max_ms"));
            assert!(p50 <= p95 && p95 <= p99 && p99 <= max, "{operation}: {values}");
            assert!(value("count") == 0.0 || p50 > 0.0, "{operation}: {values}");
            assert!(told.contains(operation.as_str()), "{told}");
        }
    }
}

/// Runs a scenario on a server of its own, which has to keep every threshold. Returns the run, and how many users there
/// are afterwards; `None` without k6.
fn passes(scenario: &str, environment: &[(&str, &str)]) -> Option<(Run, u64)> {
    k6()?;
    let deployment = Deployment::new();
    let server = deployment.serve_with(CHEAP);
    let run = Run::of(scenario, &server, environment)?;
    let model = if environment.iter().any(|(name, _)| *name == "RATE") { "open" } else { "closed" };
    run.expect_success(scenario, model);
    let users = deployment.sql("SELECT count(*) FROM users").parse().unwrap();
    Some((run, users))
}

#[test]
fn every_scenario_is_in_the_readme_and_tested() {
    let readme = fs::read_to_string(project().join("k6/README.md")).unwrap();
    let files = fs::read_dir(project().join("k6")).unwrap();
    let names = files.filter_map(|file| Some(file.unwrap().file_name().to_str()?.strip_suffix(".js")?.to_owned()));
    let names: BTreeSet<_> = names.collect();
    assert_eq!(names, SCENARIOS.iter().chain(&MODULES).map(|name| (*name).to_owned()).collect());
    for name in names {
        assert!(readme.contains(&format!("| `{name}` |")) || MODULES.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn health_is_only_asked() {
    let Some((run, users)) = passes("health", &[]) else { return };
    assert_eq!((users, &run.summary["errors"]), (0, &serde_json::json!({})));
}

#[test]
fn every_registration_that_is_counted_is_a_row() {
    let Some((run, users)) = passes("register", &[]) else { return };
    assert_eq!(run.count("register"), users);
    assert_eq!(run.summary["errors"], serde_json::json!({}));
}

#[test]
fn of_equal_registrations_one_is_a_row_and_the_others_are_told_so() {
    let Some((run, users)) = passes("register-duplicates", &[]) else { return };
    assert_eq!((run.count("register_twice"), run.count("register_again")), (2 * users, users));
    assert_eq!(run.summary["errors"], serde_json::json!({ "email_taken": 2 * users }));
}

#[test]
fn each_virtual_user_logs_in_with_an_account_of_its_own() {
    let Some((run, users)) = passes("login", &[]) else { return };
    assert_eq!((&run.summary["virtual_users"], users), (&3.into(), 3));
    assert!(run.count("login") > 0);
}

#[test]
fn the_full_flow_ends_where_it_has_to() {
    let Some((run, users)) = passes("full-flow", &[]) else { return };
    let flows = ["register", "login", "refresh", "logout", "me_after_logout"].map(|operation| run.count(operation));
    assert_eq!(flows, [users; 5]);
    assert_eq!(run.count("me"), 2 * users);
    assert_eq!(run.summary["errors"], serde_json::json!({ "session_ended": users }));
}

#[test]
fn the_mix_mostly_asks_who_somebody_is() {
    let Some((run, users)) = passes("mixed", &[]) else { return };
    assert_eq!(3 + run.count("register"), users);
    assert!(2 * run.count("me") > run.summary["requests"].as_u64().unwrap(), "{}", run.told());
}

#[test]
fn a_spike_has_a_time_before_and_a_time_after() {
    let Some((run, users)) = passes("spike", &[]) else { return };
    let phases = ["before", "spike", "after"].map(|phase| run.count(&format!("register_{phase}")));
    assert!(phases.iter().all(|count| *count > 0), "{phases:?}");
    let refused = run.summary["errors"]["overloaded"].as_u64().unwrap_or(0);
    assert_eq!(phases.iter().sum::<u64>(), users + refused);
}

#[test]
fn a_soak_compares_its_first_tenth_with_its_last() {
    let Some((run, _)) = passes("soak", &[]) else { return };
    for part in ["me_first_tenth", "me", "me_last_tenth"] {
        assert!(run.count(part) > 0, "{part}: {}", run.told());
    }
}

#[test]
fn in_the_open_model_the_rate_is_the_environments() {
    let Some((run, users)) = passes("register", &[("RATE", "20.5"), ("VUS", "40")]) else { return };
    let begun = run.summary["iterations"].as_u64().unwrap() + run.summary["dropped_iterations"].as_u64().unwrap();
    // The first or the last may fall to either side of the end.
    assert!((40..=42).contains(&begun), "{}", run.told());
    assert_eq!((run.count("register"), &run.summary["rate_per_s"]), (users, &20.5.into()));
}

#[test]
fn what_nobody_was_free_for_is_reported_and_breaks_a_threshold() {
    if k6().is_none() {
        return;
    }
    let deployment = Deployment::new();
    let server = deployment.serve_with(CHEAP);
    let Some(run) = Run::of("login", &server, &[("RATE", "20000"), ("VUS", "1")]) else { return };
    assert_eq!(run.output.status.code(), Some(THRESHOLD_BROKEN), "{}", run.told());
    assert!(run.summary["dropped_iterations"].as_u64().unwrap() > 0);
    assert_eq!(run.summary["passed"], false);
    assert!(run.told().contains("BROKEN dropped_iterations"), "{}", run.told());
}

#[test]
fn a_refusal_is_counted_by_its_code_and_breaks_a_threshold() {
    if k6().is_none() {
        return;
    }
    let deployment = Deployment::new();
    let server = deployment.serve_with(&["limits.registrations_per_address=5"]);
    let Some(run) = Run::of("register", &server, &[]) else { return };
    assert_eq!(run.output.status.code(), Some(THRESHOLD_BROKEN), "{}", run.told());
    let refused = run.summary["errors"]["rate_limited"].as_u64().unwrap();
    assert_eq!((run.count("register"), &run.summary["checks_failed"]), (5 + refused, &refused.into()));
}
