//! From topology to placement: how many request shards and password cores, and on which CPUs. A pure function.
//!
//! A password core runs memory-hard hashing, which fills the caches and the memory bus of the CPU that it runs on;
//! everything here serves to keep that away from request shards.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Core, Topology, cpu_list,
    select::{self, Share},
};
use crate::offload::{Serves, WorkerSpec};

/// What the operator asks for; `None` leaves it to the plan.
#[derive(Clone, Debug, Default)]
pub struct PlanRequest {
    /// Number of request shards.
    pub request_shards: Option<usize>,
    /// Number of password cores.
    pub password_cores: Option<usize>,
    /// The only CPUs to use, by the kernel's numbers.
    pub cpus: Option<Vec<usize>>,
    /// Memory in bytes that each worker of a password core will hold, to keep their number within the machine's
    /// memory. 0: not considered.
    pub password_worker_bytes: u64,
}

/// Which CPU does what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Request shards in ascending order of CPU; at least one.
    pub shards: Vec<ShardPlacement>,
    /// Password cores in ascending order of CPU; at least one.
    pub password_cores: Vec<PasswordPlacement>,
    /// Which password cores hash for which shards: every shard and every password core is in exactly one group.
    pub groups: Vec<PasswordGroup>,
    /// Why the plan is as it is, one sentence each.
    pub notes: Vec<String>,
}

/// One request shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardPlacement {
    /// Position in [`Plan::shards`].
    pub index: usize,
    /// CPU to pin it to.
    pub cpu: usize,
    /// NUMA node of that CPU.
    pub numa_node: usize,
}

/// One password core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordPlacement {
    /// Position in [`Plan::password_cores`].
    pub index: usize,
    /// CPU to pin it to.
    pub cpu: usize,
    /// NUMA node of that CPU.
    pub numa_node: usize,
    /// Index of the shard on the same CPU, if any: work that nobody waits for must then run at idle priority.
    pub shared_with_shard: Option<usize>,
}

/// Shards and the password cores near them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordGroup {
    /// Indices into [`Plan::shards`]; at least one.
    pub shards: Vec<usize>,
    /// Indices into [`Plan::password_cores`]; at least one.
    pub password_cores: Vec<usize>,
}

impl PasswordPlacement {
    /// The threads that work there: one for everything on a CPU of its own, two on a shard's. See [`WorkerSpec`].
    pub fn workers(&self) -> Vec<WorkerSpec> {
        let worker = |serves, idle_priority| WorkerSpec { cpu: Some(self.cpu), serves, idle_priority };
        match self.shared_with_shard {
            None => vec![worker(Serves::Both, false)],
            Some(_) => vec![worker(Serves::Urgent, false), worker(Serves::Background, true)],
        }
    }
}

/// Why no plan meets the request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The topology has no CPU.
    #[error("there is no CPU to plan for")]
    NoCpu,
    /// An empty list of CPUs.
    #[error("the list of CPUs is empty: name at least one, or leave the setting out to use all")]
    EmptyCpuList,
    /// A listed CPU cannot be used.
    #[error(
        "CPU {cpu} is in the list but this process may not use it: choose from {usable}, or widen the affinity mask \
         or cpuset that the process runs in"
    )]
    UnusableCpu {
        /// The CPU.
        cpu: usize,
        /// The usable ones, as a list of ranges.
        usable: String,
    },
    /// A CPU stands in the list twice.
    #[error("CPU {cpu} is in the list twice: a CPU holds at most one shard, so name each once")]
    RepeatedCpu {
        /// The CPU.
        cpu: usize,
    },
    /// Zero shards asked for.
    #[error("0 request shards were asked for: ask for at least 1, or leave the setting out to have it computed")]
    NoShard,
    /// Zero password cores asked for.
    #[error(
        "0 password cores were asked for: ask for at least 1 (it may share a CPU with a shard), or leave the setting \
         out to have it computed"
    )]
    NoPasswordCore,
    /// More shards than CPUs.
    #[error(
        "{asked} request shards were asked for, but there are {} CPUs to run on ({cpus}): ask for at most {}, or \
         give the process more CPUs",
        usable,
        usable
    )]
    TooManyShards {
        /// Shards asked for.
        asked: usize,
        /// CPUs there are.
        usable: usize,
        /// The same as a list of ranges.
        cpus: String,
    },
    /// More password cores than CPUs.
    #[error(
        "{asked} password cores were asked for, but there are {} CPUs to run on ({cpus}): ask for at most {}, or \
         give the process more CPUs",
        usable,
        usable
    )]
    TooManyPasswordCores {
        /// Password cores asked for.
        asked: usize,
        /// CPUs there are.
        usable: usize,
        /// The same as a list of ranges.
        cpus: String,
    },
}

