//! A shard's access to its password cores: is this the password, and make a hard record of that. Decides whether a job
//! may wait; never computes a memory-hard hash itself, and shows by nothing which records there are.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_lite::future;
use shards::BEAT_INTERVAL;
use shards::offload::{Client, Pending, Refused, Unanswered, Urgency};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use super::admission::{Admission, Pressure};
use super::core::{CoresConfig, CoresHandle};
use super::hard::TAG_BYTES;
use super::job::{Answer, Gauges, Hashed, Job, Secret, Unhashed};
use super::places::{Origin, Place, Places};
use super::stuck;
use super::weak::{PepperId, SALT_BYTES};
use super::{HardRecord, ImportedRecord, Material, Pepper, Peppers, Random, RandomError, Record, Salt};
use crate::account::Password;
use crate::limits;
use crate::telemetry::RateLimited;

/// The salt of what is hashed where there is no record. Nobody sees the result.
const NO_SALT: Salt = Salt::new([0; SALT_BYTES]);

/// One shard's access. Nothing in it is shared with another shard.
pub struct PasswordCore {
    client: Client<Job, Answer>,
    gauges: Arc<Gauges>,
    config: CoresConfig,
    /// Most urgent jobs that may wait, over all shards of the group.
    waiting_max: usize,
    places: Places,
    /// Most places of one origin.
    share: usize,
    random: RefCell<Random>,
    complaints: RateLimited,
}

/// Why a shard has no access to its password cores.
#[derive(Debug, Error)]
pub enum AttachError {
    /// No event descriptor could be had: too many open files.
    #[error("the way back from the password cores could not be opened: {0}")]
    Io(#[from] io::Error),
    /// There is no randomness for salts.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// The answer to [`PasswordCore::check`].
pub struct Checked {
    /// Whether this is the password.
    pub right: bool,
    /// What the stored record is to become. Only ever there when the password is right.
    pub upgrade: Option<Upgrade>,
    /// How long the job waited for a password core.
    pub waited: Duration,
}

/// A better record for the same password.
pub enum Upgrade {
    /// The stored weak record, hardened: same pepper, same salt.
    Hardened(HardRecord),
    /// What the record to store is to be made of in the background, by [`PasswordCore::try_harden`]: under the newest
    /// pepper and with a new salt, or, where only the cost has changed, under the same.
    Rehash(Material),
}

/// Why a password was neither right nor wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unchecked {
    /// Too many wait already.
    #[error("too many passwords wait to be hashed: try again in {retry_after_s} s")]
    Busy {
        /// By then those will have been served, in seconds.
        retry_after_s: u64,
    },
    /// Its turn came too late, and it was not hashed.
    #[error("the password's turn came after its deadline")]
    Late,
    /// The hash had no memory, panicked, or did not come to its end.
    #[error("the password could not be hashed")]
    Failed,
    /// The password cores have been stopped.
    #[error("the password cores have been stopped")]
    Stopped,
}

/// What a tag tells.
enum Expected {
    /// Nothing: there is no record to compare with.
    Nothing,
    /// The hard record to store, if the password is right, which the weak digest has told.
    Weak { right: bool, pepper: PepperId, salt: Salt },
    /// Whether the password is right.
    Hard(HardRecord),
    /// The same.
    Imported(ImportedRecord),
}

impl PasswordCore {
    pub(super) fn new(handle: CoresHandle) -> Result<Self, AttachError> {
        let CoresHandle { handle, gauges, config, cores, shards } = handle;
        Ok(Self {
            client: handle.attach()?,
            gauges,
            config,
            waiting_max: config.urgent_max * cores,
            places: Places::default(),
            // One that is hashed and one that waits, at least.
            share: (config.urgent_max * cores / (2 * shards)).max(2),
            random: RefCell::new(Random::new()?),
            complaints: RateLimited::new(limits::COMPLAINT_INTERVAL),
        })
    }

    /// Takes a place for one more password of this origin, if it would be checked in time: to be asked for before
    /// anything else is done for it. All shards together leave half of the queue to other origins.
    ///
    /// # Errors
    /// [`Unchecked::Busy`].
    pub fn admit(&self, origin: Origin) -> Result<Place<'_>, Unchecked> {
        let pressure = self.pressure();
        let busy = Unchecked::Busy { retry_after_s: pressure.retry_after_s() };
        match pressure.decide(self.config.deadline) {
            Admission::Admit => self.places.take(origin, self.share).ok_or(busy),
            Admission::Busy { .. } => Err(busy),
        }
    }

