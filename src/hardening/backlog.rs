//! The durable queue of weak records: claims some, has password cores harden them, writes them back, and again. Any
//! number of workers on any number of nodes do so at once; a claim ends with the transaction that took it, however that
//! ends, so a crash loses nothing and does nothing twice.

mod pace;

pub use pace::Pace;

use super::{HardRecord, Material, PasswordCore, Record, Unchecked};
use crate::{
    account::UserId,
    clock,
    fail_points::{self, FailPoint},
    limits::{BACKLOG_LOOK_INTERVAL, CLAIM_HELD_MAX, COMPLAINT_INTERVAL, FULL_QUEUE_PAUSE, RECONNECT_PAUSE_MAX},
    postgres::{
        backlog::{Backlog, backlog},
        claim::{Claim, Claimed, Written, claim},
        connect::{ConnectOptions, connect},
        link::{Link, LinkError},
        target::Target,
    },
    telemetry::RateLimited,
};
use pace::{Outcome, Use};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How the queue is worked off.
#[derive(Clone)]
pub struct BacklogConfig {
    /// Where the database is.
    pub target: Arc<Target>,
    /// How to connect.
    pub connect: ConnectOptions,
    /// How soon, how much, how old.
    pub pace: Pace,
}

/// What waits, as last seen by any worker of this process. Written now and then, read by whoever scrapes.
pub type BacklogGauge = Arc<Mutex<Option<Seen>>>;

/// What has been seen of the durable queue.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// How much waits.
    pub backlog: Backlog,
    /// Whether the oldest is older than configured, although password cores were free.
    pub overdue: bool,
}

/// One worker: a connection of its own, and the password core near it.
pub struct BacklogWorker {
    config: BacklogConfig,
    core: Rc<PasswordCore>,
    gauge: Option<BacklogGauge>,
    looked: Cell<Option<Looked>>,
    complaints: RateLimited,
}

/// The last look at how much waits.
#[derive(Clone, Copy)]
struct Looked {
    at: Instant,
    /// Time that the password cores had spent hardening by then.
    busy: Duration,
    overdue: bool,
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
                    if let Err(error) = self.serve(&link).await {
                        self.complain(&error);
                    }
                }
                Err(error) => self.complain(&error),
            }
            // Also after a connection that just ended: whoever lets us in only to hang up must not be asked in circles.
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
            let pace = &self.config.pace;
            let wanted = pace.wanted(clock::unix_ms(), self.core.background_hash(), self.core.background_workers());
            let claim = claim(link, wanted, self.statement_deadline()).await?;
            let found = claim.users.len();
            let Hardened { written, left } = self.harden(&claim).await;
            fail_points::pass(FailPoint::WriteBack);
            let outcome = Outcome { most: wanted.most as usize, found, written: written.len(), left };
            claim.finish(written, self.statement_deadline()).await?;
            let pause = pace.pause(outcome);
            if !pause.is_zero() {
                shards::sleep(pause).await;
            }
        }
        Ok(())
    }

    fn statement_deadline(&self) -> Instant {
        Instant::now() + self.config.pace.deadline
    }

    /// Hardens what was claimed, until the claim has been held for long enough. What has not begun by then will not, so
    /// that whoever claims it next is the only one to hash it; what has begun gets the time that it should take.
    async fn harden(&self, claim: &Claim<'_>) -> Hardened {
        let until = Instant::now() + CLAIM_HELD_MAX;
        let patience = self.config.pace.patience(self.core.background_hash());
        let hardened = RefCell::new(Hardened { written: Vec::with_capacity(claim.users.len()), left: 0 });
        // The queue in front of busy password cores may not move at all: jobs in it are not answered before it does.
        let _ = shards::timeout(CLAIM_HELD_MAX + patience, self.harden_until(until, claim, &hardened)).await;
        hardened.into_inner()
    }

    async fn harden_until(&self, until: Instant, claim: &Claim<'_>, hardened: &RefCell<Hardened>) {
        let mut under_way = VecDeque::new();
        for claimed in &claim.users {
            let mut material = match claimed.password_hash.as_deref().map(|text| Record::parse(text)) {
                Some(Ok(Record::Weak(weak))) => Some(Material::from(&weak)),
                Some(Err(_)) => {
                    hardened.borrow_mut().written.extend(drop_unreadable(claimed));
                    None
                }
                // Somebody else has hardened it, or the user is gone: then it leaves the queue.
                _ => None,
            };
            hardened.borrow_mut().left += usize::from(material.is_some());
            while let Some(unsent) = material.take() {
                match self.core.try_harden(unsent, until) {
                    Ok(hardening) => under_way.push_back((claimed.user, hardening)),
                    Err(refused) => {
                        // The queue in front of the cores is full: room comes with the next answer.
                        match under_way.pop_front() {
                            Some((user, hardening)) => {
                                let record = hardening.await;
                                hardened.borrow_mut().add(user, record);
                            }
                            None => shards::sleep(FULL_QUEUE_PAUSE).await,
                        }
                        material = (Instant::now() < until).then_some(refused);
                    }
                }
            }
        }
        for (user, hardening) in under_way {
            let record = hardening.await;
            hardened.borrow_mut().add(user, record);
        }
    }

    /// Looks how much waits, if it is time to, and says when it waits for longer than it should.
    async fn look(&self, link: &Link) -> Result<(), LinkError> {
        let Some(gauge) = &self.gauge else { return Ok(()) };
        let last = self.looked.get();
        if last.is_some_and(|last| last.at.elapsed() < BACKLOG_LOOK_INTERVAL) {
            return Ok(());
        }
        let backlog = backlog(link, self.statement_deadline()).await?;
        let (at, busy) = (Instant::now(), self.core.background_busy());
        let age = backlog
            .oldest_unix_ms
            .map_or(Duration::ZERO, |oldest| Duration::from_millis(clock::unix_ms().saturating_sub(oldest)));
        // What was left by others is not held against the first look.
        let overdue = last.is_some_and(|last| {
            let (elapsed, busy) = (at.duration_since(last.at), busy.saturating_sub(last.busy));
            self.config.pace.is_overdue(age, Use { elapsed, busy, workers: self.core.background_workers() })
        });
        let (weak, age_s) = (backlog.weak, age.as_secs());
        match (last.is_some_and(|last| last.overdue), overdue) {
            (false, true) => tracing::warn!(weak, age_s, "a password stays weak although password cores are free"),
            (true, false) => {
                tracing::info!(weak, age_s, "no password stays weak any more while password cores are free")
            }
            _ => {}
        }
        *gauge.lock().unwrap_or_else(PoisonError::into_inner) = Some(Seen { backlog, overdue });
        self.looked.set(Some(Looked { at, busy, overdue }));
        Ok(())
    }
}

/// What became of a claim.
struct Hardened {
    written: Vec<Written>,
    /// Weak records that stay in the queue.
    left: usize,
}

impl Hardened {
    /// What was not hardened in time stays in the queue.
    fn add(&mut self, user: UserId, record: Result<HardRecord, Unchecked>) {
        if let Ok(record) = record {
            self.written.push(Written { user, new: record.as_str().into() });
            self.left -= 1;
        }
    }
}

/// Writes a record back as it is, with which it leaves the queue: it could never be hardened, and enough of them at the
/// head of the queue would keep everybody behind them from it.
fn drop_unreadable(claimed: &Claimed) -> Option<Written> {
    tracing::error!(user = %claimed.user, "a stored password cannot be read, and leaves the queue as it is");
    claimed.password_hash.as_deref().map(|text| Written { user: claimed.user, new: text.as_str().into() })
}
