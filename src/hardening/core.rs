//! Password cores (stand-in until the real ones are merged).
use super::{
    Engine, HardRecord, HashMemory, Params, Peppers, Random, Record, Salt, WeakRecord, self_test,
    weak::{PepperId, WeakDigest},
};
use crate::account::Password;
use shards::{
    offload::{self, Bounds, Client, Ending, Handle, Pool, Refused, Serves, Unanswered, Urgency, WorkerSpec},
    topology::Plan,
};
use std::{
    cell::RefCell,
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

#[derive(Clone, Copy)]
pub struct CoresConfig {
    pub params: Params,
    pub urgent_max: usize,
    pub background_max: usize,
    pub deadline: Duration,
}
pub struct Job {
    params: Params,
    input: Zeroizing<Vec<u8>>,
    salt: Vec<u8>,
    tag_bytes: usize,
    deadline: Instant,
    since: Instant,
    urgent: bool,
}
pub enum Answer {
    Tag(Zeroizing<Vec<u8>>),
    Late,
    Failed,
}
#[derive(Default)]
pub struct Shared {
    mean_ns: AtomicU64,
    late: AtomicU64,
    waited_ns: AtomicU64,
    started: AtomicU64,
}
pub struct PasswordCores {
    pools: Vec<Pool<Job, Answer>>,
    groups: Vec<Vec<usize>>,
    workers: Vec<usize>,
    shared: Arc<Shared>,
    engine: Engine,
    config: CoresConfig,
}
#[derive(Clone)]
pub struct CoresHandle {
    handle: Handle<Job, Answer>,
    shared: Arc<Shared>,
    config: CoresConfig,
    workers: usize,
}
pub struct PasswordCore {
    client: Client<Job, Answer>,
    shared: Arc<Shared>,
    config: CoresConfig,
    workers: usize,
    random: RefCell<Random>,
    handle: Handle<Job, Answer>,
}
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unchecked {
    Busy { retry_after_s: u64 },
    Late,
    Failed,
    UnknownPepper(PepperId),
    Stopped,
}
pub enum Upgrade {
    Hardened(HardRecord),
    Rehash(Material),
}
pub struct Checked {
    pub right: bool,
    pub credential: String,
    pub upgrade: Option<Upgrade>,
}
pub struct Material {
    digest: WeakDigest,
    salt: Salt,
    pepper: PepperId,
}
impl Material {
    pub fn of(weak: &WeakRecord) -> Self {
        Self { digest: weak.digest().clone(), salt: *weak.salt(), pepper: weak.pepper() }
    }
}

impl PasswordCores {
    pub fn start(plan: &Plan, config: CoresConfig) -> Result<Self, String> {
        let engine = self_test::choose(config.params).map_err(|e| e.to_string())?;
        let shared = Arc::new(Shared::default());
        shared.mean_ns.store(15_000_000, Relaxed);
        let mut pools = vec![];
        let mut workers = vec![];
        for group in &plan.groups {
            let mut specs = vec![];
            for core in &group.password_cores {
                let place = &plan.password_cores[*core];
                if place.shared_with_shard.is_some() {
                    specs.push(WorkerSpec { cpu: Some(place.cpu), serves: Serves::Urgent, idle_priority: false });
                    specs.push(WorkerSpec { cpu: Some(place.cpu), serves: Serves::Background, idle_priority: true });
                } else {
                    specs.push(WorkerSpec { cpu: Some(place.cpu), serves: Serves::Both, idle_priority: false });
                }
            }
            let s = shared.clone();
            let params = config.params;
            pools.push(
                offload::start(
                    "password",
                    &specs,
                    Bounds { urgent: config.urgent_max, background: config.background_max },
                    move |_| HashMemory::new(engine, params),
                    move |memory: &mut HashMemory, job: Job| run(memory, job, &s),
                )
                .map_err(|e| e.to_string())?,
            );
            workers.push(group.password_cores.len());
        }
        Ok(Self {
            pools,
            groups: plan.groups.iter().map(|g| g.shards.clone()).collect(),
            workers,
            shared,
            engine,
            config,
        })
    }
    pub fn handle(&self, shard: usize) -> CoresHandle {
        let at = self.groups.iter().position(|g| g.contains(&shard)).expect("every shard is in a group");
        CoresHandle {
            handle: self.pools[at].handle(),
            shared: self.shared.clone(),
            config: self.config,
            workers: self.workers[at],
        }
    }
    pub fn engine(&self) -> Engine {
        self.engine
    }
    pub fn handles(&self) -> Vec<Handle<Job, Answer>> {
        self.pools.iter().map(Pool::handle).collect()
    }
    pub fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }
    pub fn stop(self, ending: Ending) {
        for pool in self.pools {
            pool.stop(ending);
        }
    }
}
impl Shared {
    pub fn late(&self) -> u64 {
        self.late.load(Relaxed)
    }
    pub fn waited(&self) -> Duration {
        Duration::from_nanos(self.waited_ns.load(Relaxed))
    }
    pub fn started(&self) -> u64 {
        self.started.load(Relaxed)
    }
}
fn run(memory: &mut HashMemory, job: Job, shared: &Shared) -> Answer {
    let now = Instant::now();
    if job.urgent {
        shared.waited_ns.fetch_add((now - job.since).as_nanos() as u64, Relaxed);
        shared.started.fetch_add(1, Relaxed);
    }
    if now > job.deadline {
        shared.late.fetch_add(1, Relaxed);
        return Answer::Late;
    }
    let mut tag = Zeroizing::new(vec![0; job.tag_bytes]);
    let answer = match memory.hash(job.params, &job.input, &job.salt, &mut tag) {
        Ok(()) => Answer::Tag(tag),
        Err(_) => Answer::Failed,
    };
    let took = now.elapsed().as_nanos() as u64;
    let mean = shared.mean_ns.load(Relaxed);
    shared.mean_ns.store(mean - mean / 8 + took / 8, Relaxed);
    answer
}
impl CoresHandle {
    pub fn attach(&self) -> io::Result<PasswordCore> {
        Ok(PasswordCore {
            client: self.handle.attach()?,
            shared: self.shared.clone(),
            config: self.config,
            workers: self.workers,
            random: RefCell::new(Random::new().map_err(io::Error::other)?),
            handle: self.handle.clone(),
        })
    }
}
impl PasswordCore {
    pub fn mean_hash_time(&self) -> Duration {
        Duration::from_nanos(self.shared.mean_ns.load(Relaxed))
    }
    pub fn workers(&self) -> usize {
        self.workers
    }
    async fn urgent(
        &self,
        params: Params,
        input: Vec<u8>,
        salt: Vec<u8>,
        tag_bytes: usize,
    ) -> Result<Zeroizing<Vec<u8>>, Unchecked> {
        let now = Instant::now();
        let waiting = self.handle.report().urgent_waiting;
        let mean = self.mean_hash_time();
        let wait = mean * (waiting as u32 + 1) / self.workers as u32;
        let busy = Unchecked::Busy { retry_after_s: wait.as_secs().max(1) };
        if wait > self.config.deadline {
            return Err(busy);
        }
        let job = Job {
            params,
            input: Zeroizing::new(input),
            salt,
            tag_bytes,
            deadline: now + self.config.deadline,
            since: now,
            urgent: true,
        };
        match self.client.try_submit(Urgency::Urgent, job) {
            Err(Refused::Full(_)) => Err(busy),
            Err(Refused::Stopped(_)) => Err(Unchecked::Stopped),
            Ok(pending) => tag(pending.await),
        }
    }
    pub async fn check(
        &self,
        peppers: &Peppers,
        stored: Option<&str>,
        password: &Password,
    ) -> Result<Checked, Unchecked> {
        let params = self.config.params;
        match stored.and_then(|text| Record::parse(text).ok()) {
            None => {
                let salt: [u8; 16] = self.random.borrow_mut().bytes().map_err(|_| Unchecked::Failed)?;
                let digest = peppers.newest().digest(&Salt::new(salt), password);
                self.urgent(params, digest.as_bytes().to_vec(), salt.to_vec(), 32).await?;
                Ok(Checked { right: false, credential: String::new(), upgrade: None })
            }
            Some(Record::Weak(weak)) => {
                let right = peppers.verify(&weak, password).map_err(|e| Unchecked::UnknownPepper(e.0))?;
                let digest = peppers
                    .find(weak.pepper())
                    .map_err(|e| Unchecked::UnknownPepper(e.0))?
                    .digest(weak.salt(), password);
                let tag = self.urgent(params, digest.as_bytes().to_vec(), weak.salt().as_bytes().to_vec(), 32).await?;
                let credential = marker(stored.unwrap_or_default());
                let upgrade = if weak.pepper() == peppers.newest().id() {
                    Upgrade::Hardened(HardRecord::new(params, weak.pepper(), weak.salt().as_bytes(), &tag))
                } else {
                    self.rehash(peppers, password)?
                };
                Ok(Checked { right, credential, upgrade: Some(upgrade) })
            }
            Some(Record::Hard(hard)) => {
                let input = match hard.pepper {
                    Some(pepper) => {
                        let salt: [u8; 16] = hard.salt.as_slice().try_into().map_err(|_| Unchecked::Failed)?;
                        peppers
                            .find(pepper)
                            .map_err(|e| Unchecked::UnknownPepper(e.0))?
                            .digest(&Salt::new(salt), password)
                            .as_bytes()
                            .to_vec()
                    }
                    None => password.as_bytes().to_vec(),
                };
                let tag = self.urgent(hard.params, input, hard.salt.clone(), hard.tag.len()).await?;
                let right = bool::from(tag.as_slice().ct_eq(&hard.tag));
                let stale = hard.params != params || hard.pepper != Some(peppers.newest().id());
                let upgrade = if right && stale { Some(self.rehash(peppers, password)?) } else { None };
                Ok(Checked { right, credential: marker(stored.unwrap_or_default()), upgrade })
            }
        }
    }
    fn rehash(&self, peppers: &Peppers, password: &Password) -> Result<Upgrade, Unchecked> {
        let salt = Salt::new(self.random.borrow_mut().bytes().map_err(|_| Unchecked::Failed)?);
        Ok(Upgrade::Rehash(Material {
            digest: peppers.newest().digest(&salt, password),
            salt,
            pepper: peppers.newest().id(),
        }))
    }
    pub fn try_harden(
        &self,
        material: Material,
        deadline: Instant,
    ) -> Result<impl Future<Output = Result<HardRecord, Unchecked>> + use<>, Material> {
        let params = self.config.params;
        let job = Job {
            params,
            input: Zeroizing::new(material.digest.as_bytes().to_vec()),
            salt: material.salt.as_bytes().to_vec(),
            tag_bytes: 32,
            deadline,
            since: Instant::now(),
            urgent: false,
        };
        match self.client.try_submit(Urgency::Background, job) {
            Err(_) => Err(material),
            Ok(pending) => Ok(async move {
                let tag = tag(pending.await)?;
                Ok(HardRecord::new(params, material.pepper, material.salt.as_bytes(), &tag))
            }),
        }
    }
}
fn tag(answer: Result<Answer, Unanswered>) -> Result<Zeroizing<Vec<u8>>, Unchecked> {
    match answer {
        Ok(Answer::Tag(tag)) => Ok(tag),
        Ok(Answer::Late) => Err(Unchecked::Late),
        Ok(Answer::Failed) => Err(Unchecked::Failed),
        Err(Unanswered::JobPanicked) => Err(Unchecked::Failed),
        Err(_) => Err(Unchecked::Stopped),
    }
}
fn marker(text: &str) -> String {
    let salt = text.rsplit('$').nth(1).unwrap_or_default();
    format!("${salt}$")
}
