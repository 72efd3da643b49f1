//! CPU time and memory of processes, read from /proc (proc(5)). Parsing is apart from reading. Never guesses: what
//! cannot be read is no figure.

use std::{collections::BTreeMap, fs, io, path::Path};

/// The unit of times in /proc/PID/stat: USER_HZ, which is 100 per second on every architecture that Jeday runs on.
const NS_PER_TICK: u64 = 10_000_000;

/// One process in /proc/PID/stat. The kernel keeps its own count in nanoseconds and only shows ticks, so an interval
/// of seconds is off by a tick at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) parent: u32,
    /// CPU time of all its threads, those that ended included.
    pub(crate) own_ns: u64,
    /// CPU time of its children that ended and were waited for, and of theirs.
    pub(crate) ended_children_ns: u64,
}

/// Parses /proc/PID/stat. The name in parentheses may hold anything, so fields are counted from its end.
pub(crate) fn parse_stat(text: &str) -> Option<Stat> {
    let (_, after_name) = text.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
    // Fields 4 (ppid) and 14 to 17 (utime, stime, cutime, cstime); the first here is number 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(4)?).ok()?,
        own_ns: (number(14)? + number(15)?) * NS_PER_TICK,
        ended_children_ns: (number(16)? + number(17)?) * NS_PER_TICK,
    })
}

/// Parses /proc/PID/task/TID/schedstat: nanoseconds on a CPU come first.
pub(crate) fn parse_schedstat(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

/// Finds a line such as `VmRSS:     1234 kB` in /proc/PID/status or /proc/meminfo.
pub(crate) fn parse_kib(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.trim_end().parse().ok()
}

/// CPU time of a process, in nanoseconds.
pub(crate) fn cpu_ns(pid: u32) -> io::Result<u64> {
    Ok(stat(pid)?.own_ns)
}

/// CPU time of a process and of all its children, those that ended included.
pub(crate) fn cpu_ns_with_children(pid: u32) -> io::Result<u64> {
    loop {
        let ended_ns = stat(pid)?.ended_children_ns;
        let living_ns = living_children_ns(pid)?;
        let parent = stat(pid)?;
        // A child that ended in between may be missing in both or count in both.
        if parent.ended_children_ns == ended_ns {
            return Ok(parent.own_ns + ended_ns + living_ns);
        }
    }
}

fn living_children_ns(pid: u32) -> io::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Processes come and go meanwhile.
        let Ok(stat) = stat(child) else { continue };
        if stat.parent == pid {
            // A process of PostgreSQL has one thread, whose time is known more precisely.
            total += threads_ns(child).map_or(stat.own_ns, |threads| threads.values().sum());
            total += stat.ended_children_ns;
        }
    }
    Ok(total)
}

/// CPU time of the whole machine, in nanoseconds: what was not idle, that stolen by other machines included.
pub(crate) fn machine_cpu_ns() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/stat")?;
    parse_machine(&text).ok_or_else(|| malformed(Path::new("/proc/stat")))
}

/// Parses the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal; guests count in user.
pub(crate) fn parse_machine(text: &str) -> Option<u64> {
    let numbers = text.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace().take(8);
    let ticks: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
    let [user, nice, system, _, _, irq, softirq, steal] = ticks[..] else { return None };
    Some((user + nice + system + irq + softirq + steal) * NS_PER_TICK)
}

/// CPU time of a process's living threads whose names begin with `prefix`, and of its others, in nanoseconds.
pub(crate) fn threads_by_name(pid: u32, prefix: &str) -> io::Result<(u64, u64)> {
    let (mut named, mut others) = (0, 0);
    for (thread, ns) in threads_ns(pid)? {
        // One that has ended meanwhile has no name any more.
        let name = fs::read_to_string(format!("/proc/{pid}/task/{thread}/comm")).unwrap_or_default();
        if name.starts_with(prefix) { named += ns } else { others += ns }
    }
    Ok((named, others))
}