    /// Whether `password` is the one that `stored` was made of. Costs one hash of Argon2id whatever is stored, also
    /// when nothing is, or nothing that can be verified here: the answer is no then.
    ///
    /// Dropping the future leaves the hash to be computed, and its place in the queue taken until then.
    ///
    /// # Errors
    /// See [`Unchecked`]. Only other shards can have made it [`Unchecked::Busy`] since the place was taken.
    pub async fn check(
        &self,
        place: Place<'_>,
        peppers: &Peppers,
        stored: Option<&str>,
        password: &Password,
    ) -> Result<Checked, Unchecked> {
        let (job, expected) = self.question(peppers, stored, password);
        place.arrive();
        let pending = self.client.try_submit(Urgency::Urgent, job).map_err(|refused| match refused {
            Refused::Full(_) => Unchecked::Busy { retry_after_s: self.pressure().retry_after_s() },
            Refused::Stopped(_) => Unchecked::Stopped,
        })?;
        let given_up = async {
            self.lose_patience().await;
            Err(Unchecked::Late)
        };
        let Hashed { tag, waited } = future::or(answer(pending), given_up).await?;
        let (right, upgrade) = self.conclude(peppers, password, expected, &tag);
        Ok(Checked { right, upgrade: upgrade.filter(|_| right), waited })
    }

    /// Hands `material` over to become a hard record at the configured cost, when there is nothing urgent to do. Never
    /// waits here: gives it back when too many wait, or the password cores have been stopped.
    ///
    /// # Errors
    /// The material, if it was not taken. What is taken may still come to [`Unchecked::Late`], when it has not begun
    /// by `deadline`, to [`Unchecked::Failed`] or to [`Unchecked::Stopped`].
    pub fn try_harden(
        &self,
        material: Material,
        deadline: Instant,
    ) -> Result<impl Future<Output = Result<HardRecord, Unchecked>> + use<>, Material> {
        let Material { pepper, salt, digest } = material;
        let params = self.config.params;
        let mut job = self.job(Secret::Digest(digest), salt.as_bytes());
        job.urgency = Urgency::Background;
        job.deadline = deadline;
        match self.client.try_submit(Urgency::Background, job) {
            Ok(pending) => Ok(async move {
                let hashed = answer(pending).await?;
                Ok(HardRecord::encode(pepper, salt, params, own_tag(&hashed.tag)))
            }),
            Err(refused) => match refused.into_job().secret {
                Secret::Digest(digest) => Err(Material { pepper, salt, digest }),
                Secret::Password(_) => unreachable!("the job was made of a digest"),
            },
        }
    }

    /// Resolves when an answer is not to be expected any more: a core that never comes to the end of a hash must not
    /// keep whoever waits for it, or behind it.
    async fn lose_patience(&self) {
        let until = Instant::now() + self.config.deadline + stuck::patience(&self.gauges);
        while Instant::now() < until && self.pressure().workers > 0 {
            shards::sleep(BEAT_INTERVAL.min(until.saturating_duration_since(Instant::now()))).await;
        }
    }

    /// How much there is to do before a job that would come now.
    #[must_use]
    pub fn pressure(&self) -> Pressure {
        let load = self.client.load(Urgency::Urgent);
        Pressure {
            waiting: load.waiting + self.places.coming(),
            waiting_max: self.waiting_max,
            workers: load.workers,
            working: load.working,
            hash: self.gauges.hash(Urgency::Urgent).get(),
        }
    }

    /// Workers for jobs that somebody waits for that do not come to the end of one, and have not been replaced.
    #[must_use]
    pub fn stuck(&self) -> usize {
        self.client.load(Urgency::Urgent).stuck
    }

    /// How long a hash takes that nobody waits for, by experience.
    #[must_use]
    pub fn background_hash(&self) -> Duration {
        self.gauges.hash(Urgency::Background).get()
    }

    /// Time that workers which compute such hashes have spent in jobs of any kind.
    #[must_use]
    pub fn background_busy(&self) -> Duration {
        let workers = self.client.report().workers;
        workers.iter().filter(|worker| worker.spec.serves.takes(Urgency::Background)).map(|worker| worker.busy).sum()
    }

    /// Workers that compute such hashes.
    #[must_use]
    pub fn background_workers(&self) -> usize {
        self.client.load(Urgency::Background).workers
    }

