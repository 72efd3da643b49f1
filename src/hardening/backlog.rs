//! The durable queue of weak records: claims some, has password cores harden them, writes them back, and again. Any
//! number of workers on any number of nodes do so at once; a claim ends with the transaction that took it, however that
//! ends, so a crash loses nothing and does nothing twice.

use super::{Material, PasswordCore, Record};
use crate::{
    account::UserId,
    limits::{
        BACKLOG_LOOK_INTERVAL, CLAIM_AGE, CLAIM_HELD_MAX, CLAIM_WORK, COMPLAINT_INTERVAL, RECONNECT_PAUSE_FIRST,
        RECONNECT_PAUSE_MAX,
    },
    postgres::{
        backlog::{self, Backlog},
        claim::{self, Claim, Claimed, Hardened},
        connect::{ConnectOptions, connect},
        link::{Link, LinkError},
        target::Target,
    },
    telemetry::RateLimited,
};
use std::{
    cell::Cell,
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How the queue is worked off.
#[derive(Clone)]
pub struct BacklogConfig {
    /// Where the database is.
    pub target: Arc<Target>,
    /// How to connect.
    pub connect: ConnectOptions,
    /// Time between two looks at a queue that was empty.
    pub interval: Duration,
    /// Records claimed at once, at most.
    pub claim_size: usize,
    /// How long one statement may take.
    pub deadline: Duration,
}

/// What waits, as last seen by any worker of this process. Written now and then, read by whoever scrapes.
pub type BacklogGauge = Arc<std::sync::Mutex<Option<Backlog>>>;

/// One worker: a connection of its own, and the password core near it.
pub struct BacklogWorker {
    config: BacklogConfig,
    core: Rc<PasswordCore>,
    gauge: Option<BacklogGauge>,
    looked: Cell<Option<Instant>>,
    complaints: RateLimited,
}

impl BacklogWorker {
    /// A worker that has done nothing yet. With a `gauge` it also looks now and then how much waits.
    pub fn new(config: BacklogConfig, core: Rc<PasswordCore>, gauge: Option<BacklogGauge>) -> BacklogWorker {
        let complaints = RateLimited::new(COMPLAINT_INTERVAL);
        BacklogWorker { config, core, gauge, looked: Cell::new(None), complaints }
    }

    /// Works the queue off for as long as it is polled.
    pub async fn run(self) {
        loop {
            match connect(&self.config.target, &self.config.connect).await {
                Ok(link) => {
                    let Err(error) = self.serve(&link).await else { continue };
                    self.complain(&error);
                }
                Err(error) => self.complain(&error),
            }
            shards::sleep(RECONNECT_PAUSE_MAX).await;
        }
    }

    fn complain(&self, error: &dyn std::error::Error) {
        if let Some(suppressed) = self.complaints.admit(Instant::now()) {
            tracing::error!(%error, suppressed, "cannot work off the queue of weak passwords");
        }
    }

    async fn serve(&self, link: &Link) -> Result<(), LinkError> {
        while !link.is_closed() {
            self.look(link).await?;
            let claim = claim::claim(link, claimable_before(), self.claim_size(), self.statement_deadline()).await?;
            let found = claim.users().len();
            let done = self.harden(&claim).await;
            let progress = done.hardened.len() + done.settled.len();
            claim.finish(&done.hardened, &done.settled, self.statement_deadline()).await?;
            // A claim that found less than it wanted has emptied the queue; one that came to nothing has met password
            // cores that are busy with people.
            if found < self.claim_size() || progress == 0 {
                shards::sleep(self.config.interval).await;
            }
        }
        Ok(())
    }

    /// As many as the password cores can be expected to do in the time that a claim should take.
    fn claim_size(&self) -> usize {
        let per_claim = CLAIM_WORK.as_secs_f64() / self.core.mean_hash_time().as_secs_f64().max(1e-6);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let affordable = (per_claim * self.core.workers() as f64).ceil() as usize;
        affordable.clamp(1, self.config.claim_size)
    }

    fn statement_deadline(&self) -> Instant {
        Instant::now() + self.config.deadline
    }

    /// Hardens what was claimed, until the claim has been held for long enough.
    async fn harden(&self, claim: &Claim<'_>) -> Done {
        let until = Instant::now() + CLAIM_HELD_MAX;
        let mut done = Done::default();
        let mut waiting = VecDeque::new();
        for claimed in claim.users() {
            let material = match claimed.password_hash.as_deref().map(|text| Record::parse(text)) {
                Some(Ok(Record::Weak(weak))) => Material::of(&weak),
                // Hardened by somebody else, gone, or nothing that could be hardened: out of the queue with it.
                _ => {
                    done.settled.push(claimed.user);
                    continue;
                }
            };
            let mut unsent = Some(material);
            while let Some(material) = unsent.take() {
                match self.core.try_harden(material, until) {
                    Ok(hardening) => waiting.push_back((claimed, hardening)),
                    Err(material) => {
                        // The queue in front of the core is full: room comes with the next answer.
                        match waiting.pop_front() {
                            Some((claimed, hardening)) => done.take(claimed, hardening.await.ok()),
                            None => shards::sleep(self.core.mean_hash_time()).await,
                        }
                        if Instant::now() < until {
                            unsent = Some(material);
                        }
                    }
                }
            }
        }
        for (claimed, hardening) in waiting {
            done.take(claimed, hardening.await.ok());
        }
        done
    }

    /// Looks how much waits, if it is time to.
    async fn look(&self, link: &Link) -> Result<(), LinkError> {
        let Some(gauge) = &self.gauge else { return Ok(()) };
        if self.looked.get().is_some_and(|at| at.elapsed() < BACKLOG_LOOK_INTERVAL) {
            return Ok(());
        }
        let backlog = backlog::look(link, self.statement_deadline()).await?;
        *gauge.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(backlog);
        self.looked.set(Some(Instant::now()));
        Ok(())
    }
}

/// What came of a claim.
#[derive(Default)]
struct Done {
    hardened: Vec<Hardened>,
    /// Users who need no hardening.
    settled: Vec<UserId>,
}

impl Done {
    fn take(&mut self, claimed: &Claimed, record: Option<super::HardRecord>) {
        // What was not hardened stays in the queue.
        if let (Some(record), Some(old)) = (record, &claimed.password_hash) {
            self.hardened.push(Hardened { user: claimed.user, old: old.clone(), new: record.as_str().into() });
        }
    }
}

fn claimable_before() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.saturating_sub(CLAIM_AGE).as_millis()).unwrap_or(u64::MAX)
}