/// The parent of a process, if both are PostgreSQL's: a process of that number may be on another machine.
pub(crate) fn postmaster_of(backend: u32) -> Option<u32> {
    let is_postgresql = |pid: u32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        name.starts_with("postgres")
    };
    let parent = stat(backend).ok()?.parent;
    (is_postgresql(backend) && is_postgresql(parent)).then_some(parent)
}

/// CPU time of the children of this process that have ended.
pub(crate) fn ended_children_ns() -> io::Result<u64> {
    Ok(stat(std::process::id())?.ended_children_ns)
}

/// CPU time of each living thread of a process, by thread, in nanoseconds.
pub(crate) fn threads_ns(pid: u32) -> io::Result<BTreeMap<u32, u64>> {
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
        let ns = parse_schedstat(&text).ok_or_else(|| malformed(&entry.path()))?;
        threads.insert(thread, ns);
    }
    if threads.is_empty() { Err(io::ErrorKind::Unsupported.into()) } else { Ok(threads) }
}

/// Memory of a process, in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Memory {
    /// VmRSS.
    pub(crate) resident_kib: u64,
    /// VmHWM: the most it has had.
    pub(crate) peak_kib: u64,
}

pub(crate) fn memory(pid: u32) -> io::Result<Memory> {
    let file = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&file)?;
    let find = |key| parse_kib(&text, key).ok_or_else(|| malformed(Path::new(&file)));
    Ok(Memory { resident_kib: find("VmRSS")?, peak_kib: find("VmHWM")? })
}

fn stat(pid: u32) -> io::Result<Stat> {
    let file = format!("/proc/{pid}/stat");
    parse_stat(&fs::read_to_string(&file)?).ok_or_else(|| malformed(Path::new(&file)))
}

fn malformed(file: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{} is not as expected", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_spaces_and_parentheses() {
        let text = "42 (postgres: a) R (b)) S 7 42 42 0 -1 4194560 900 80 1 0 150 50 300 20 20 0 1 0 999 1 1 1\n";
        let stat = Stat { parent: 7, own_ns: 2_000_000_000, ended_children_ns: 3_200_000_000 };
        assert_eq!(parse_stat(text), Some(stat));
    }

    #[test]
    fn short_or_foreign_text_is_no_stat() {
        for text in ["", "42 (sh", "42 (sh) S 1 2 3", "42 (sh) S x 42 42 0 -1 0 0 0 0 0 1 1 1 1 20"] {
            assert_eq!(parse_stat(text), None, "{text}");
        }
    }

    #[test]
    fn schedstat_begins_with_time_on_a_cpu() {
        assert_eq!(parse_schedstat("123456789 42 17\n"), Some(123_456_789));
        assert_eq!(parse_schedstat("\n"), None);
    }

    #[test]
    fn memory_is_found_by_its_whole_key() {
        let text = "Name:\tjeday\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\nThreads:\t5\n";
        assert_eq!(parse_kib(text, "VmRSS"), Some(10_240));
        assert_eq!(parse_kib(text, "VmHWM"), Some(20_480));
        assert_eq!(parse_kib(text, "Vm"), None);
        assert_eq!(parse_kib(text, "Threads"), None);
    }

    #[test]
    fn machine_is_busy_with_all_that_is_neither_idle_nor_waiting() {
        assert_eq!(parse_machine("cpu  1 2 3 1000 500 4 5 6 7 8\ncpu0 1 2 3 4 5 6 7 8 0 0\n"), Some(210_000_000));
        assert_eq!(parse_machine("cpu  1 2 3\n"), None);
        assert_eq!(parse_machine("intr 1 2 3 4 5 6 7 8\n"), None);
    }

    #[test]
    fn this_process_can_be_looked_at() {
        let pid = std::process::id();
        assert!(memory(pid).unwrap().resident_kib > 0);
        assert!(cpu_ns_with_children(pid).unwrap() >= cpu_ns(pid).unwrap());
    }
}
