//! The folder of a sweep's results. Each file is replaced as a whole, so that whatever ends the sweep leaves the last
//! ones as they were.

use super::super::{CliError, error::plain};
use super::results::Results;
use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// What a sweep is resumed from: it has all figures, the other files are made from it.
const RESULTS: &str = "results.json";

/// Where profiles lie as they were when the sweep began.
const PROFILES: &str = "profiles";

/// The recommended profile.
pub(super) const RECOMMENDED: &str = "recommended.toml";

/// A folder of results.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes it. One that has results already is left alone.
    pub(super) fn create(path: &Path) -> Result<Folder, CliError> {
        if path.join(RESULTS).exists() {
            return Err(CliError::usage(format!("{} has results already", path.display()))
                .with_hint("--resume goes on with them; --output names another folder"));
        }
        fs::create_dir_all(path.join(PROFILES)).map_err(|error| unwritable(path, &error))?;
        Folder::found(path)
    }

    /// Opens it, with what was measured so far.
    pub(super) fn open(path: &Path) -> Result<(Folder, Results), CliError> {
        let file = path.join(RESULTS);
        let unusable = |why: String| CliError::usage(format!("{} cannot be resumed: {why}", file.display()));
        // With every run of a long sweep it may be larger than a configuration file may be.
        let text = fs::read_to_string(&file).map_err(|error| unusable(plain(&error)))?;
        let results = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
        Ok((Folder::found(path)?, results))
    }

    fn found(path: &Path) -> Result<Folder, CliError> {
        let path = fs::canonicalize(path).map_err(|error| unwritable(path, &error))?;
        Ok(Folder { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where scripts, keys and logs of the runs are, for their time.
    pub(super) fn work(&self) -> Result<PathBuf, CliError> {
        const PRIVATE: u32 = 0o700;
        let work = self.path.join("work");
        DirBuilder::new().recursive(true).mode(PRIVATE).create(&work).map_err(|error| unwritable(&work, &error))?;
        Ok(work)
    }

    /// Removes what only served the runs.
    pub(super) fn clear_work(&self) {
        // It is in nobody's way, and its keys opened nothing but the scratch database.
        let _ = fs::remove_dir_all(self.path.join("work"));
    }

    /// Keeps a profile as it is now; its name below the folder.
    pub(super) fn keep_profile(&self, number: usize, profile: &Path, text: &str) -> Result<String, CliError> {
        let stem = profile.file_stem().unwrap_or_default().to_string_lossy();
        let name = format!("{PROFILES}/{number}-{stem}.toml");
        self.write(&name, text)?;
        Ok(name)
    }

    /// Writes results; all but their table and the report.
    pub(super) fn write_results(&self, results: &Results) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(results).map_err(|error| CliError::failed(&error))?;
        self.write(RESULTS, &(text + "\n"))
    }

    /// Puts a file in its place.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), CliError> {
        let file = self.path.join(name);
        let new = self.path.join(format!("{name}.new"));
        let replace = || {
            let mut out = File::create(&new)?;
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
            fs::rename(&new, &file)
        };
        replace().map_err(|error| unwritable(&file, &error))
    }
}

fn unwritable(path: &Path, error: &io::Error) -> CliError {
    CliError::failure(format!("{} cannot be written: {}", path.display(), plain(error)))
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::results;
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn results_are_resumed_from_and_never_begun_anew() {
        let files = TempDir::new().unwrap();
        let path = files.path().join("a/b");
        let folder = Folder::create(&path).unwrap();
        assert!(Folder::create(&path).is_ok(), "nothing is in it yet");
        let results = results(&[&[1.0], &[2.0]]);
        folder.write_results(&results).unwrap();
        assert_eq!(Folder::open(&path).unwrap().1, results);
        assert!(Folder::create(&path).err().unwrap().report().contains("has results already"));
        fs::write(path.join(RESULTS), "{").unwrap();
        assert!(Folder::open(&path).err().unwrap().report().contains("cannot be resumed"));
    }
}
