//! Which CPUs: picks a number of them for a purpose by caches, hardware threads and NUMA nodes.
//! Pure and deterministic; knows no shard and no password.

use std::collections::{BTreeMap, BTreeSet};

use super::Core;

/// Picks `count` of `cores` to run on, fewest shared resources first: one NUMA node while it has room, a hardware
/// thread of each physical core before their siblings. In ascending order of CPU number.
pub(super) fn to_run_on(cores: &[Core], count: usize) -> Vec<Core> {
    let mut threads_before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut physical: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    let mut logical: BTreeMap<usize, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, &Core)> = Vec::new();
    for core in cores {
        let rank = threads_before.entry(core.physical_core).or_default();
        ranked.push((*rank, core));
        *rank += 1;
        physical.entry(core.numa_node).or_default().insert(core.physical_core);
        *logical.entry(core.numa_node).or_default() += 1;
    }
    let node_order = |node: usize| {
        let holds_all = physical.get(&node).is_some_and(|held| held.len() >= count);
        let size = logical.get(&node).copied().unwrap_or(0);
        (!holds_all, usize::MAX - size, node)
    };
    ranked.sort_by_key(|(rank, core)| {
        let cache = core.l3.map_or(core.physical_core, |cache| cache.group);
        (node_order(core.numa_node), *rank, cache, core.id)
    });
    let mut picked: Vec<Core> = ranked.into_iter().take(count).map(|(_, core)| core.clone()).collect();
    picked.sort_by_key(|core| core.id);
    picked
}

/// How many CPUs to set apart.
#[derive(Clone, Copy, Debug)]
pub(super) enum Share {
    /// As near to this many as whole physical cores allow, but at least one.
    About(usize),
    /// This many, splitting a physical core only where nothing else fits.
    Exactly(usize),
}

/// Sets CPUs apart from `cores` for other work than the rest, which keeps at least one.
///
/// NUMA nodes give in proportion to their size. Within a node whole physical cores are taken, from the highest
/// cache group downwards: work that streams through its cache then shares few caches with the rest, and CPU 0,
/// which many machines send interrupts to, goes last.
pub(super) fn to_set_apart(cores: &[Core], share: Share) -> BTreeSet<usize> {
    let (wanted, exact) = match share {
        Share::About(wanted) => (wanted.max(1), false),
        Share::Exactly(wanted) => (wanted, true),
    };
    let wanted = wanted.min(cores.len().saturating_sub(1));
    let mut apart = BTreeSet::new();
    while apart.len() < wanted {
        let left = wanted - apart.len();
        let candidates = whole_cores(cores, &apart);
        let fitting = candidates.iter().filter(|core| {
            let size = core.cpus.len();
            if exact { size <= left } else { apart.len() + size < cores.len() && (apart.is_empty() || size < 2 * left) }
        });
        match fitting.max_by_key(|core| (core.deficit(cores, &apart, wanted), core.rank())) {
            Some(core) => apart.extend(&core.cpus),
            None if apart.is_empty() || exact => {
                // Nothing whole fits: hardware threads of one physical core go separate ways.
                return split(cores, apart, wanted);
            }
            None => break,
        }
    }
    apart
}

/// Picks `count` of `cores` one CPU at a time, spread over NUMA nodes in proportion to their size.
pub(super) fn spread(cores: &[Core], count: usize) -> BTreeSet<usize> {
    split(cores, BTreeSet::new(), count.min(cores.len()))
}

fn split(cores: &[Core], mut taken: BTreeSet<usize>, wanted: usize) -> BTreeSet<usize> {
    while taken.len() < wanted {
        let next = cores
            .iter()
            .filter(|core| !taken.contains(&core.id))
            .max_by_key(|core| (deficit(cores, &taken, wanted, core.numa_node), core.id));
        match next {
            Some(core) => taken.insert(core.id),
            None => break,
        };
    }
    taken
}

/// A physical core none of whose CPUs is taken yet.
struct WholeCore {
    numa_node: usize,
    cache: usize,
    cpus: Vec<usize>,
}

impl WholeCore {
    fn deficit(&self, cores: &[Core], taken: &BTreeSet<usize>, wanted: usize) -> i64 {
        deficit(cores, taken, wanted, self.numa_node)
    }

    /// Larger physical cores first, so that an odd CPU is left for the end.
    fn rank(&self) -> (usize, usize, usize) {
        (self.cpus.len(), self.cache, self.cpus.first().copied().unwrap_or(0))
    }
}

fn whole_cores(cores: &[Core], taken: &BTreeSet<usize>) -> Vec<WholeCore> {
    let mut whole: BTreeMap<usize, WholeCore> = BTreeMap::new();
    for core in cores {
        whole
            .entry(core.physical_core)
            .or_insert_with(|| WholeCore {
                numa_node: core.numa_node,
                cache: core.l3.map_or(0, |cache| cache.group),
                cpus: Vec::new(),
            })
            .cpus
            .push(core.id);
    }
    whole.into_values().filter(|core| core.cpus.iter().all(|cpu| !taken.contains(cpu))).collect()
}

/// How far a node is from its proportional share of `wanted`, scaled by the number of CPUs to stay in integers.
fn deficit(cores: &[Core], taken: &BTreeSet<usize>, wanted: usize, node: usize) -> i64 {
    let in_node = cores.iter().filter(|core| core.numa_node == node);
    let (size, given) =
        in_node.fold((0i64, 0i64), |(size, given), core| (size + 1, given + i64::from(taken.contains(&core.id))));
    wanted as i64 * size - given * cores.len() as i64
}
