//! `jeday doctor`: checks the machine and the database, each finding with its remedy. Changes nothing.

mod database;

use super::{
    CliError, Context, Everything, SettingFlags,
    placement::{self, Placement},
    print, serve,
};
use crate::{
    clock, config,
    hardening::{Engine, Params, self_test},
    tls::Identity,
};
use serde_json::{Value, json};
use shards::{
    preflight::{self, Check, Verdict},
    topology::Plan,
};
use std::{fmt::Write, process::ExitCode};

const AFTER_HELP: &str = "\
Examples:
  jeday doctor                          Kernel, io_uring, limits, clocks, cores, hashing
  DB_URL=postgres://... jeday doctor    And the database: safety, settings, connections
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
    checks.extend(preflight::survey(&placement.topology));
    checks.push(cores(&placement.plan));
    checks.push(argon2id(placement.hash));
    checks.extend(certificate(&placement.config.server));
    checks.extend(ask_database(&placement, context));
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

/// Whether the certificate that clients are to be shown can be used, and for how long.
fn certificate(config: &config::Server) -> Option<Check> {
    const NAME: &str = "TLS certificate";
    let (certificate, key) = (config.tls_certificate.as_ref()?, config.tls_key.as_ref()?);
    Some(match Identity::load(certificate, key) {
        Err(error) => check(NAME, "cannot be used", Verdict::Fatal, Some(error.to_string())),
        Ok(identity) => {
            let warning = serve::tls::end(identity.not_after, clock::unix_ms() / 1000);
            let verdict = if warning.is_some() { Verdict::Warning } else { Verdict::Ok };
            let value = format!("valid until {}", serve::tls::when(identity.not_after));
            check(NAME, &value, verdict, warning.map(|warning| format!("{warning}.")))
        }
    })
}

/// What the configured database has to say; a private cluster is looked after by `serve`.
fn ask_database(placement: &Placement, context: &Context) -> Vec<Check> {
    let config = &placement.config;
    let Some(url) = &config.database.url else {
        return vec![check("database", "a private cluster, kept by jeday serve", Verdict::Ok, None)];
    };
    let target = match serve::configured(url.expose(), context.environment()) {
        Ok(target) => target,
        Err(error) => return vec![check("database", "unusable address", Verdict::Fatal, Some(error.to_string()))],
    };
    let connections = serve::database_connections(config, &placement.plan) as u64;
    let found = shards::block_on(database::checks(&target, &serve::options(&config.database), connections));
    found.unwrap_or_else(|error| vec![check("database", "not asked", Verdict::Fatal, Some(error.to_string()))])
}

/// How the cores are divided; what speaks against it is in the plan's own notes.
fn cores(plan: &Plan) -> Check {
    let count = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let value =
        format!("{}, {}", count(plan.shards.len(), "request shard"), count(plan.password_cores.len(), "password core"));
    let verdict = if plan.notes.is_empty() { Verdict::Ok } else { Verdict::Warning };
    check("cores", &value, verdict, (!plan.notes.is_empty()).then(|| plan.notes.join(" ")))
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