/// Below this many CPUs a password core of its own would cost half of the machine or more.
const OWN_PASSWORD_CORES_FROM_CPUS: usize = 3;

/// One CPU in this many becomes a password core.
///
/// A measure of judgement: a core takes tens of thousands of registrations a second but hashes about seventy, so no
/// share lets hashing keep pace with a flood. The share buys logins per second and the pace at which a backlog
/// shrinks. A quarter leaves requests, which are bound by PostgreSQL long before, three quarters of the machine.
const CPUS_PER_PASSWORD_CORE: usize = 4;

/// Password cores together hold at most one part in this many of the memory; the rest is for connections, the
/// kernel's socket buffers and a database on the same machine.
const MEMORY_PARTS: u64 = 2;

/// Places request shards and password cores on the CPUs of `topology`. The same input gives the same plan.
///
/// # Errors
/// See [`PlanError`]; each says what to change.
pub fn plan(topology: &Topology, request: &PlanRequest) -> Result<Plan, PlanError> {
    let usable = usable_cores(topology, request)?;
    check_counts(request, &usable)?;
    let budget = budget(topology, usable.len());
    let amounts = amounts(topology, request, usable.len(), budget);

    let picked = select::to_run_on(&usable, amounts.cpus);
    let apart = match amounts.own {
        Some(share) => select::to_set_apart(&picked, share),
        None => BTreeSet::new(),
    };
    let shard_cores: Vec<Core> = picked.iter().filter(|core| !apart.contains(&core.id)).cloned().collect();
    let shared = select::spread(&shard_cores, amounts.shared);

    let shards: Vec<ShardPlacement> = shard_cores
        .iter()
        .enumerate()
        .map(|(index, core)| ShardPlacement { index, cpu: core.id, numa_node: core.numa_node })
        .collect();
    let password_cores: Vec<PasswordPlacement> = picked
        .iter()
        .filter(|core| apart.contains(&core.id) || shared.contains(&core.id))
        .enumerate()
        .map(|(index, core)| PasswordPlacement {
            index,
            cpu: core.id,
            numa_node: core.numa_node,
            shared_with_shard: shards.iter().position(|shard| shard.cpu == core.id),
        })
        .collect();
    let groups = groups(&shards, &password_cores);
    let mut plan = Plan { shards, password_cores, groups, notes: Vec::new() };
    plan.notes = notes(topology, request, &usable, budget, &plan);
    Ok(plan)
}

/// The CPUs of the topology that the request allows, ascending.
fn usable_cores(topology: &Topology, request: &PlanRequest) -> Result<Vec<Core>, PlanError> {
    let mut usable = topology.cores.clone();
    usable.sort_by_key(|core| core.id);
    if let Some(listed) = &request.cpus {
        if listed.is_empty() {
            return Err(PlanError::EmptyCpuList);
        }
        let mut seen = BTreeSet::new();
        for &cpu in listed {
            if !seen.insert(cpu) {
                return Err(PlanError::RepeatedCpu { cpu });
            }
            if !usable.iter().any(|core| core.id == cpu) {
                return Err(PlanError::UnusableCpu { cpu, usable: list(&usable) });
            }
        }
        usable.retain(|core| seen.contains(&core.id));
    }
    if usable.is_empty() {
        return Err(PlanError::NoCpu);
    }
    Ok(usable)
}

