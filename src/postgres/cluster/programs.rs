//! Finds PostgreSQL's programs, of the version that the data needs. Never runs more of them than it takes to know.

use super::{account::Runner, error::ClusterError};
use std::{
    collections::BTreeSet,
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The oldest version whose `initdb` and settings are as needed here.
pub(super) const MAJOR_MIN: u32 = 14;

/// Where distributions put the programs of one version each: parent, and what comes before and after the number.
const VERSIONED: [(&str, &str, &str); 5] = [
    ("/usr/lib/postgresql", "", "bin"),   // Debian, Ubuntu
    ("/usr", "pgsql-", "bin"),            // the project's own RPMs
    ("/usr/lib", "postgresql", "bin"),    // SUSE
    ("/usr/libexec", "postgresql", ""),   // Alpine
    ("/usr/lib64", "postgresql-", "bin"), // Gentoo
];

/// Where else they may be: one version only.
const PLAIN: [&str; 4] = ["/usr/bin", "/usr/local/bin", "/usr/local/pgsql/bin", "/opt/postgresql/bin"];

/// A folder of programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    pub directory: PathBuf,
    pub major: u32,
}

impl Programs {
    pub(super) fn postgres(&self) -> PathBuf {
        self.directory.join("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.directory.join("initdb")
    }
}

/// The programs of version `wanted`, or the newest if there is no data yet; only from `given` if a folder is given.
pub(super) fn find(
    runner: &Runner,
    given: Option<&Path>,
    data: Option<(u32, &Path)>,
) -> Result<Programs, ClusterError> {
    let candidates = given.map_or_else(candidates, |directory| vec![directory.to_owned()]);
    let mut newest: Option<Programs> = None;
    for directory in candidates.into_iter().filter(|directory| directory.join("initdb").exists()) {
        let Some(major) = version(runner, &directory.join("postgres"))? else { continue };
        let found = Programs { directory, major };
        if data.is_some_and(|(wanted, _)| wanted == major) {
            return Ok(found);
        }
        if newest.as_ref().is_none_or(|known| known.major < major) {
            newest = Some(found);
        }
    }
    match (data, newest) {
        (Some((wanted, directory)), newest) => Err(ClusterError::OtherVersion {
            directory: directory.to_owned(),
            data: wanted,
            found: newest.map(|programs| programs.major),
        }),
        (None, None) => Err(ClusterError::NotInstalled),
        (None, Some(found)) if found.major < MAJOR_MIN => Err(ClusterError::TooOld { found: found.major }),
        (None, Some(found)) => Ok(found),
    }
}

/// Folders that have a `postgres`, each once: those of the search path, then the distributions', newest first.
fn candidates() -> Vec<PathBuf> {
    let path: Vec<PathBuf> = env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    // Debian has a wrapper of the client's programs and a pg_config in the path, the server's only beside the version.
    let configured =
        path.iter().map(|directory| directory.join("pg_config")).find(|file| file.is_file()).and_then(bindir);
    let versioned = VERSIONED.iter().flat_map(|(parent, before, after)| numbered(parent, before, after));
    let mut seen = BTreeSet::new();
    path.into_iter()
        .chain(configured)
        .chain(versioned)
        .chain(PLAIN.iter().map(PathBuf::from))
        // A link in the path leads to the folder where the version's other files are.
        .filter_map(|directory| Some(fs::canonicalize(directory.join("postgres")).ok()?.parent()?.to_owned()))
        .filter(|directory| seen.insert(directory.clone()))
        .collect()
}

fn bindir(pg_config: PathBuf) -> Option<PathBuf> {
    let output = Command::new(pg_config).arg("--bindir").stdin(Stdio::null()).output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end()))
}

fn numbered(parent: &str, before: &str, after: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let major = entry.file_name().to_str()?.strip_prefix(before)?.parse().ok()?;
            Some((major, entry.path().join(after)))
        })
        .collect();
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, directory)| directory).collect()
}

/// The major version of a `postgres`; `None` if it does not run.
fn version(runner: &Runner, postgres: &Path) -> Result<Option<u32>, ClusterError> {
    match runner.command(postgres).arg("--version").stdout(Stdio::piped()).output() {
        Ok(output) => Ok(std::str::from_utf8(&output.stdout).ok().and_then(major)),
        // The program is started from the state directory, as the account: this is where it shows that it cannot get
        // in.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => match runner.closed_directory() {
            Some(closed) => Err(ClusterError::Closed { account: runner.account.name.clone(), closed }),
            None => Ok(None),
        },
        Err(_) => Ok(None),
    }
}

/// From `postgres (PostgreSQL) 15.18 (Debian ...)`, `... 18beta1` and the like.
fn major(text: &str) -> Option<u32> {
    let number = text.split_once("(PostgreSQL) ")?.1;
    let digits = number.find(|c: char| !c.is_ascii_digit()).map_or(number, |end| &number[..end]);
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_every_kind_of_release() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("postgres (PostgreSQL) 17\n"), Some(17));
        assert_eq!(major("postgres (EnterpriseDB) x"), None);
    }

    #[test]
    fn newer_versions_come_first_and_by_number_not_by_letter() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["pgsql-9", "pgsql-16", "pgsql-100", "pgsql-x", "other"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        let found = numbered(parent.path().to_str().unwrap(), "pgsql-", "bin");
        let expected: Vec<_> =
            ["pgsql-100", "pgsql-16", "pgsql-9"].iter().map(|name| parent.path().join(name).join("bin")).collect();
        assert_eq!(found, expected);
    }
}
