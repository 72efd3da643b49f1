//! `jeday migrate`: brings the tables to this version, or back. The SQL is in `migrations/`.

use super::{CliError, Context, OnlyDatabase, SettingFlags, print, serve};
use crate::{
    config::{CliValues, Suggestions},
    postgres::{
        connect::connect,
        link::Link,
        migrate::{self, MigrateError, Status, Step},
    },
};
use std::{fmt::Write, process::ExitCode};

const AFTER_HELP: &str = "\
Examples:
  jeday migrate status    Which migrations are applied, which are not
  jeday migrate up        Apply what is missing; safe on many nodes at once
  jeday migrate down      Take back the newest one

The database is the one that DB_URL names. A private cluster is brought up to
date by jeday serve itself.";

/// Bring the database's tables to this version, or back
#[derive(Clone, clap::Args)]
#[command(after_help = AFTER_HELP, subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do.
#[derive(Clone, clap::Subcommand)]
pub enum Action {
    /// Apply every migration that is missing
    Up {
        /// Flags of single settings.
        #[command(flatten)]
        settings: SettingFlags<OnlyDatabase>,
    },
    /// Take back the newest migrations; what only they have room for is lost
    Down {
        /// How many to take back
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
        /// Flags of single settings.
        #[command(flatten)]
        settings: SettingFlags<OnlyDatabase>,
    },
    /// List the migrations and whether each is applied
    Status {
        /// Flags of single settings.
        #[command(flatten)]
        settings: SettingFlags<OnlyDatabase>,
    },
}

/// Migrates, and says what was done.
///
/// # Errors
/// The database cannot be reached, or refuses a step; finished steps stay.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let text = match &args.action {
        Action::Up { settings } => with_client(context, &settings.values, async |link| {
            migrate::up(link.client(), None).await.map(|steps| done("applied", &steps))
        }),
        Action::Down { steps, settings } => with_client(context, &settings.values, async |link| {
            migrate::down(link.client(), *steps).await.map(|steps| done("taken back", &steps))
        }),
        Action::Status { settings } => with_client(context, &settings.values, async |link| {
            migrate::status(link.client()).await.map(|status| listed(&status))
        }),
    };
    print(&text?)?;
    Ok(ExitCode::SUCCESS)
}

fn with_client(
    context: &Context,
    values: &CliValues,
    work: impl AsyncFnOnce(&Link) -> Result<String, MigrateError>,
) -> Result<String, CliError> {
    let (config, _) = context.settings(values, Suggestions::none())?;
    let url = config.database.url.as_ref().ok_or_else(|| {
        CliError::usage("no database is named")
            .with_hint("set DB_URL=postgres://user@host/database; a private cluster is migrated by jeday serve")
    })?;
    let target = serve::configured(url.expose(), context.environment())?;
    let options = serve::options(&config.database);
    let outcome = shards::block_on(async {
        let link = connect(&target, &options).await.map_err(|error| CliError::failed(&error))?;
        work(&link).await.map_err(|error| CliError::failed(&error))
    });
    outcome.map_err(|error| CliError::failed(&error))?
}

fn done(what: &str, steps: &[Step]) -> String {
    if steps.is_empty() {
        return "nothing to do\n".to_owned();
    }
    steps.iter().fold(String::new(), |text, step| text + &format!("{what}  {step}\n"))
}

fn listed(status: &Status) -> String {
    let mut text = String::new();
    let parts = [
        ("applied", &status.applied),
        ("pending", &status.pending),
        ("unknown, of a newer jeday", &status.unknown),
        ("applied with other contents", &status.changed),
    ];
    for (state, steps) in parts {
        for step in steps {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{step:<36}  {state}");
        }
    }
    text
}
