//! The password cores of this process: one pool of workers for each group of the plan, each worker with memory for one
//! hash that it keeps. Starts and stops them, and tells what they do; never blocks a shard.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use shards::offload::{self, Bounds, Ending, Handle, Pool, Rest, StartError, Urgency};
use shards::topology::Plan;
use thiserror::Error;

use super::Params;
use super::argon2id::{Engine, HashError, HashMemory};
use super::job::{self, Answer, Gauges, Hasher, Job};
use super::password_core::{AttachError, PasswordCore};
use super::self_test::{self, SelfTestError};
use crate::limits;

/// How to hash, and how much may wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoresConfig {
    /// What new hashes cost.
    pub params: Params,
    /// Most jobs somebody waits for that may wait for each password core, beside the one it works on. At least 1.
    pub urgent_max: usize,
    /// Most jobs nobody waits for that may wait for each password core. At least 1.
    pub background_max: usize,
    /// Within what time a job somebody waits for has to begin.
    pub deadline: Duration,
}

/// Running password cores. Dropping them answers what waits and lets the threads end by themselves.
pub struct PasswordCores {
    groups: Vec<Group>,
    /// By shard: which group hashes for it.
    group_of: BTreeMap<usize, usize>,
    config: CoresConfig,
    engine: Engine,
}

struct Group {
    pool: Pool<Job, Answer>,
    gauges: Arc<Gauges>,
    cores: usize,
    shards: usize,
}

/// Why the password cores did not start.
#[derive(Debug, Error)]
pub enum CoresError {
    /// No engine can be trusted.
    #[error(transparent)]
    SelfTest(#[from] SelfTestError),
    /// A worker could not be started, or had no memory.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// A shard's way to its password cores, before it runs. Cheap to clone, may go to any thread.
#[derive(Clone)]
pub struct CoresHandle {
    pub(super) handle: Handle<Job, Answer>,
    pub(super) gauges: Arc<Gauges>,
    pub(super) config: CoresConfig,
    pub(super) cores: usize,
    pub(super) shards: usize,
}

/// Tells what the password cores do, from any thread.
#[derive(Clone)]
pub struct CoresReporter {
    engine: Engine,
    pub(super) groups: Vec<(Handle<Job, Answer>, Arc<Gauges>)>,
}

/// What all password cores have done and have to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoresReport {
    /// Which implementation hashes, and why.
    pub engine: Engine,
    /// One entry a group of the plan, in its order.
    pub groups: Vec<GroupReport>,
}

/// What the password cores of one group have done and have to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupReport {
    /// Queues and workers: what waits, hashes done, jobs that panicked, time spent. Late jobs are among those done.
    pub pool: offload::Report,
    /// How long a hash takes that somebody waits for, as a moving mean.
    pub urgent_hash: Duration,
    /// How long one takes that nobody waits for; longer where it has to give way to a shard.
    pub background_hash: Duration,
    /// Jobs whose turn came after their deadline, so that they were not hashed.
    pub late: u64,
    /// Jobs for which there was no memory.
    pub failed: u64,
    /// Stored records that could not be read, each answered as a wrong password.
    pub unreadable: u64,
}

/// Workers of all password cores of a plan; each holds [`Params::memory_bytes`] from the start on.
#[must_use]
pub fn worker_count(plan: &Plan) -> usize {
    plan.password_cores.iter().map(|core| core.workers().len()).sum()
}

impl PasswordCores {
    /// Chooses the engine, starts the workers of `plan` and returns once each has its memory.
    ///
    /// # Errors
    /// See [`CoresError`]; workers already started are ended.
    pub fn start(plan: &Plan, config: CoresConfig) -> Result<Self, CoresError> {
        let engine = self_test::choose(config.params)?;
        match engine {
            Engine::Fast { instructions } => {
                tracing::info!(instructions, params = %config.params, "Argon2id is fast here")
            }
            Engine::Reference { reason } => {
                tracing::warn!(%reason, params = %config.params, "Argon2id takes twice the time: the reference hashes");
            }
        }
        Self::start_with(plan, config, engine, move || HashMemory::new(engine, config.params))
    }

