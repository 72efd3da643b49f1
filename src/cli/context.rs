//! What every subcommand is given: the global options and the environment; reads the files they name. Never decides
//! what a value means.

use super::CliError;
use super::error::plain;
use crate::config::{CliValues, Config, Environment, FileText, Provenance, Sources, Suggestions};
use clap::ValueHint;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The sample file has 12 KiB; a larger one than this is a wrong file, or a device without an end.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Options that name files or settings, accepted by every subcommand.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct FileArgs {
    /// Configuration file (TOML) [env: JEDAY_CONFIG]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// Tuning profile (TOML, tuning settings only) [env: JEDAY_PROFILE]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub profile: Option<PathBuf>,

    /// Any setting by its key, such as server.idle_timeout=30s; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// What every subcommand is given.
pub struct Context {
    files: FileArgs,
    environment: Environment,
}

impl Context {
    /// Takes both over.
    pub fn new(files: FileArgs, environment: Environment) -> Self {
        Self { files, environment }
    }

    /// The environment as it was at start.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The file of the tuning profile, where one is named.
    pub fn profile(&self) -> Option<PathBuf> {
        let (path, _) = self.named(&self.files.profile, "JEDAY_PROFILE")?;
        Some(path)
    }

    /// The same with this option for a tuning profile; without one the environment may still name it.
    pub(super) fn with_profile(&self, profile: Option<PathBuf>) -> Context {
        let files = FileArgs { profile, ..self.files.clone() };
        Context { files, environment: self.environment.clone() }
    }

    /// The options that name files or settings, as they were given.
    pub(super) fn files(&self) -> &FileArgs {
        &self.files
    }

    /// Reads the files and resolves every setting.
    ///
    /// # Errors
    /// A file cannot be read, or the settings cannot be used.
    pub fn settings(&self, flags: &CliValues, topology: Suggestions) -> Result<(Config, Provenance), CliError> {
        let file = self.read("configuration file", &self.files.config, "JEDAY_CONFIG")?;
        let profile = self.read("tuning profile", &self.files.profile, "JEDAY_PROFILE")?;
        let cli = self.files.set.iter().fold(flags.clone(), CliValues::set);
        Ok(Config::resolve(&Sources {
            topology,
            profile: profile.as_ref(),
            file: file.as_ref(),
            environment: self.environment.clone(),
            cli,
        })?)
    }

    /// A path, and whether the environment names it.
    fn named(&self, option: &Option<PathBuf>, variable: &str) -> Option<(PathBuf, bool)> {
        match option {
            Some(path) => Some((path.clone(), false)),
            None => Some((PathBuf::from(self.environment.get(variable)?), true)),
        }
    }

    fn read(&self, what: &str, option: &Option<PathBuf>, variable: &str) -> Result<Option<FileText>, CliError> {
        let Some((path, from_variable)) = self.named(option, variable) else { return Ok(None) };
        let shown = path.display().to_string();
        let text = read_text(&path).map_err(|error| {
            let refusal = CliError::usage(format!("the {what} {shown} cannot be read: {}", plain(&error)));
            match from_variable {
                true => refusal.with_hint(format!("{variable} names it")),
                false => refusal,
            }
        })?;
        Ok(Some(FileText { path: shown, text }))
    }
}

pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not valid UTF-8"))
}
