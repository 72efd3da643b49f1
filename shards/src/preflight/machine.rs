//! What slows a server down without stopping it: clocks that are slow to read, CPUs that are kept slow, limits of a
//! control group. Nothing here is ever fatal.

use std::{collections::BTreeSet, fs, path::Path};

use super::Check;
use crate::topology::Topology;

/// Clock sources that are read without a system call, or by few instructions.
const FAST_CLOCKS: [&str; 5] = ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "xen"];

/// Drivers whose `powersave` still goes up to the full frequency under load (Linux Documentation/admin-guide/pm).
const DRIVERS_THAT_SCALE: [&str; 2] = ["intel_pstate", "amd-pstate-epp"];

/// Every request reads the clock several times.
pub(super) fn clock_source(root: &Path) -> Check {
    const NAME: &str = "clock source";
    const PATH: &str = "sys/devices/system/clocksource/clocksource0/current_clocksource";
    let Ok(source) = fs::read_to_string(root.join(PATH)) else {
        return Check::ok(NAME, "not shown by this kernel");
    };
    let source = source.trim();
    if FAST_CLOCKS.contains(&source) {
        return Check::ok(NAME, source);
    }
    let available = fs::read_to_string(root.join(PATH.replace("current", "available"))).unwrap_or_default();
    let better = available.split_whitespace().find(|name| FAST_CLOCKS.contains(name));
    let remedy = better.map_or_else(
        || "Each look at the clock takes a microsecond or more; this machine offers no better one.".to_owned(),
        |better| format!("Each look at the clock takes a microsecond or more: `echo {better} > /{PATH}` as root."),
    );
    Check::warning(NAME, source, remedy)
}

pub(super) fn frequency_governor(root: &Path, topology: &Topology) -> Check {
    const NAME: &str = "frequency governor";
    let read = |cpu: usize, file: &str| {
        let path = root.join(format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/{file}"));
        fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
    };
    let governors: BTreeSet<String> =
        topology.cores.iter().filter_map(|core| read(core.id, "scaling_governor")).collect();
    if governors.is_empty() {
        return Check::ok(NAME, "left to the firmware or the hypervisor");
    }
    let value = governors.iter().cloned().collect::<Vec<_>>().join(", ");
    let driver = topology.cores.first().and_then(|core| read(core.id, "scaling_driver")).unwrap_or_default();
    let slow = governors.contains("powersave") && !DRIVERS_THAT_SCALE.contains(&driver.as_str());
    if slow || governors.contains("conservative") {
        return Check::warning(
            NAME,
            value,
            "CPUs stay slow, or are slow to speed up: `cpupower frequency-set -g schedutil` (or performance) as root.",
        );
    }
    Check::ok(NAME, value)
}

/// What a control group takes away from what the machine has.
pub(super) fn control_group(topology: &Topology) -> Check {
    const NAME: &str = "control group";
    let cores = topology.cores.len();
    let memory = format!("{} MiB", topology.memory_bytes >> 20);
    match topology.cpu_quota {
        None => Check::ok(NAME, format!("no CPU quota; {cores} CPUs, {memory}")),
        Some(quota) if quota.fract() == 0.0 && quota >= cores as f64 => {
            Check::ok(NAME, format!("a quota of {quota} CPUs for {cores}; {memory}"))
        }
        Some(quota) => Check::warning(
            NAME,
            format!("a quota of {quota} CPUs, of {cores}; {memory}"),
            "A group that has used up its quota is stopped for the rest of the period, up to 100 ms, whatever waits: \
             give it whole CPUs by a CPU set (`AllowedCPUs=` in a systemd unit, `--cpuset-cpus` for a container).",
        ),
    }
}
