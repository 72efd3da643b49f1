//! What an end-to-end bench leaves behind: files of figures and of a picture, and an exit status.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use super::{Outcome, interrupt, options::Measuring, verdict::Verdict};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The file: what was measured, and what to think of it.
#[derive(Serialize)]
pub(crate) struct Document<'a, R> {
    #[serde(flatten)]
    pub(crate) results: &'a R,
    pub(crate) verdicts: &'a [Verdict],
    pub(crate) faults: &'a [String],
}

/// Takes signals over, runs a bench, and says what became of it. `run` returns what went wrong apart from speed.
pub(crate) fn conclude(name: &str, options: &Measuring, run: impl FnOnce() -> Outcome<Vec<String>>) -> ExitCode {
    if !options.bench {
        // cargo test runs benches too, to see whether they start.
        println!("started without --bench: nothing is measured");
        return ExitCode::SUCCESS;
    }
    match interrupt::watch().map_err(Into::into).and_then(|()| run()) {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            for fault in faults {
                eprintln!("FAULT: {fault}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes figures and picture under the time of the run, and again as the latest.
pub(crate) fn write(
    directory: &Path,
    prefix: &str,
    date: &str,
    figures: &Document<'_, impl Serialize>,
    picture: &str,
) -> Outcome<()> {
    fs::create_dir_all(directory)?;
    let time: String = date.chars().filter(char::is_ascii_alphanumeric).collect();
    let figures = serde_json::to_string_pretty(figures)?;
    let file = |name: &str, kind: &str| -> PathBuf { directory.join(format!("{prefix}-{name}.{kind}")) };
    for name in [time.as_str(), "latest"] {
        fs::write(file(name, "json"), &figures)?;
        fs::write(file(name, "svg"), picture)?;
    }
    println!("written: {} and .svg", file(&time, "json").display());
    Ok(())
}
