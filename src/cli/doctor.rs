//! `jeday doctor`: checks the machine and the database, each finding with its remedy. Changes nothing.

use super::{CliError, Context, Everything, SettingFlags, placement, print, serve};
use crate::hardening::{Engine, Params, self_test};
use crate::{config::Config, postgres::connect::connect, postgres::migrate};
use serde_json::{Value, json};
use shards::preflight::{self, Check, Verdict};
use std::{fmt::Write, process::ExitCode};

const AFTER_HELP: &str = "\
Examples:
  jeday doctor                          Kernel, io_uring, memory, huge pages, hashing
  DB_URL=postgres://... jeday doctor    And the database's settings
  jeday doctor --json

The exit status is 1 when something would keep the server from starting.";

/// Check the machine and the database, each with its remedy
#[derive(Clone, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Print the findings as a JSON array
    #[arg(long)]
    pub json: bool,

    /// Flags of single settings.
    #[command(flatten)]
    pub settings: SettingFlags<Everything>,
}

/// Prints the findings.
///
/// # Errors
/// The settings cannot be used. A finding is no error, but decides the exit status.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let placement = placement::resolve(context, &args.settings.values)?;
    let executors = placement.plan.shards.len();
    let _ = preflight::raise_open_files();
    let _ = preflight::raise_locked_memory();
    let connections = serve::descriptors(&placement.config, &placement.plan);
    let mut checks = preflight::run(&preflight::Needs { executors, connections });
    checks.push(argon2id(placement.hash));
    checks.extend(database(&placement.config, context));
    print(&if args.json { format!("{:#}\n", as_json(&checks)) } else { as_text(&checks) })?;
    let worst = checks.iter().map(|check| check.verdict).max();
    Ok(if worst == Some(Verdict::Fatal) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Which implementation of Argon2id would hash, by the self-test that every start has.
fn argon2id(params: Params) -> Check {
    const NAME: &str = "argon2id engine";
    match self_test::choose(params) {
        Ok(engine @ Engine::Fast { .. }) => check(NAME, &engine.to_string(), Verdict::Ok, None),
        Ok(engine @ Engine::Reference { .. }) => check(
            NAME,
            &engine.to_string(),
            Verdict::Warning,
            Some(
                "Passwords are safe, but each hash takes twice the time: use a CPU with vector instructions, or more \
                  password cores; if the self-test failed, report it with the model of the CPU."
                    .to_owned(),
            ),
        ),
        Err(error) => check(
            NAME,
            &error.to_string(),
            Verdict::Fatal,
            Some("Test the machine's memory and CPU, or use another one.".to_owned()),
        ),
    }
}

/// What the configured database has to say; a private cluster is looked after by `serve`.
fn database(config: &Config, context: &Context) -> Vec<Check> {
    let Some(url) = &config.database.url else {
        return vec![check("database", "a private cluster, kept by jeday serve", Verdict::Ok, None)];
    };
    let target = match serve::configured(url.expose(), context.environment()) {
        Ok(target) => target,
        Err(error) => return vec![check("database", "unusable address", Verdict::Fatal, Some(error.to_string()))],
    };
    let options = serve::options(&config.database);
    let found = shards::block_on(async {
        let link = match connect(&target, &options).await {
            Ok(link) => link,
            Err(error) => return vec![check("database", &target.to_string(), Verdict::Fatal, Some(error.to_string()))],
        };
        let server = link.server();
        let pooled = if server.pooled { ", through a pooler: statements are not kept prepared" } else { "" };
        let encrypted = if server.encrypted { ", encrypted" } else { "" };
        let value = format!("PostgreSQL {} at {}{encrypted}{pooled}", server.version, server.place);
        let durability = match &server.weakness {
            None => check("durability", "confirmed registrations survive a crash", Verdict::Ok, None),
            Some(weakness) => check(
                "durability",
                &format!("{} = {}: {}", weakness.setting, weakness.value, weakness.danger),
                Verdict::Warning,
                Some(weakness.remedy.to_owned()),
            ),
        };
        let schema = match migrate::check(link.client()).await {
            Ok(()) => check("schema", &format!("version {}", migrate::required_version()), Verdict::Ok, None),
            Err(problem) => check("schema", "not this version's", Verdict::Fatal, Some(problem.to_string())),
        };
        vec![check("database", &value, Verdict::Ok, None), durability, schema]
    });
    found.unwrap_or_else(|error| vec![check("database", "not asked", Verdict::Fatal, Some(error.to_string()))])
}

fn check(name: &'static str, value: &str, verdict: Verdict, remedy: Option<String>) -> Check {
    Check { name, value: value.to_owned(), verdict, remedy }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Fatal => "fatal",
    }
}

fn as_text(checks: &[Check]) -> String {
    let mut text = String::new();
    for Check { name, value, verdict, remedy } in checks {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<8} {name}: {value}", word(*verdict));
        if let Some(remedy) = remedy {
            let _ = writeln!(text, "         {remedy}");
        }
    }
    text
}

fn as_json(checks: &[Check]) -> Value {
    let object = |check: &Check| {
        let Check { name, value, verdict, remedy } = check;
        json!({ "name": name, "value": value, "verdict": word(*verdict), "remedy": remedy })
    };
    checks.iter().map(object).collect()
}
