//! Verdicts for systems of many kinds.

use std::{fs, io};

use tempfile::TempDir;

use super::{
    limits::{Limit, locked_memory, open_files},
    *,
};
use crate::topology::Core;

fn limit(soft: u64) -> Limit {
    Limit { soft: Some(soft), hard: Some(soft) }
}

const UNLIMITED: Limit = Limit { soft: None, hard: None };

fn errno(code: i32) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(code))
}

#[test]
fn the_kernel_must_be_new_enough() {
    let verdict = |release: &str| kernel(release, KernelVersion::parse(release)).verdict;
    assert_eq!(verdict("6.1.0-13-amd64"), Verdict::Ok);
    assert_eq!(verdict("5.10-rc1"), Verdict::Ok);
    assert_eq!(verdict("5.6.19"), Verdict::Warning);
    assert_eq!(verdict("5.4.0-100-generic"), Verdict::Fatal);
    assert_eq!(verdict("4.18.0-513.el8.x86_64"), Verdict::Fatal);
    assert_eq!(verdict("mine"), Verdict::Warning);
}

#[test]
fn each_way_to_withhold_io_uring_has_its_own_remedy() {
    let remedy = |outcome, sysctl, confined| {
        let check = io_uring::judge(outcome, sysctl, confined);
        assert_eq!(check.verdict, Verdict::Fatal);
        format!("{} | {}", check.value, check.remedy.unwrap())
    };
    let says = |text: String, words: &[&str]| {
        for word in words {
            assert!(text.contains(word), "{text}");
        }
    };
    says(remedy(errno(libc::ENOSYS), None, false), &["not part of this kernel", "5.6"]);
    says(remedy(errno(libc::ENOSYS), None, true), &["seccomp", "--security-opt"]);
    says(remedy(errno(libc::EPERM), Some(2), true), &["io_uring_disabled is 2", "sysctl -w"]);
    says(remedy(errno(libc::EPERM), Some(1), false), &["io_uring_disabled is 1", "io_uring_group"]);
    says(remedy(errno(libc::EPERM), Some(0), true), &["seccomp", "--security-opt"]);
    says(remedy(errno(libc::EPERM), None, false), &["security policy", "SELinux"]);
    says(remedy(errno(libc::ENOMEM), Some(0), false), &["LimitMEMLOCK", "ulimit -l"]);
    says(remedy(errno(libc::EMFILE), Some(0), false), &["LimitNOFILE"]);
    says(remedy(errno(libc::EINVAL), Some(0), false), &["cannot be set up"]);
    assert_eq!(io_uring::judge(Ok(()), Some(0), true).verdict, Verdict::Ok);
}

#[test]
fn locked_memory_is_judged_by_what_the_kernel_counts() {
    let (old, new) = (Some(KernelVersion(5, 10)), Some(KernelVersion(6, 1)));
    assert_eq!(locked_memory(limit(8 << 20), 64, new, false).verdict, Verdict::Ok);
    assert_eq!(locked_memory(limit(8 << 20), 64, old, false).verdict, Verdict::Fatal);
    assert_eq!(locked_memory(limit(8 << 20), 64, old, true).verdict, Verdict::Ok);
    assert_eq!(locked_memory(limit(8 << 20), 2, old, false).verdict, Verdict::Ok);
    assert_eq!(locked_memory(UNLIMITED, 64, None, false).verdict, Verdict::Ok);
    let too_low = locked_memory(limit(64 << 10), 1, new, true);
    assert_eq!((too_low.verdict, too_low.value.as_str()), (Verdict::Fatal, "64 KiB"));
    assert!(too_low.remedy.unwrap().contains("`ulimit -l 512`"));
}

#[test]
fn open_files_are_judged_by_the_connections_wanted() {
    let needs = Needs { executors: 2, connections: 10_000 };
    assert_eq!(open_files(limit(524_288), &needs).verdict, Verdict::Ok);
    assert_eq!(open_files(UNLIMITED, &needs).verdict, Verdict::Ok);
    let too_low = open_files(limit(1024), &needs);
    assert_eq!(too_low.verdict, Verdict::Fatal);
    assert!(too_low.remedy.unwrap().contains("LimitNOFILE=10096"));
}

#[test]
fn huge_pages_only_ever_warn() {
    let verdict = |modes: Option<&str>| {
        let root = TempDir::new().unwrap();
        if let Some(modes) = modes {
            let folder = root.path().join("sys/kernel/mm/transparent_hugepage");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("enabled"), modes).unwrap();
        }
        huge_pages(root.path()).verdict
    };
    assert_eq!(verdict(Some("always [madvise] never\n")), Verdict::Ok);
    assert_eq!(verdict(Some("[always] madvise never\n")), Verdict::Ok);
    assert_eq!(verdict(Some("always madvise [never]\n")), Verdict::Warning);
    assert_eq!(verdict(None), Verdict::Warning);
}

