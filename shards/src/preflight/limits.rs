//! Resource limits: locked memory and open files. Lifts soft limits to hard ones, never past them.

use std::{fs, io, path::Path};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Check, KernelVersion, Needs};

/// A resource limit; `None` is unlimited. Bytes for memory, a number of descriptors for files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is in force.
    pub soft: Option<u64>,
    /// What the process may raise it to by itself.
    pub hard: Option<u64>,
}

/// glommio starts no executor below this limit on locked memory.
const LOCKED_BYTES_MIN: u64 = 512 << 10;

/// What the rings of one executor lock before Linux 5.12, rounded up: three rings of 1024 entries at 64 bytes and as
/// many completions twice over at 16.
const LOCKED_BYTES_PER_EXECUTOR: u64 = 512 << 10;

/// From here on rings count against the control group's memory instead of the limit on locked memory.
const RINGS_NOT_LOCKED_FROM: KernelVersion = KernelVersion(5, 12);

/// Descriptors of an executor beside its connections: rings, events, listener, helper threads.
const DESCRIPTORS_PER_EXECUTOR: u64 = 16;

/// Descriptors of the process beside its executors': standard streams, files, metrics, log, password cores.
const DESCRIPTORS_OF_PROCESS: u64 = 64;

impl Limit {
    /// The limit on locked memory now.
    pub(super) fn locked_memory() -> Self {
        getrlimit(Resource::Memlock).into()
    }

    /// The limit on open files now.
    pub(super) fn open_files() -> Self {
        getrlimit(Resource::Nofile).into()
    }

    fn allows(self, wanted: u64) -> bool {
        self.soft.is_none_or(|soft| soft >= wanted)
    }
}

impl From<Rlimit> for Limit {
    fn from(limit: Rlimit) -> Self {
        Self { soft: limit.current, hard: limit.maximum }
    }
}

/// Raises the soft limit on open files to the hard one, and says what is then in force.
///
/// # Errors
/// The kernel's, where it refuses even that; the limit is then unchanged.
pub fn raise_open_files() -> io::Result<Limit> {
    raise(Resource::Nofile)
}

/// Raises the soft limit on locked memory, in bytes, to the hard one, and says what is then in force.
///
/// # Errors
/// The kernel's, where it refuses even that; the limit is then unchanged.
pub fn raise_locked_memory() -> io::Result<Limit> {
    raise(Resource::Memlock)
}

fn raise(resource: Resource) -> io::Result<Limit> {
    let limit = getrlimit(resource);
    if limit.current != limit.maximum {
        setrlimit(resource, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    }
    Ok(getrlimit(resource).into())
}

/// Whether the kernel exempts this process from the limit on locked memory: CAP_IPC_LOCK, bit 14 of `CapEff` in
/// `/proc/self/status` (capabilities(7)). glommio's own minimum holds all the same.
pub(super) fn may_lock(root: &Path) -> bool {
    let status = fs::read_to_string(root.join("proc/self/status")).unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .is_some_and(|set| set & 1 << 14 != 0)
}

pub(super) fn locked_memory(limit: Limit, executors: usize, kernel: Option<KernelVersion>, exempt: bool) -> Check {
    const NAME: &str = "locked memory";
    let value = bytes(limit.soft);
    let rings_are_locked = kernel.is_none_or(|version| version < RINGS_NOT_LOCKED_FROM);
    let wanted = if rings_are_locked && !exempt {
        LOCKED_BYTES_PER_EXECUTOR.saturating_mul(executors as u64).max(LOCKED_BYTES_MIN)
    } else {
        LOCKED_BYTES_MIN
    };
    if limit.allows(wanted) {
        return Check::ok(NAME, value);
    }
    let kib = wanted.div_ceil(1 << 10);
    let remedy = format!(
        "At least {} is needed: `LimitMEMLOCK=infinity` in a systemd unit, `--ulimit memlock=-1` for a container, a \
         `memlock` line in /etc/security/limits.conf, or `ulimit -l {kib}` in the shell.",
        bytes(Some(wanted))
    );
    Check::fatal(NAME, value, remedy)
}

pub(super) fn open_files(limit: Limit, needs: &Needs) -> Check {
    const NAME: &str = "open files";
    let value = limit.soft.map_or("unlimited".to_owned(), |soft| soft.to_string());
    let wanted = DESCRIPTORS_PER_EXECUTOR
        .saturating_mul(needs.executors as u64)
        .saturating_add(DESCRIPTORS_OF_PROCESS)
        .saturating_add(needs.connections);
    if limit.allows(wanted) {
        return Check::ok(NAME, value);
    }
    let remedy = format!(
        "Allow at least {wanted} for {} connections: `LimitNOFILE={wanted}` in a systemd unit, `--ulimit nofile={wanted}` for a \
         container, a `nofile` line in /etc/security/limits.conf, or fewer connections.",
        needs.connections
    );
    Check::fatal(NAME, value, remedy)
}

fn bytes(bytes: Option<u64>) -> String {
    match bytes {
        None => "unlimited".to_owned(),
        Some(bytes) if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        Some(bytes) => format!("{} KiB", bytes >> 10),
    }
}