fn check_counts(request: &PlanRequest, usable: &[Core]) -> Result<(), PlanError> {
    let count = usable.len();
    match request.request_shards {
        Some(0) => return Err(PlanError::NoShard),
        Some(asked) if asked > count => {
            return Err(PlanError::TooManyShards { asked, usable: count, cpus: list(usable) });
        }
        _ => {}
    }
    match request.password_cores {
        Some(0) => Err(PlanError::NoPasswordCore),
        Some(asked) if asked > count => {
            Err(PlanError::TooManyPasswordCores { asked, usable: count, cpus: list(usable) })
        }
        _ => Ok(()),
    }
}

/// How many CPUs can usefully be busy at once.
///
/// The whole part of the quota: a group that outruns its quota is stopped altogether for the rest of the period
/// (100 ms by default), every shard with it. The fraction is left to the kernel's work and to a private PostgreSQL,
/// which counts against the same quota.
fn budget(topology: &Topology, usable: usize) -> usize {
    match topology.cpu_quota {
        Some(quota) if quota < usable as f64 => (quota as usize).max(1),
        _ => usable,
    }
}

/// How many CPUs do what.
struct Amounts {
    /// CPUs to run on.
    cpus: usize,
    /// Password cores with a CPU of their own.
    own: Option<Share>,
    /// Password cores that share a shard's CPU.
    shared: usize,
}

impl Amounts {
    fn exactly(shards: usize, own: usize, shared: usize) -> Self {
        Self { cpus: shards + own, own: (own > 0).then_some(Share::Exactly(own)), shared }
    }
}

fn amounts(topology: &Topology, request: &PlanRequest, usable: usize, budget: usize) -> Amounts {
    let affordable = affordable_password_cores(topology, request);
    match (request.request_shards, request.password_cores) {
        (None, None) if budget < OWN_PASSWORD_CORES_FROM_CPUS => Amounts::exactly(budget, 0, 1),
        (None, None) => {
            let quarter = budget / CPUS_PER_PASSWORD_CORE;
            Amounts {
                cpus: budget,
                own: Some(if quarter <= affordable { Share::About(quarter) } else { Share::Exactly(affordable) }),
                shared: 0,
            }
        }
        (Some(shards), None) => {
            // The same ratio, seen from the shards' side, within the CPUs that they leave.
            let quarter = shards / (CPUS_PER_PASSWORD_CORE - 1);
            let room = budget.saturating_sub(shards);
            let count = quarter.min(room).min(affordable).max(1);
            placed(shards, count, usable)
        }
        (None, Some(count)) if budget >= OWN_PASSWORD_CORES_FROM_CPUS && count < budget => {
            Amounts::exactly(budget - count, count, 0)
        }
        (None, Some(count)) => {
            let shared = count.min(budget);
            Amounts::exactly(budget, count - shared, shared)
        }
        (Some(shards), Some(count)) => placed(shards, count, usable),
    }
}

/// Password cores get CPUs of their own while there are any.
fn placed(shards: usize, password_cores: usize, usable: usize) -> Amounts {
    let own = password_cores.min(usable - shards);
    Amounts::exactly(shards, own, password_cores - own)
}

fn affordable_password_cores(topology: &Topology, request: &PlanRequest) -> usize {
    if request.password_worker_bytes == 0 {
        return usize::MAX;
    }
    let affordable = topology.memory_bytes / MEMORY_PARTS / request.password_worker_bytes;
    usize::try_from(affordable).unwrap_or(usize::MAX).max(1)
}

/// One group a NUMA node if each node has both kinds, otherwise one for all.
///
/// Not finer: the hand-over of a job costs nothing beside the hash, while more cores behind one queue shorten the
/// wait in it.
fn groups(shards: &[ShardPlacement], password_cores: &[PasswordPlacement]) -> Vec<PasswordGroup> {
    let mut by_node: BTreeMap<usize, PasswordGroup> = BTreeMap::new();
    let empty = || PasswordGroup { shards: Vec::new(), password_cores: Vec::new() };
    for shard in shards {
        let group = by_node.entry(shard.numa_node).or_insert_with(empty);
        group.shards.push(shard.index);
    }
    for core in password_cores {
        let group = by_node.entry(core.numa_node).or_insert_with(empty);
        group.password_cores.push(core.index);
    }
    if by_node.values().all(|group| !group.shards.is_empty() && !group.password_cores.is_empty()) {
        return by_node.into_values().collect();
    }
    vec![PasswordGroup { shards: (0..shards.len()).collect(), password_cores: (0..password_cores.len()).collect() }]
}

