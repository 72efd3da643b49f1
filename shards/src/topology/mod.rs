//! What the machine lets this process use, and how to divide it: CPUs with their caches and NUMA nodes, CPU
//! quota, memory, and a plan of request shards and password cores. Starts no thread and pins nothing.

mod cgroup;
mod cpu_list;
mod plan;
mod read;
mod render;
mod select;

pub use plan::{PasswordGroup, PasswordPlacement, Plan, PlanError, PlanRequest, ShardPlacement, plan};
pub use read::{TopologyError, read, read_from};
pub use render::{item, render, size};

/// The part of the machine that this process may use.
#[derive(Clone, Debug, PartialEq)]
pub struct Topology {
    /// Usable logical CPUs in ascending order of `id`: online, in the affinity mask and in the cgroup's cpuset.
    pub cores: Vec<Core>,
    /// CPU time granted per unit of wall-clock time, in CPUs: the tightest quota of the process's cgroup and all
    /// its ancestors. `None`: no quota.
    pub cpu_quota: Option<f64>,
    /// Memory in bytes: the machine's, or the tightest cgroup limit if that is lower.
    pub memory_bytes: u64,
}

impl Topology {
    /// A machine of so many CPUs without hardware threads, on one NUMA node, with so many bytes of memory and no quota.
    pub fn plain(cpus: usize, memory_bytes: u64) -> Self {
        let core = |id| Core { id, package: 0, physical_core: id, numa_node: 0, l2: None, l3: None };
        Self { cores: (0..cpus).map(core).collect(), cpu_quota: None, memory_bytes }
    }
}

/// One logical CPU, named by the kernel's number for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// The kernel's CPU number, the one that thread affinity takes.
    pub id: usize,
    /// Socket.
    pub package: usize,
    /// Physical core: the lowest CPU number among its hardware threads (SMT siblings), hence unique machine-wide,
    /// which sysfs' own `core_id` is not.
    pub physical_core: usize,
    /// NUMA node whose memory is nearest.
    pub numa_node: usize,
    /// Second-level cache.
    pub l2: Option<Cache>,
    /// Third-level cache.
    pub l3: Option<Cache>,
}

/// A cache that one or several CPUs share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// The lowest CPU number that shares it; equal for CPUs on the same cache.
    pub group: usize,
    /// Size in bytes, where the kernel says.
    pub bytes: Option<u64>,
}
