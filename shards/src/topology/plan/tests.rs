//! Placement on machines of many shapes.

use proptest::prelude::*;

use super::*;
use crate::topology::Cache;

/// A machine of `nodes` nodes with `caches` L3 caches each, `cores` physical cores a cache and `threads` hardware
/// threads a core, numbered as Linux does on x86: all first threads, then all second ones.
pub(crate) fn machine(nodes: usize, caches: usize, cores: usize, threads: usize) -> Topology {
    let physical = nodes * caches * cores;
    let cores = (0..physical * threads)
        .map(|id| {
            let first = id % physical;
            let l3 = first / cores;
            Core {
                id,
                package: l3 / caches,
                physical_core: first,
                numa_node: l3 / caches,
                l2: Some(Cache { group: first, bytes: Some(1 << 20) }),
                l3: Some(Cache { group: l3 * cores, bytes: Some(32 << 20) }),
            }
        })
        .collect();
    Topology { cores, cpu_quota: None, memory_bytes: 64 << 30 }
}

fn with_quota(quota: f64, topology: Topology) -> Topology {
    Topology { cpu_quota: Some(quota), ..topology }
}

fn ask(shards: Option<usize>, passwords: Option<usize>) -> PlanRequest {
    PlanRequest { request_shards: shards, password_cores: passwords, ..PlanRequest::default() }
}

fn shard_cpus(plan: &Plan) -> Vec<usize> {
    plan.shards.iter().map(|shard| shard.cpu).collect()
}

fn password_cpus(plan: &Plan) -> Vec<usize> {
    plan.password_cores.iter().map(|core| core.cpu).collect()
}

fn default_plan(topology: &Topology) -> Plan {
    plan(topology, &PlanRequest::default()).unwrap()
}

#[test]
fn one_cpu_holds_both() {
    let plan = default_plan(&machine(1, 1, 1, 1));
    assert_eq!(shard_cpus(&plan), [0]);
    assert_eq!(password_cpus(&plan), [0]);
    assert_eq!(plan.password_cores[0].shared_with_shard, Some(0));
}

#[test]
fn two_cpus_hold_two_shards_and_a_shared_password_core() {
    for topology in [machine(1, 1, 2, 1), machine(1, 1, 1, 2)] {
        let plan = default_plan(&topology);
        assert_eq!(shard_cpus(&plan), [0, 1]);
        assert_eq!(password_cpus(&plan), [1]);
        assert_eq!(plan.password_cores[0].shared_with_shard, Some(1));
    }
}

#[test]
fn from_three_cpus_passwords_have_their_own() {
    for (cpus, passwords) in [(3, 1), (4, 1), (6, 1), (8, 2), (12, 3), (16, 4)] {
        let plan = default_plan(&machine(1, 1, cpus, 1));
        assert_eq!(plan.password_cores.len(), passwords, "{cpus} CPUs");
        assert_eq!(plan.shards.len(), cpus - passwords);
        assert!(plan.password_cores.iter().all(|core| core.shared_with_shard.is_none()));
    }
}

#[test]
fn password_cores_are_whole_physical_cores() {
    let plan = default_plan(&machine(1, 1, 8, 2));
    assert_eq!(password_cpus(&plan), [6, 7, 14, 15]);
    let plan = default_plan(&machine(1, 1, 2, 2));
    assert_eq!(shard_cpus(&plan), [0, 2]);
    assert_eq!(password_cpus(&plan), [1, 3]);
}

#[test]
fn a_quota_of_one_and_a_half_uses_one_cpu() {
    let plan = default_plan(&with_quota(1.5, machine(1, 1, 8, 1)));
    assert_eq!(shard_cpus(&plan), [0]);
    assert_eq!(password_cpus(&plan), [0]);
    assert!(plan.notes[0].contains("quota is 1.50"), "{:?}", plan.notes);
}

#[test]
fn a_quota_below_one_still_gives_a_shard() {
    let plan = default_plan(&with_quota(0.2, machine(1, 1, 4, 1)));
    assert_eq!((plan.shards.len(), plan.password_cores.len()), (1, 1));
}

#[test]
fn a_quota_above_the_machine_changes_nothing() {
    let free = machine(1, 1, 4, 1);
    assert_eq!(default_plan(&with_quota(8.0, free.clone())), default_plan(&free));
}

#[test]
fn a_quota_of_four_on_a_large_machine_takes_four_physical_cores_of_one_node() {
    let plan = default_plan(&with_quota(4.0, machine(2, 1, 16, 2)));
    assert_eq!(shard_cpus(&plan), [0, 1, 2]);
    assert_eq!(password_cpus(&plan), [3]);
}

#[test]
fn an_offline_cpu_leaves_a_gap() {
    let mut topology = machine(1, 1, 4, 1);
    topology.cores.remove(1);
    let plan = default_plan(&topology);
    assert_eq!(shard_cpus(&plan), [0, 2]);
    assert_eq!(password_cpus(&plan), [3]);
}

