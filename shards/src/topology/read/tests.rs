//! Topologies read from trees made to look like other machines.

use tempfile::TempDir;

use super::*;

/// A fake `/` that starts with memory only.
struct Tree(TempDir);

impl Tree {
    fn new() -> Self {
        Self(TempDir::new().unwrap()).with("proc/meminfo", "MemTotal:       16000000 kB\nMemFree: 1 kB\n")
    }

    fn with(self, path: &str, text: &str) -> Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn cpu(self, id: usize, package: usize, siblings: &str, l3: &str) -> Self {
        let cpu = format!("sys/devices/system/cpu/cpu{id}");
        self.with(&format!("{cpu}/topology/physical_package_id"), &format!("{package}\n"))
            .with(&format!("{cpu}/topology/thread_siblings_list"), siblings)
            .with(&format!("{cpu}/cache/index0/level"), "1\n")
            .with(&format!("{cpu}/cache/index0/type"), "Data\n")
            .with(&format!("{cpu}/cache/index0/shared_cpu_list"), siblings)
            .with(&format!("{cpu}/cache/index1/level"), "2\n")
            .with(&format!("{cpu}/cache/index1/type"), "Unified\n")
            .with(&format!("{cpu}/cache/index1/shared_cpu_list"), siblings)
            .with(&format!("{cpu}/cache/index1/size"), "1024K\n")
            .with(&format!("{cpu}/cache/index2/level"), "3\n")
            .with(&format!("{cpu}/cache/index2/type"), "Unified\n")
            .with(&format!("{cpu}/cache/index2/shared_cpu_list"), l3)
            .with(&format!("{cpu}/cache/index2/size"), "32768K\n")
    }

    fn online(self, list: &str) -> Self {
        self.with("sys/devices/system/cpu/online", list)
    }

    fn read(&self, affinity: &[usize]) -> Topology {
        read_from(self.0.path(), affinity).unwrap()
    }
}

fn ids(topology: &Topology) -> Vec<usize> {
    topology.cores.iter().map(|core| core.id).collect()
}

const V2_MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

#[test]
fn siblings_caches_and_nodes_are_read() {
    let tree = Tree::new()
        .online("0-3\n")
        .cpu(0, 0, "0,2\n", "0,2\n")
        .cpu(1, 1, "1,3\n", "1,3\n")
        .cpu(2, 0, "0,2\n", "0,2\n")
        .cpu(3, 1, "1,3\n", "1,3\n")
        .with("sys/devices/system/node/node0/cpulist", "0,2\n")
        .with("sys/devices/system/node/node1/cpulist", "1,3\n")
        .with("sys/devices/system/node/possible", "0-1\n");
    let topology = tree.read(&[0, 1, 2, 3]);
    assert_eq!(
        topology.cores[3],
        Core {
            id: 3,
            package: 1,
            physical_core: 1,
            numa_node: 1,
            l2: Some(Cache { group: 1, bytes: Some(1 << 20) }),
            l3: Some(Cache { group: 1, bytes: Some(32 << 20) }),
        }
    );
    assert_eq!(topology.memory_bytes, 16_000_000 * 1024);
    assert_eq!(topology.cpu_quota, None);
}

#[test]
fn offline_cpus_and_cpus_outside_the_mask_are_left_out() {
    let tree = Tree::new().online("0-2,4-7\n");
    assert_eq!(ids(&tree.read(&[0, 1, 3, 4, 9])), [0, 1, 4]);
}

#[test]
fn a_hidden_sysfs_gives_plain_cpus() {
    let topology = Tree::new().read(&[2, 5]);
    assert_eq!(ids(&topology), [2, 5]);
    assert_eq!(topology.cores[1].physical_core, 5);
    assert_eq!(topology.cores[1].numa_node, 0);
    assert_eq!(topology.cores[1].l3, None);
}

#[test]
fn the_tightest_ancestor_sets_quota_and_memory_in_v2() {
    let tree = Tree::new()
        .with("proc/self/mountinfo", V2_MOUNT)
        .with("proc/self/cgroup", "0::/pod/server\n")
        .with("sys/fs/cgroup/pod/server/cpu.max", "400000 100000\n")
        .with("sys/fs/cgroup/pod/cpu.max", "150000 100000\n")
        .with("sys/fs/cgroup/cpu.max", "max 100000\n")
        .with("sys/fs/cgroup/pod/server/memory.max", "max\n")
        .with("sys/fs/cgroup/pod/memory.max", "268435456\n");
    let topology = tree.read(&[0]);
    assert_eq!(topology.cpu_quota, Some(1.5));
    assert_eq!(topology.memory_bytes, 256 << 20);
}

#[test]
fn the_nearest_cpuset_narrows_the_mask() {
    let tree = Tree::new()
        .with("proc/self/mountinfo", V2_MOUNT)
        .with("proc/self/cgroup", "0::/pod/server\n")
        .with("sys/fs/cgroup/pod/cpuset.cpus.effective", "2-3\n")
        .with("sys/fs/cgroup/cpuset.cpus.effective", "0-7\n");
    assert_eq!(ids(&tree.read(&[0, 1, 2, 3, 4])), [2, 3]);
}

#[test]
fn a_v1_container_that_shows_only_its_own_group_is_understood() {
    let tree = Tree::new()
        .with(
            "proc/self/mountinfo",
            "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
             32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n\
             33 31 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
        )
        .with("proc/self/cgroup", "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/\n")
        .with("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n")
        .with("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
        .with("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    let topology = tree.read(&[0]);
    assert_eq!(topology.cpu_quota, Some(0.5));
    assert_eq!(topology.memory_bytes, 16_000_000 * 1024, "no limit is no limit");
}

#[test]
fn a_v1_quota_of_minus_one_is_none() {
    let tree = Tree::new()
        .with("proc/self/mountinfo", "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n")
        .with("proc/self/cgroup", "1:cpu:/\n")
        .with("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")
        .with("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_eq!(tree.read(&[0]).cpu_quota, None);
}

#[test]
fn a_group_outside_the_namespace_is_read_at_the_mount_point() {
    let tree = Tree::new()
        .with("proc/self/mountinfo", V2_MOUNT)
        .with("proc/self/cgroup", "0::/../elsewhere\n")
        .with("sys/fs/cgroup/cpu.max", "200000 100000\n");
    assert_eq!(tree.read(&[0]).cpu_quota, Some(2.0));
}

#[test]
fn nothing_in_common_is_an_error() {
    let tree = Tree::new().online("0-1\n");
    assert!(matches!(read_from(tree.0.path(), &[4]), Err(TopologyError::NoCpu)));
}

#[test]
fn a_malformed_list_names_its_file() {
    let tree = Tree::new().online("none\n");
    let error = read_from(tree.0.path(), &[0]).unwrap_err().to_string();
    assert!(error.contains("cpu/online holds \"none\""), "{error}");
}

#[test]
fn this_machine_can_be_read() {
    let topology = read().unwrap();
    assert!(!topology.cores.is_empty());
    assert!(topology.memory_bytes > 0);
}