fn notes(topology: &Topology, request: &PlanRequest, usable: &[Core], budget: usize, plan: &Plan) -> Vec<String> {
    let mut notes = Vec::new();
    let busy: BTreeSet<usize> =
        plan.shards.iter().map(|shard| shard.cpu).chain(plan.password_cores.iter().map(|core| core.cpu)).collect();
    if let Some(quota) = topology.cpu_quota.filter(|quota| *quota < usable.len() as f64) {
        notes.push(if busy.len() > budget {
            format!(
                "The CPU quota is {quota:.2}, less than the {} CPUs in use: under full load the kernel will stop the \
                 whole process for parts of each period.",
                busy.len()
            )
        } else if quota < 1.0 {
            format!("The CPU quota is {quota:.2}: under full load the kernel will stop the process for parts of each period.")
        } else {
            format!(
                "The CPU quota is {quota:.2}, so the plan keeps to {budget} of {} CPUs: more would only get \
                 the process stopped for parts of each period.",
                usable.len()
            )
        });
    }

    let shared: Vec<&PasswordPlacement> =
        plan.password_cores.iter().filter(|core| core.shared_with_shard.is_some()).collect();
    let own = plan.password_cores.len() - shared.len();
    if own > 0 && request.password_cores.is_none() {
        notes.push(format!(
            "{own} of {} CPUs for passwords: about a quarter, a measure of judgement between logins a second and \
             requests a second.",
            busy.len()
        ));
    }
    for core in &shared {
        notes.push(format!(
            "Password core {} shares CPU {} with a shard, as there is no CPU to spare: hashing that nobody waits for \
             runs at idle priority there.",
            core.index, core.cpu
        ));
    }

    let physical = |cpu: usize| usable.iter().find(|core| core.id == cpu).map(|core| core.physical_core);
    for core in &plan.password_cores {
        let sibling =
            plan.shards.iter().find(|shard| shard.cpu != core.cpu && physical(shard.cpu) == physical(core.cpu));
        if let (None, Some(shard)) = (core.shared_with_shard, sibling) {
            notes.push(format!(
                "Password core {} and shard {} are hardware threads of one physical core (CPUs {} and {}) and will \
                 slow each other; these numbers leave no other way.",
                core.index, shard.index, core.cpu, shard.cpu
            ));
        }
    }

    let nodes: BTreeSet<usize> = plan.shards.iter().map(|shard| shard.numa_node).collect();
    let everywhere = nodes.len() > 1 || plan.password_cores.iter().any(|core| !nodes.contains(&core.numa_node));
    if everywhere && plan.groups.len() == 1 {
        notes.push("Not every NUMA node has both shards and password cores, so hashing crosses nodes.".to_owned());
    }

    let workers: usize = plan.password_cores.iter().map(|core| core.workers().len()).sum();
    let bytes = request.password_worker_bytes.saturating_mul(workers as u64);
    if bytes > topology.memory_bytes / MEMORY_PARTS {
        notes.push(format!(
            "Hashing will hold {} MiB of {} MiB of memory, more than half: use fewer password cores or less memory a \
             hash.",
            bytes >> 20,
            topology.memory_bytes >> 20
        ));
    } else if request.password_cores.is_none()
        && affordable_password_cores(topology, request) < busy.len() / CPUS_PER_PASSWORD_CORE
    {
        notes.push(format!(
            "Memory of {} MiB allows no more than {} password cores.",
            topology.memory_bytes >> 20,
            plan.password_cores.len()
        ));
    }
    notes
}

fn list(cores: &[Core]) -> String {
    cpu_list::format(&cores.iter().map(|core| core.id).collect::<Vec<_>>())
}

#[cfg(test)]
pub(super) mod tests;
