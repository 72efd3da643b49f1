//! Limits that control groups set on this process, version 1 and 2: CPU quota, memory, CPU set.
//! Only reads files; a machine without control groups has no limits, which is no error.
//!
//! Formats: proc(5) for `/proc/self/mountinfo`, cgroups(7) for `/proc/self/cgroup`, and the kernel's
//! Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/ for the files.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use super::cpu_list;

/// What all control groups above the process leave it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Limits {
    /// CPUs' worth of time.
    pub(super) cpu_quota: Option<f64>,
    /// Bytes.
    pub(super) memory_bytes: Option<u64>,
    /// CPU numbers, ascending.
    pub(super) cpu_set: Option<Vec<usize>>,
}

/// Reads the limits in force, with `root` standing for `/`.
pub(super) fn limits(root: &Path) -> Limits {
    let (Ok(membership), Ok(mounts)) =
        (fs::read_to_string(root.join("proc/self/cgroup")), fs::read_to_string(root.join("proc/self/mountinfo")))
    else {
        return Limits::default();
    };
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    let chain = |controller| folders(root, &membership, &mounts, controller);

    let mut quotas: Vec<f64> = Vec::new();
    let mut memory: Vec<u64> = Vec::new();
    for folder in chain(Controller::Unified) {
        quotas.extend(quota_v2(&folder));
        memory.extend(number::<u64>(&folder.join("memory.max")));
    }
    for folder in chain(Controller::Named("cpu")) {
        quotas.extend(quota_v1(&folder));
    }
    for folder in chain(Controller::Named("memory")) {
        // "No limit" is a number near 2^63 here; the caller takes the minimum with what the machine has.
        memory.extend(number::<u64>(&folder.join("memory.limit_in_bytes")));
    }

    // A group's effective set lies within its ancestors', so the nearest folder that has one decides.
    let sets = [
        nearest_cpu_set(chain(Controller::Unified), &["cpuset.cpus.effective", "cpuset.cpus"]),
        nearest_cpu_set(chain(Controller::Named("cpuset")), &["cpuset.effective_cpus", "cpuset.cpus"]),
    ];
    let cpu_set = sets.into_iter().flatten().reduce(|mut set, other| {
        set.retain(|cpu| other.contains(cpu));
        set
    });

    Limits { cpu_quota: quotas.into_iter().reduce(f64::min), memory_bytes: memory.into_iter().min(), cpu_set }
}

#[derive(Clone, Copy)]
enum Controller {
    /// Version 2: one hierarchy for all.
    Unified,
    /// Version 1: the hierarchy of one controller.
    Named(&'static str),
}

/// One line of mountinfo that mounts a cgroup hierarchy.
struct Mount {
    /// The group that appears at the mount point.
    root: PathBuf,
    point: PathBuf,
    unified: bool,
    /// Version 1: names the controllers.
    options: String,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let root = PathBuf::from(unescape(mount.next()?));
        let point = PathBuf::from(unescape(mount.next()?));
        let mut file_system = file_system.split(' ');
        let unified = match file_system.next()? {
            "cgroup2" => true,
            "cgroup" => false,
            _ => return None,
        };
        let options = file_system.nth(1).unwrap_or_default().to_owned();
        Some(Self { root, point, unified, options })
    }

    fn serves(&self, controller: Controller) -> bool {
        match controller {
            Controller::Unified => self.unified,
            Controller::Named(name) => !self.unified && self.options.split(',').any(|option| option == name),
        }
    }
}

/// The folders of the process's group in one hierarchy: its own first, then each ancestor up to the mount point.
fn folders(root: &Path, membership: &str, mounts: &[Mount], controller: Controller) -> Vec<PathBuf> {
    let Some(mount) = mounts.iter().find(|mount| mount.serves(controller)) else {
        return Vec::new();
    };
    let Some(group) = membership.lines().find_map(|line| group_in(line, controller)) else {
        return Vec::new();
    };
    // In a container without a cgroup namespace the group's path is the host's, while the mount shows only the
    // part from `mount.root` down; and a path with `..` lies outside what the mount shows. The mount point is
    // then the nearest folder that can be read.
    let below = Path::new(group)
        .strip_prefix(&mount.root)
        .ok()
        .filter(|below| below.components().all(|part| matches!(part, Component::Normal(_))))
        .unwrap_or(Path::new(""));
    let point = root.join(mount.point.strip_prefix("/").unwrap_or(&mount.point));
    below.ancestors().map(|part| if part.as_os_str().is_empty() { point.clone() } else { point.join(part) }).collect()
}

/// The path of a `/proc/self/cgroup` line (`ID:CONTROLLERS:PATH`) if it is of this hierarchy.
fn group_in(line: &str, controller: Controller) -> Option<&str> {
    let mut fields = line.splitn(3, ':');
    let id = fields.next()?;
    let controllers = fields.next()?;
    let path = fields.next()?;
    let found = match controller {
        Controller::Unified => id == "0" && controllers.is_empty(),
        Controller::Named(name) => controllers.split(',').any(|listed| listed == name),
    };
    found.then_some(path)
}

/// mountinfo writes space, tab, newline and backslash as three octal digits.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

fn number<T: std::str::FromStr>(path: &Path) -> Option<T> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// `cpu.max` holds `QUOTA PERIOD` in microseconds, or `max PERIOD`.
fn quota_v2(folder: &Path) -> Option<f64> {
    let text = fs::read_to_string(folder.join("cpu.max")).ok()?;
    let mut fields = text.split_whitespace();
    quota(fields.next()?.parse().ok()?, fields.next()?.parse().ok()?)
}

/// The quota is -1 where there is none.
fn quota_v1(folder: &Path) -> Option<f64> {
    quota(number(&folder.join("cpu.cfs_quota_us"))?, number(&folder.join("cpu.cfs_period_us"))?)
}

fn quota(quota_us: i64, period_us: i64) -> Option<f64> {
    (quota_us > 0 && period_us > 0).then(|| quota_us as f64 / period_us as f64)
}

fn nearest_cpu_set(folders: Vec<PathBuf>, names: &[&str]) -> Option<Vec<usize>> {
    folders.iter().find_map(|folder| {
        names.iter().find_map(|name| {
            let text = fs::read_to_string(folder.join(name)).ok()?;
            cpu_list::parse(&text).filter(|cpus| !cpus.is_empty())
        })
    })
}