#[test]
fn sixty_four_cpus_on_two_nodes_hash_within_their_node() {
    let topology = machine(2, 4, 8, 1);
    let plan = default_plan(&topology);
    assert_eq!((plan.shards.len(), plan.password_cores.len()), (48, 16));
    assert_eq!(plan.groups.len(), 2);
    for group in &plan.groups {
        assert_eq!((group.shards.len(), group.password_cores.len()), (24, 8));
        let node = plan.shards[group.shards[0]].numa_node;
        let shards = group.shards.iter().map(|&i| plan.shards[i].numa_node);
        let cores = group.password_cores.iter().map(|&i| plan.password_cores[i].numa_node);
        assert!(shards.chain(cores).all(|near| near == node));
    }
    // One L3 cache a node is given up to hashing; the other three stay the shards' own.
    assert_eq!(password_cpus(&plan), (24..32).chain(56..64).collect::<Vec<_>>());
}

#[test]
fn numbers_asked_for_are_kept() {
    let topology = machine(1, 1, 8, 1);
    let counts = |request| {
        let plan = plan(&topology, &request).unwrap();
        let shared = plan.password_cores.iter().filter(|core| core.shared_with_shard.is_some()).count();
        (plan.shards.len(), plan.password_cores.len(), shared)
    };
    assert_eq!(counts(ask(Some(4), None)), (4, 1, 0));
    assert_eq!(counts(ask(Some(6), None)), (6, 2, 0));
    assert_eq!(counts(ask(Some(8), None)), (8, 1, 1));
    assert_eq!(counts(ask(None, Some(3))), (5, 3, 0));
    assert_eq!(counts(ask(None, Some(8))), (8, 8, 8));
    assert_eq!(counts(ask(Some(6), Some(4))), (6, 4, 2));
}

#[test]
fn one_shard_on_two_cpus_leaves_the_other_to_passwords() {
    let plan = plan(&machine(1, 1, 2, 1), &ask(Some(1), None)).unwrap();
    assert_eq!((shard_cpus(&plan), password_cpus(&plan)), (vec![0], vec![1]));
}

#[test]
fn siblings_stay_together_where_the_numbers_allow() {
    let topology = machine(1, 1, 4, 2);
    for (shards, passwords) in [(3, 1), (5, 1), (5, 2), (4, 3), (3, 4), (2, 2)] {
        let plan = plan(&topology, &ask(Some(shards), Some(passwords))).unwrap();
        assert!(
            !plan.notes.iter().any(|note| note.contains("hardware thread")),
            "{shards}+{passwords}: {:?}",
            plan.notes
        );
    }
    let unavoidable = plan(&topology, &ask(Some(7), Some(1))).unwrap();
    assert!(unavoidable.notes.iter().any(|note| note.contains("hardware thread")));
}

#[test]
fn only_listed_cpus_are_used() {
    let request = PlanRequest { cpus: Some(vec![6, 2, 4]), ..PlanRequest::default() };
    let plan = plan(&machine(1, 1, 8, 1), &request).unwrap();
    assert_eq!(shard_cpus(&plan), [2, 4]);
    assert_eq!(password_cpus(&plan), [6]);
}

#[test]
fn little_memory_means_fewer_password_cores() {
    let topology = Topology { memory_bytes: 512 << 20, ..machine(1, 1, 16, 1) };
    let request = PlanRequest { password_worker_bytes: 128 << 20, ..PlanRequest::default() };
    let plan = plan(&topology, &request).unwrap();
    assert_eq!((plan.shards.len(), plan.password_cores.len()), (14, 2));
    assert!(plan.notes.iter().any(|note| note.contains("512 MiB")));
}

#[test]
fn a_password_core_on_a_shards_cpu_has_a_second_worker_of_idle_priority() {
    let own = default_plan(&machine(1, 1, 4, 1)).password_cores[0].workers();
    assert_eq!(
        own.iter().map(|worker| (worker.serves, worker.idle_priority)).collect::<Vec<_>>(),
        [(Serves::Both, false)]
    );
    let topology = Topology { memory_bytes: 200 << 20, ..machine(1, 1, 2, 1) };
    let request = PlanRequest { password_worker_bytes: 64 << 20, ..PlanRequest::default() };
    let plan = plan(&topology, &request).unwrap();
    let shared = plan.password_cores[0].workers();
    assert_eq!(
        shared.iter().map(|worker| (worker.serves, worker.idle_priority)).collect::<Vec<_>>(),
        [(Serves::Urgent, false), (Serves::Background, true)]
    );
    assert!(plan.notes.iter().any(|note| note.contains("hold 128 MiB of 200 MiB")), "{:?}", plan.notes);
}

