//! Reads the topology from `/proc`, `/sys` and the affinity mask. Decides nothing.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::{Cache, Core, Topology, cgroup, cpu_list};

/// Why the topology could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// `sched_getaffinity` failed.
    #[error("the kernel does not tell which CPUs this process may run on (sched_getaffinity failed)")]
    Affinity,
    /// A file that every Linux has cannot be read.
    #[error("{} cannot be read: {source}; is it mounted in this container?", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file holds something else than its format.
    #[error("{} holds {text:?}, which is not what the kernel writes there", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The offending text.
        text: String,
    },
    /// Affinity mask, online CPUs and cpuset have no CPU in common.
    #[error(
        "no CPU is left for this process: its affinity mask, the online CPUs and its cgroup's cpuset have none in \
         common; widen the mask (taskset) or the cpuset"
    )]
    NoCpu,
}

/// Reads the topology of this machine as the calling thread sees it.
///
/// Call it before any thread is pinned: a pinned thread sees only its own CPU.
///
/// # Errors
/// See [`TopologyError`].
pub fn read() -> Result<Topology, TopologyError> {
    let affinity: Vec<usize> =
        core_affinity::get_core_ids().ok_or(TopologyError::Affinity)?.into_iter().map(|core| core.id).collect();
    read_from(Path::new("/"), &affinity)
}

/// Reads the topology from a tree in which `root` stands for `/`, for a process whose affinity mask is `affinity`.
///
/// What a virtual machine or a container hides (topology, caches, NUMA nodes, control groups) is taken as absent:
/// each CPU is then a physical core of its own on node 0.
///
/// # Errors
/// See [`TopologyError`].
pub fn read_from(root: &Path, affinity: &[usize]) -> Result<Topology, TopologyError> {
    let limits = cgroup::limits(root);
    let cpus = root.join("sys/devices/system/cpu");
    let online = optional_list(&cpus.join("online"))?;
    let mut usable: Vec<usize> = affinity
        .iter()
        .copied()
        .filter(|cpu| online.as_ref().is_none_or(|online| online.contains(cpu)))
        .filter(|cpu| limits.cpu_set.as_ref().is_none_or(|allowed| allowed.contains(cpu)))
        .collect();
    usable.sort_unstable();
    usable.dedup();
    if usable.is_empty() {
        return Err(TopologyError::NoCpu);
    }

    let nodes = numa_nodes(&root.join("sys/devices/system/node"))?;
    let cores =
        usable.into_iter().map(|id| core(&cpus.join(format!("cpu{id}")), id, &nodes)).collect::<Result<_, _>>()?;
    let machine_bytes = memory_bytes(&root.join("proc/meminfo"))?;
    Ok(Topology {
        cores,
        cpu_quota: limits.cpu_quota,
        memory_bytes: limits.memory_bytes.map_or(machine_bytes, |limit| limit.min(machine_bytes)),
    })
}

fn core(folder: &Path, id: usize, nodes: &BTreeMap<usize, usize>) -> Result<Core, TopologyError> {
    let topology = folder.join("topology");
    // Newer kernels call the same list core_cpus_list.
    let mut siblings = optional_list(&topology.join("core_cpus_list"))?;
    if siblings.is_none() {
        siblings = optional_list(&topology.join("thread_siblings_list"))?;
    }
    let (l2, l3) = caches(&folder.join("cache"))?;
    Ok(Core {
        id,
        // The kernel writes -1 where firmware names no package.
        package: optional(&topology.join("physical_package_id")).and_then(|text| text.parse().ok()).unwrap_or(0),
        physical_core: siblings.and_then(|cpus| cpus.first().copied()).unwrap_or(id),
        numa_node: nodes.get(&id).copied().unwrap_or(0),
        l2,
        l3,
    })
}

/// The second- and third-level data caches of one CPU.
fn caches(folder: &Path) -> Result<(Option<Cache>, Option<Cache>), TopologyError> {
    let (mut l2, mut l3) = (None, None);
    for index in 0.. {
        let folder = folder.join(format!("index{index}"));
        let Some(level) = optional(&folder.join("level")) else {
            break;
        };
        if optional(&folder.join("type")).as_deref() == Some("Instruction") {
            continue;
        }
        let group = optional_list(&folder.join("shared_cpu_list"))?.and_then(|cpus| cpus.first().copied());
        let cache = group
            .map(|group| Cache { group, bytes: optional(&folder.join("size")).and_then(|size| cache_bytes(&size)) });
        match level.as_str() {
            "2" => l2 = cache,
            "3" => l3 = cache,
            _ => {}
        }
    }
    Ok((l2, l3))
}

/// sysfs writes cache sizes in KiB: `32768K`.
fn cache_bytes(text: &str) -> Option<u64> {
    text.strip_suffix('K')?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Maps each CPU to its NUMA node; empty where the kernel was built without NUMA.
fn numa_nodes(folder: &Path) -> Result<BTreeMap<usize, usize>, TopologyError> {
    let mut nodes = BTreeMap::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(nodes);
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let node =
            name.to_str().and_then(|name| name.strip_prefix("node")).and_then(|number| number.parse::<usize>().ok());
        let Some(node) = node else { continue };
        for cpu in optional_list(&entry.path().join("cpulist"))?.unwrap_or_default() {
            nodes.insert(cpu, node);
        }
    }
    Ok(nodes)
}

/// `MemTotal` in bytes; the file has it in KiB.
fn memory_bytes(path: &Path) -> Result<u64, TopologyError> {
    let text =
        fs::read_to_string(path).map_err(|source| TopologyError::Unreadable { path: path.to_owned(), source })?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:")).unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<u64>().ok())
        .and_then(|kib| kib.checked_mul(1024))
        .ok_or_else(|| TopologyError::Malformed { path: path.to_owned(), text: line.to_owned() })
}

/// The trimmed text of a file that need not exist.
fn optional(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// A CPU list from a file that need not exist but must be well formed if it does.
fn optional_list(path: &Path) -> Result<Option<Vec<usize>>, TopologyError> {
    let Some(text) = optional(path) else {
        return Ok(None);
    };
    cpu_list::parse(&text).map(Some).ok_or_else(|| TopologyError::Malformed { path: path.to_owned(), text })
}

#[cfg(test)]
mod tests;