    pub(super) fn start_with<H: Hasher>(
        plan: &Plan,
        config: CoresConfig,
        engine: Engine,
        make: impl Fn() -> Result<H, HashError> + Clone + Send + Sync + 'static,
    ) -> Result<Self, CoresError> {
        let mut cores = Self { groups: Vec::new(), group_of: BTreeMap::new(), config, engine };
        for (number, group) in plan.groups.iter().enumerate() {
            let specs: Vec<_> =
                group.password_cores.iter().flat_map(|&core| plan.password_cores[core].workers()).collect();
            let count = group.password_cores.len();
            let bounds = Bounds {
                urgent: config.urgent_max * count,
                background: config.background_max * count,
                replacements: limits::REPLACEMENTS_PER_PASSWORD_CORE * count,
            };
            let gauges = Arc::new(Gauges::default());
            let (make, warm) = (make.clone(), gauges.clone());
            let idle: Vec<bool> = specs.iter().map(|spec| spec.idle_priority).collect();
            let build = move |worker: usize| {
                let mut hasher = make()?;
                // The first hash takes the memory from the kernel, which can take longer than the hash; the second
                // tells how long one takes. At idle priority that could hold up the start for as long as the machine is
                // busy: there the first rest does it.
                if !idle[worker] {
                    hasher.hash(config.params, &[0; 32], &[0; 16], &mut [0; 32])?;
                    let began = Instant::now();
                    hasher.hash(config.params, &[0; 32], &[0; 16], &mut [0; 32])?;
                    warm.hash(Urgency::Urgent).observe(began.elapsed());
                }
                Ok::<_, HashError>(hasher)
            };
            let counted = gauges.clone();
            let run = move |hasher: &mut H, job: Job| job::run(hasher, &job, &counted);
            let rest = Rest { after: limits::HASH_MEMORY_WIPED_AFTER, act: H::wipe };
            let pool = offload::start(&format!("hash{number}"), &specs, bounds, build, run, Some(rest))?;
            cores.groups.push(Group { pool, gauges, cores: count, shards: group.shards.len() });
            cores.group_of.extend(group.shards.iter().map(|&shard| (shard, number)));
        }
        Ok(cores)
    }

    /// The way to the password cores that hash for this shard of the plan.
    ///
    /// # Panics
    /// When the plan has no such shard.
    #[must_use]
    pub fn handle(&self, shard: usize) -> CoresHandle {
        let group = self.group_of.get(&shard).expect("every shard of a plan is in a group");
        let Group { pool, gauges, cores, shards } = &self.groups[*group];
        let (gauges, config) = (gauges.clone(), self.config);
        CoresHandle { handle: pool.handle(), gauges, config, cores: *cores, shards: *shards }
    }

    /// Which implementation hashes.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.engine
    }

    /// Somebody who tells what they do, from any thread and for as long as wanted.
    #[must_use]
    pub fn reporter(&self) -> CoresReporter {
        let groups = self.groups.iter().map(|group| (group.pool.handle(), group.gauges.clone()));
        CoresReporter { engine: self.engine, groups: groups.collect() }
    }

    /// What they have done and have to do.
    #[must_use]
    pub fn report(&self) -> CoresReport {
        self.reporter().report()
    }

    /// Refuses new jobs, deals with the waiting ones and blocks until every worker has ended and wiped its memory, or
    /// `patience` is used up: false then. Not for a shard's thread.
    pub fn stop(self, ending: Ending, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let end = |group: Group| group.pool.stop(ending, until.saturating_duration_since(Instant::now()));
        // Each is told to stop, also after one that does not.
        self.groups.into_iter().map(end).filter(|ended| !ended).count() == 0
    }
}

impl CoresHandle {
    /// Opens the current shard's access, which stays on it.
    ///
    /// # Errors
    /// See [`AttachError`].
    ///
    /// # Panics
    /// When called outside an executor.
    pub fn attach(&self) -> Result<PasswordCore, AttachError> {
        PasswordCore::new(self.clone())
    }
}

impl CoresReporter {
    /// What they have done and have to do, as of now.
    #[must_use]
    pub fn report(&self) -> CoresReport {
        let groups = self.groups.iter().map(|(handle, gauges)| GroupReport {
            pool: handle.report(),
            urgent_hash: gauges.hash(Urgency::Urgent).get(),
            background_hash: gauges.hash(Urgency::Background).get(),
            late: gauges.late.load(Ordering::Relaxed),
            failed: gauges.failed.load(Ordering::Relaxed),
            unreadable: gauges.unreadable.load(Ordering::Relaxed),
        });
        CoresReport { engine: self.engine, groups: groups.collect() }
    }
}

#[cfg(test)]
mod tests;
