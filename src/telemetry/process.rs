//! What the kernel knows about this process and its threads, read when somebody asks; never by the threads themselves.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::clock;

/// The unit of times in `/proc/*/stat`. The kernel fixes it at 100 for user space on every architecture
/// that Jeday is built for, whatever its own tick is (`USER_HZ`, proc(5)).
const CLOCK_TICKS_PER_SECOND: u64 = 100;
const NANOS_PER_TICK: u64 = 1_000_000_000 / CLOCK_TICKS_PER_SECOND;

/// Room for one line of `/proc/*/schedstat` or `/proc/*/stat`.
const LINE_BYTES: usize = 1024;

/// The CPU time of one thread, readable from every other.
///
/// The kernel's own count is read through files that are opened once, so the thread that is measured does nothing,
/// and not even its run queue is locked, which a clock of the thread would do.
#[derive(Debug)]
pub(super) struct ThreadClock {
    schedstat: Option<File>,
    stat: Option<File>,
}

impl ThreadClock {
    /// The clock of the calling thread. Without `/proc` it reads as unknown.
    pub(super) fn of_this_thread() -> Self {
        Self {
            schedstat: File::open("/proc/thread-self/schedstat").ok(),
            stat: File::open("/proc/thread-self/stat").ok(),
        }
    }

    /// CPU time the thread has used, in nanoseconds; none when the kernel does not tell or the thread has ended.
    pub(super) fn cpu_ns(&self) -> Option<u64> {
        let mut line = [0; LINE_BYTES];
        self.schedstat
            .as_ref()
            .and_then(|file| schedstat_cpu_ns(read_line(file, &mut line)?))
            .or_else(|| stat_cpu_ns(read_line(self.stat.as_ref()?, &mut line)?))
    }
}

fn read_line<'a>(file: &File, line: &'a mut [u8]) -> Option<&'a str> {
    let len = file.read_at(line, 0).ok()?;
    std::str::from_utf8(&line[..len]).ok()
}

/// `/proc/*/schedstat` is "time on CPU in ns, time waiting, slices". A kernel without scheduler statistics writes
/// three zeros; a thread that runs has had at least one slice.
fn schedstat_cpu_ns(line: &str) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace();
    let on_cpu = fields.next()?.parse().ok()?;
    let slices: u64 = fields.nth(1)?.parse().ok()?;
    (slices > 0).then_some(on_cpu)
}

/// User and system time of a line of `/proc/*/stat`.
fn stat_cpu_ns(line: &str) -> Option<u64> {
    let user: u64 = stat_field(line, 14)?;
    let system: u64 = stat_field(line, 15)?;
    Some((user + system) * NANOS_PER_TICK)
}

/// A numeric field of `/proc/*/stat`, by its number in proc(5). The name in field 2 may hold spaces and brackets, so
/// counting starts behind its last bracket.
fn stat_field(line: &str, number: usize) -> Option<u64> {
    let (_, rest) = line.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

/// The process at one moment; a field is none when the kernel does not tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ProcessStats {
    pub(super) cpu_ns: u64,
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) open_fds: Option<u64>,
    /// None also when there is no limit.
    pub(super) max_fds: Option<u64>,
}

impl ProcessStats {
    /// Reads them; takes some 20 us, nearly all of it for the memory.
    pub(super) fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            cpu_ns: nanos(clock_gettime(ClockId::ProcessCPUTime)),
            resident_bytes: status_bytes(&status, "VmRSS:"),
            virtual_bytes: status_bytes(&status, "VmSize:"),
            open_fds: open_fds(),
            max_fds: getrlimit(Resource::Nofile).current,
        }
    }
}

/// A line of `/proc/self/status` such as `VmRSS:   1234 kB`, in bytes.
fn status_bytes(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kib * 1024)
}

/// Since Linux 6.2 the size of the folder is the number of open descriptors; before, it is 0 and they are counted,
/// which takes a millisecond for every few thousand.
fn open_fds() -> Option<u64> {
    match fs::metadata("/proc/self/fd").ok()?.len() {
        0 => Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64),
        size => Some(size),
    }
}

/// When this process started, in milliseconds since 1970, to the kernel's 10 ms.
pub(super) fn start_time_ms() -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let started_after_boot_ms = stat_field(&stat, 22)? * NANOS_PER_TICK / 1_000_000;
    let since_boot_ms = nanos(clock_gettime(ClockId::Boottime)) / 1_000_000;
    clock::unix_ms().checked_sub(since_boot_ms.checked_sub(started_after_boot_ms)?)
}

fn nanos(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds * 1_000_000_000 + nanos
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant};

    #[test]
    fn schedstat_gives_nanoseconds_unless_the_kernel_keeps_none() {
        assert_eq!(schedstat_cpu_ns("260908474 80023959 59\n"), Some(260_908_474));
        assert_eq!(schedstat_cpu_ns("0 0 0\n"), None);
        assert_eq!(schedstat_cpu_ns(""), None);
    }

    #[test]
    fn stat_is_read_past_a_name_with_brackets() {
        let line = "77 (a (b) c) S 1 77 77 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 8899 1 2";
        assert_eq!(stat_cpu_ns(line), Some(2_000_000_000));
        assert_eq!(stat_field(line, 22), Some(8899));
    }

    #[test]
    fn status_is_in_kibibytes() {
        let status = "Name:\tjeday\nVmSize:\t    2048 kB\nVmRSS:\t       7 kB\n";
        assert_eq!(status_bytes(status, "VmRSS:"), Some(7 * 1024));
        assert_eq!(status_bytes(status, "VmSize:"), Some(2048 * 1024));
        assert_eq!(status_bytes(status, "VmSwap:"), None);
    }

    #[test]
    fn cpu_time_of_a_busy_thread_is_seen_from_another() {
        let (clock_out, clock_in) = mpsc::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        let busy = thread::spawn(move || {
            clock_out.send(ThreadClock::of_this_thread()).unwrap();
            while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
                std::hint::spin_loop();
            }
        });
        let clock = clock_in.recv().unwrap();
        let before = clock.cpu_ns().unwrap();
        let patience = Instant::now() + Duration::from_secs(10);
        while clock.cpu_ns().unwrap() < before + 20_000_000 {
            assert!(Instant::now() < patience, "the clock stands still");
            thread::sleep(Duration::from_millis(5));
        }
        stop.send(()).unwrap();
        busy.join().unwrap();
        // A joiner wakes a moment before the kernel lets the thread go.
        while clock.cpu_ns().is_some() {
            assert!(Instant::now() < patience, "a thread that ended has a clock");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn this_process_has_memory_descriptors_and_a_start() {
        let stats = ProcessStats::read();
        assert!(stats.cpu_ns > 0);
        assert!(stats.resident_bytes.unwrap() > 100_000);
        assert!(stats.virtual_bytes.unwrap() >= stats.resident_bytes.unwrap());
        assert!(stats.open_fds.unwrap() >= 3);
        let age_ms = clock::unix_ms() - start_time_ms().unwrap();
        assert!(age_ms < 3_600_000, "started {age_ms} ms ago");
    }
}