    /// The one hash to compute, and what its tag will tell.
    fn question(&self, peppers: &Peppers, stored: Option<&str>, password: &Password) -> (Job, Expected) {
        match stored.and_then(|text| self.read(peppers, text)) {
            Some((Record::Weak(record), Some(pepper))) => {
                let digest = pepper.digest(record.salt(), password);
                let right = digest.ct_eq(record.digest()).into();
                let expected = Expected::Weak { right, pepper: record.pepper(), salt: *record.salt() };
                (self.job(Secret::Digest(digest), record.salt().as_bytes()), expected)
            }
            Some((Record::Hard(record), Some(pepper))) => {
                let digest = pepper.digest(record.salt(), password);
                let mut job = self.job(Secret::Digest(digest), record.salt().as_bytes());
                job.params = record.params();
                (job, Expected::Hard(record))
            }
            Some((Record::Imported(record), _)) => {
                // Other programs hash what was sent.
                let sent = password.as_sent().unwrap_or(password.as_bytes());
                let mut job = self.job(Secret::Password(Zeroizing::new(sent.to_vec())), record.salt());
                job.params = record.params();
                job.tag_bytes = record.tag_bytes();
                (job, Expected::Imported(record))
            }
            _ => {
                let digest = peppers.newest().digest(&NO_SALT, password);
                (self.job(Secret::Digest(digest), NO_SALT.as_bytes()), Expected::Nothing)
            }
        }
    }

    /// The record and its pepper, if it can be verified here. One that cannot is no fault of whoever logs in, and any
    /// other answer or time would tell a stranger that there is such an account: they see a wrong password, the
    /// operator sees why.
    fn read<'p>(&self, peppers: &'p Peppers, text: &str) -> Option<(Record, Option<&'p Pepper>)> {
        let record = Record::parse(text).ok().filter(|record| match record {
            Record::Weak(_) => true,
            Record::Hard(record) => record.params().affordable_beside(self.config.params),
            Record::Imported(record) => record.params().affordable_beside(self.config.params),
        });
        let pepper = record.as_ref().and_then(Record::pepper);
        let known = pepper.and_then(|id| peppers.find(id).ok());
        if record.is_some() && pepper.is_some() == known.is_some() {
            return record.map(|record| (record, known));
        }
        self.gauges.unreadable.fetch_add(1, Ordering::Relaxed);
        if let Some(suppressed) = self.complaints.admit(Instant::now()) {
            let pepper = pepper.map(tracing::field::display);
            tracing::error!(pepper, suppressed, "a stored password cannot be verified: unknown form, pepper or cost");
        }
        None
    }

    fn conclude(
        &self,
        peppers: &Peppers,
        password: &Password,
        expected: Expected,
        tag: &[u8],
    ) -> (bool, Option<Upgrade>) {
        let newest = peppers.newest();
        let renewed = || Some(Upgrade::Rehash(Material::new(newest, self.salt()?, password)));
        match expected {
            Expected::Nothing => (false, None),
            Expected::Weak { right, pepper, salt } if pepper == newest.id() => {
                let record = HardRecord::encode(pepper, salt, self.config.params, own_tag(tag));
                (right, Some(Upgrade::Hardened(record)))
            }
            Expected::Weak { right, .. } => (right, renewed()),
            Expected::Hard(record) if record.pepper() != newest.id() => (record.has_tag(tag), renewed()),
            Expected::Hard(record) => {
                let changed = record.params() != self.config.params;
                let same = |pepper: &Pepper| Upgrade::Rehash(Material::new(pepper, *record.salt(), password));
                (record.has_tag(tag), changed.then(|| same(newest)))
            }
            Expected::Imported(record) => (record.has_tag(tag), renewed()),
        }
    }

    /// A fresh salt. Without randomness there is none, and the record stays what it is until a later login.
    fn salt(&self) -> Option<Salt> {
        self.random.borrow_mut().bytes().map(Salt::new).ok()
    }

    /// A job at the configured cost that somebody waits for.
    fn job(&self, secret: Secret, salt: &[u8]) -> Job {
        let submitted = Instant::now();
        Job {
            urgency: Urgency::Urgent,
            secret,
            salt: salt.to_vec(),
            params: self.config.params,
            tag_bytes: TAG_BYTES,
            submitted,
            deadline: submitted + self.config.deadline,
        }
    }
}

async fn answer(pending: Pending<Answer>) -> Result<Hashed, Unchecked> {
    match pending.await {
        Ok(Ok(hashed)) => Ok(hashed),
        Ok(Err(Unhashed::Late)) => Err(Unchecked::Late),
        Ok(Err(Unhashed::Failed)) | Err(Unanswered::JobPanicked | Unanswered::Stuck) => Err(Unchecked::Failed),
        Err(Unanswered::Stopped) => Err(Unchecked::Stopped),
    }
}

/// The tag of a job that asked for one as long as this server's are.
fn own_tag(tag: &[u8]) -> [u8; TAG_BYTES] {
    tag.try_into().expect("a tag is as long as was asked for")
}