#[test]
fn a_request_for_too_much_says_what_to_change() {
    let topology = machine(1, 1, 4, 1);
    let error = |request| plan(&topology, &request).unwrap_err().to_string();
    assert_eq!(
        error(ask(Some(8), None)),
        "8 request shards were asked for, but there are 4 CPUs to run on (0-3): ask for at most 4, or give the \
         process more CPUs"
    );
    assert!(error(ask(None, Some(5))).starts_with("5 password cores were asked for"));
    assert!(error(ask(Some(0), None)).contains("at least 1"));
    assert!(error(ask(None, Some(0))).contains("at least 1"));
    let listing = |cpus: &[usize]| PlanRequest { cpus: Some(cpus.to_vec()), ..PlanRequest::default() };
    assert!(error(listing(&[9])).contains("choose from 0-3"));
    assert!(error(listing(&[1, 1])).contains("twice"));
    assert!(error(listing(&[])).contains("at least one"));
}

fn any_topology() -> impl Strategy<Value = Topology> {
    let shape = (1..=3usize, 1..=3usize, 1..=5usize, 1..=2usize);
    (
        shape,
        proptest::option::of(0.05..70.0f64),
        any::<prop::sample::Index>(),
        proptest::collection::vec(any::<bool>(), 90),
    )
        .prop_map(|((nodes, caches, cores, threads), quota, kept, offline)| {
            let mut topology = machine(nodes, caches, cores, threads);
            let kept = topology.cores[kept.index(topology.cores.len())].id;
            topology.cores.retain(|core| core.id == kept || !offline[core.id]);
            topology.cpu_quota = quota;
            topology
        })
}

proptest! {
    #[test]
    fn every_plan_is_sound(
        topology in any_topology(),
        shards in proptest::option::of(1..=40usize),
        passwords in proptest::option::of(1..=40usize),
    ) {
        let request = ask(shards, passwords);
        let count = topology.cores.len();
        let result = plan(&topology, &request);
        prop_assert_eq!(&result, &plan(&topology, &request), "the same input, the same plan");
        if shards.is_some_and(|asked| asked > count) || passwords.is_some_and(|asked| asked > count) {
            prop_assert!(result.is_err());
            return Ok(());
        }
        let plan = result.unwrap();

        let unique: BTreeSet<usize> = shard_cpus(&plan).into_iter().collect();
        prop_assert_eq!(unique.len(), plan.shards.len(), "no CPU holds two shards");
        let unique: BTreeSet<usize> = password_cpus(&plan).into_iter().collect();
        prop_assert_eq!(unique.len(), plan.password_cores.len(), "no CPU holds two password cores");
        for cpu in shard_cpus(&plan).into_iter().chain(password_cpus(&plan)) {
            prop_assert!(topology.cores.iter().any(|core| core.id == cpu));
        }
        prop_assert!(!plan.shards.is_empty() && !plan.password_cores.is_empty());
        for (position, shard) in plan.shards.iter().enumerate() {
            prop_assert_eq!(shard.index, position);
        }
        for (position, core) in plan.password_cores.iter().enumerate() {
            prop_assert_eq!(core.index, position);
            let sharing = plan.shards.iter().position(|shard| shard.cpu == core.cpu);
            prop_assert_eq!(core.shared_with_shard, sharing);
        }
        if let Some(asked) = shards {
            prop_assert_eq!(plan.shards.len(), asked);
        }
        if let Some(asked) = passwords {
            prop_assert_eq!(plan.password_cores.len(), asked);
        }
        if let (None, None, Some(quota)) = (shards, passwords, topology.cpu_quota) {
            let busy: BTreeSet<usize> = shard_cpus(&plan).into_iter().chain(password_cpus(&plan)).collect();
            prop_assert!(busy.len() as f64 <= quota.max(1.0));
        }

        let mut grouped: Vec<usize> = plan.groups.iter().flat_map(|group| group.shards.clone()).collect();
        grouped.sort_unstable();
        prop_assert_eq!(grouped, (0..plan.shards.len()).collect::<Vec<_>>());
        let mut grouped: Vec<usize> = plan.groups.iter().flat_map(|group| group.password_cores.clone()).collect();
        grouped.sort_unstable();
        prop_assert_eq!(grouped, (0..plan.password_cores.len()).collect::<Vec<_>>());
        prop_assert!(plan.groups.iter().all(|group| !group.shards.is_empty() && !group.password_cores.is_empty()));
    }

    #[test]
    fn by_default_no_physical_core_does_both_when_there_are_several(topology in any_topology()) {
        let plan = default_plan(&topology);
        let physical = |cpu: usize| topology.cores.iter().find(|core| core.id == cpu).unwrap().physical_core;
        let shard_cores: BTreeSet<usize> = plan.shards.iter().map(|shard| physical(shard.cpu)).collect();
        let mixed = plan
            .password_cores
            .iter()
            .any(|core| core.shared_with_shard.is_none() && shard_cores.contains(&physical(core.cpu)));
        prop_assert!(!mixed, "{plan:?}");
    }
}