#[test]
fn only_fatal_checks_stop_the_launch_and_each_is_a_sentence() {
    let fine = Check::ok("kernel", "Linux 6.1");
    let slow = Check::warning("transparent huge pages", "never", "Switch them on.");
    let broken = Check::fatal("open files", "1024", "Raise the limit.");
    assert_eq!(fatal(&[fine.clone(), slow.clone()]), Ok(()));
    let error = fatal(&[fine, slow, broken.clone(), broken]).unwrap_err();
    assert_eq!(error.to_string(), "open files: 1024. Raise the limit. open files: 1024. Raise the limit.");
}

#[test]
fn every_remedy_is_a_sentence() {
    let checks = [
        kernel("5.4", KernelVersion::parse("5.4")),
        io_uring::judge(errno(libc::EPERM), Some(1), false),
        locked_memory(limit(1), 1, None, false),
        open_files(limit(1), &Needs { executors: 1, connections: 1 }),
    ];
    for check in checks {
        let remedy = check.remedy.unwrap();
        assert!(remedy.starts_with(char::is_uppercase) && remedy.ends_with('.'), "{remedy}");
    }
}

#[test]
fn limits_can_be_raised_and_this_machine_looked_at() {
    let files = raise_open_files().unwrap();
    assert_eq!(files.soft, files.hard);
    let memory = raise_locked_memory().unwrap();
    assert_eq!(memory.soft, memory.hard);
    let checks = run(&Needs { executors: 1, connections: 1 });
    let names: Vec<_> = checks.iter().map(|check| check.name).collect();
    assert_eq!(names, ["kernel", "io_uring", "locked memory", "open files", "transparent huge pages"]);
}

/// A root folder with these files.
fn root(files: &[(&str, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn topology(cores: usize, cpu_quota: Option<f64>) -> Topology {
    let core = |id| Core { id, package: 0, physical_core: id, numa_node: 0, l2: None, l3: None };
    Topology { cores: (0..cores).map(core).collect(), cpu_quota, memory_bytes: 4 << 30 }
}

#[test]
fn a_slow_clock_source_is_told_with_a_better_one() {
    let clocks = |current: &str, available: &str| {
        let folder = "sys/devices/system/clocksource/clocksource0";
        let root = root(&[
            (&format!("{folder}/current_clocksource"), current),
            (&format!("{folder}/available_clocksource"), available),
        ]);
        machine::clock_source(root.path())
    };
    assert_eq!(clocks("tsc\n", "tsc hpet acpi_pm\n").verdict, Verdict::Ok);
    let slow = clocks("hpet\n", "tsc hpet acpi_pm\n");
    assert_eq!((slow.verdict, slow.value.as_str()), (Verdict::Warning, "hpet"));
    assert!(slow.remedy.unwrap().contains("echo tsc > /sys/"));
    assert!(clocks("acpi_pm\n", "acpi_pm\n").remedy.unwrap().contains("no better one"));
    assert_eq!(machine::clock_source(root(&[]).path()).verdict, Verdict::Ok);
}

#[test]
fn a_governor_that_keeps_cpus_slow_is_told() {
    let governors = |governors: [&str; 2], driver: &str| {
        let folder = |cpu: usize, file: &str| format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/{file}");
        let root = root(&[
            (&folder(0, "scaling_governor"), governors[0]),
            (&folder(1, "scaling_governor"), governors[1]),
            (&folder(0, "scaling_driver"), driver),
        ]);
        let check = machine::frequency_governor(root.path(), &topology(2, None));
        (check.verdict, check.value)
    };
    assert_eq!(governors(["performance\n", "schedutil\n"], "acpi-cpufreq\n").0, Verdict::Ok);
    assert_eq!(governors(["schedutil\n", "powersave\n"], "acpi-cpufreq\n").0, Verdict::Warning);
    assert_eq!(governors(["powersave\n", "powersave\n"], "intel_pstate\n"), (Verdict::Ok, "powersave".to_owned()));
    assert_eq!(machine::frequency_governor(root(&[]).path(), &topology(2, None)).verdict, Verdict::Ok);
}

#[test]
fn a_quota_that_can_stop_the_process_is_told() {
    let verdict = |quota| machine::control_group(&topology(2, quota)).verdict;
    assert_eq!(verdict(None), Verdict::Ok);
    assert_eq!(verdict(Some(2.0)), Verdict::Ok);
    assert_eq!(verdict(Some(1.5)), Verdict::Warning);
    assert_eq!(verdict(Some(1.0)), Verdict::Warning);
}
