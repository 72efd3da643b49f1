//! Checks before launch: does the kernel, and what it allows this process, suffice? Each check says what it found
//! and what to do about it. Changes nothing, but for the `raise_` functions, which lift soft limits to hard ones.

mod io_uring;
mod limits;
mod machine;

use std::{fmt, fs, path::Path};

use crate::topology::Topology;

pub use limits::{Limit, raise_locked_memory, raise_open_files};

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// What was found.
    pub value: String,
    /// Whether it will do.
    pub verdict: Verdict,
    /// What to do about it, a sentence; `None` when all is well.
    pub remedy: Option<String>,
}

/// Whether what was found will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It will.
    Ok,
    /// It will, but not well.
    Warning,
    /// It will not.
    Fatal,
}

/// What the process is about to ask of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Executors, one a request shard.
    pub executors: usize,
    /// Connections that the configuration allows at once, of clients and to the database, over all shards.
    pub connections: u64,
}

/// The fatal checks, as one sentence each with its remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", sentences(.0))]
pub struct PreflightError(pub Vec<Check>);

impl Check {
    fn ok(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into(), verdict: Verdict::Ok, remedy: None }
    }

    fn warning(name: &'static str, value: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, value: value.into(), verdict: Verdict::Warning, remedy: Some(remedy.into()) }
    }

    fn fatal(name: &'static str, value: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, value: value.into(), verdict: Verdict::Fatal, remedy: Some(remedy.into()) }
    }
}

/// Looks at everything. Raise the limits first, or they are judged as they are.
pub fn run(needs: &Needs) -> Vec<Check> {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let version = KernelVersion::parse(&release);
    vec![
        kernel(&release, version),
        io_uring::check(Path::new("/")),
        limits::locked_memory(Limit::locked_memory(), needs.executors, version, limits::may_lock(Path::new("/"))),
        limits::open_files(Limit::open_files(), needs),
        huge_pages(Path::new("/")),
    ]
}

/// Looks at what costs speed and nothing else. No start needs to wait for it.
pub fn survey(topology: &Topology) -> Vec<Check> {
    let root = Path::new("/");
    vec![machine::clock_source(root), machine::frequency_governor(root, topology), machine::control_group(topology)]
}

/// # Errors
/// [`PreflightError`] with every fatal check, if there is one.
pub fn fatal(checks: &[Check]) -> Result<(), PreflightError> {
    let fatal: Vec<Check> = checks.iter().filter(|check| check.verdict == Verdict::Fatal).cloned().collect();
    if fatal.is_empty() { Ok(()) } else { Err(PreflightError(fatal)) }
}

fn sentences(checks: &[Check]) -> String {
    let each = checks.iter().map(|check| match &check.remedy {
        Some(remedy) => format!("{}: {}. {remedy}", check.name, check.value),
        None => format!("{}: {}.", check.name, check.value),
    });
    each.collect::<Vec<_>>().join(" ")
}

/// Major and minor number of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct KernelVersion(u32, u32);

/// The newest io_uring operations that glommio cannot do without came with 5.6; it says so in its own documentation.
const KERNEL_MIN: KernelVersion = KernelVersion(5, 6);

/// What glommio's documentation recommends.
const KERNEL_RECOMMENDED: KernelVersion = KernelVersion(5, 8);

impl KernelVersion {
    /// Reads the start of a release name such as `6.1.0-13-amd64`.
    fn parse(release: &str) -> Option<Self> {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit());
        Some(Self(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

fn kernel(release: &str, version: Option<KernelVersion>) -> Check {
    const NAME: &str = "kernel";
    let value = format!("Linux {release}");
    match version {
        Some(version) if version < KERNEL_MIN => {
            Check::fatal(NAME, value, format!("Run a kernel of version {KERNEL_MIN} or newer."))
        }
        Some(version) if version < KERNEL_RECOMMENDED => {
            Check::warning(NAME, value, format!("It works, but {KERNEL_RECOMMENDED} or newer is recommended."))
        }
        Some(_) => Check::ok(NAME, value),
        None => Check::warning(
            NAME,
            value,
            format!("Its version cannot be told from its name; {KERNEL_MIN} or newer is needed."),
        ),
    }
}

/// Password hashing walks through tens of mebibytes at random, where 4 KiB pages cost it page faults and TLB misses.
fn huge_pages(root: &Path) -> Check {
    const NAME: &str = "transparent huge pages";
    const PATH: &str = "sys/kernel/mm/transparent_hugepage/enabled";
    let Ok(modes) = fs::read_to_string(root.join(PATH)) else {
        return Check::warning(
            NAME,
            "not offered by this kernel",
            "Nothing breaks, but password hashing is slower than on a kernel with CONFIG_TRANSPARENT_HUGEPAGE.",
        );
    };
    // The mode in force stands in brackets: `always [madvise] never`.
    let mode = modes.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(mode, _)| mode);
    match mode {
        Some(mode @ ("always" | "madvise")) => Check::ok(NAME, mode),
        Some(mode) => Check::warning(
            NAME,
            mode,
            format!("Nothing breaks, but password hashing is faster with them: `echo madvise > /{PATH}` as root."),
        ),
        None => Check::warning(NAME, modes.trim(), "The mode in force cannot be told from this."),
    }
}

#[cfg(test)]
mod tests;
