//! Questions of a shard to password cores of its own: real executors, queues and workers, small hashes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use shards::topology::{PasswordGroup, PasswordPlacement, ShardPlacement};

use super::*;
use crate::account::Password;
use crate::hardening::self_test::Distrust;
use crate::hardening::{Checked, HardRecord, Material, Origin, Peppers, Record, Salt, Unchecked, Upgrade};
use crate::keys::{KeyKind, Keys};

const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const NEW: &str = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA";
const FAST: Engine = Engine::Fast { instructions: "any" };
const LONG: Duration = Duration::from_secs(20);

/// Stored costs by which a record makes the worker do something else than hash.
const PANICS: u32 = 61;
const HAS_NO_MEMORY: u32 = 62;
const WAITS: u32 = 63;

/// What the workers of one test have done.
#[derive(Default)]
struct Watched {
    hashed: Mutex<Vec<Params>>,
    held_kib: Mutex<HashMap<std::thread::ThreadId, Vec<usize>>>,
    wiped: AtomicUsize,
    waiting: AtomicUsize,
    go_on: AtomicBool,
}

struct Watching {
    memory: HashMemory,
    watched: Arc<Watched>,
}

impl Hasher for Watching {
    fn hash(&mut self, params: Params, password: &[u8], salt: &[u8], tag: &mut [u8]) -> Result<(), HashError> {
        match params.passes() {
            PANICS => panic!("as the test wants it"),
            HAS_NO_MEMORY => return Err(HashError::NoMemory),
            WAITS => {
                self.watched.waiting.fetch_add(1, Ordering::SeqCst);
                while !self.watched.go_on.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            _ => {}
        }
        self.memory.hash(params, password, salt, tag)?;
        self.watched.hashed.lock().unwrap().push(params);
        let mut held = self.watched.held_kib.lock().unwrap();
        held.entry(std::thread::current().id()).or_default().push(self.memory.held_kib());
        Ok(())
    }

    fn wipe(&mut self) {
        self.memory.wipe();
        self.watched.wiped.fetch_add(1, Ordering::SeqCst);
    }
}

fn params() -> Params {
    Params::new(64, 1, 2, true).unwrap()
}

fn config() -> CoresConfig {
    CoresConfig { params: params(), urgent_max: 8, background_max: 8, deadline: LONG }
}

/// One shard and one password core, on one CPU.
fn plan(shared: bool) -> Plan {
    let cpu = shards::topology::read().unwrap().cores[0].id;
    let shared_with_shard = shared.then_some(0);
    Plan {
        shards: vec![ShardPlacement { index: 0, cpu, numa_node: 0 }],
        password_cores: vec![PasswordPlacement { index: 0, cpu, numa_node: 0, shared_with_shard }],
        groups: vec![PasswordGroup { shards: vec![0], password_cores: vec![0] }],
        notes: Vec::new(),
    }
}

fn start(plan: &Plan, config: CoresConfig) -> (PasswordCores, Arc<Watched>) {
    let watched = Arc::new(Watched::default());
    let seen = watched.clone();
    let make = move || Ok(Watching { memory: HashMemory::new(FAST, config.params)?, watched: seen.clone() });
    let cores = PasswordCores::start_with(plan, config, FAST, make).unwrap();
    // The one by which a worker takes its memory.
    watched.hashed.lock().unwrap().clear();
    (cores, watched)
}

fn peppers(values: &str) -> Peppers {
    Peppers::new(&Keys::from_value(KeyKind::Pepper, values).unwrap()).unwrap()
}

/// The newest first.
fn rotated() -> Peppers {
    peppers(&format!("{NEW},{OLD}"))
}

fn password(text: &str) -> Password {
    Password::attempt(Cow::Borrowed(text)).unwrap()
}

fn weak(peppers: &Peppers, salt: u8) -> String {
    peppers.newest().record(Salt::new([salt; 16]), &password("right")).as_str().to_owned()
}

fn imported(params: Params, secret: &[u8], tag_bytes: usize) -> String {
    let mut tag = vec![0; tag_bytes];
    let stored = Params::stored(params.memory_kib(), params.passes(), params.lanes()).unwrap();
    HashMemory::new(FAST, stored).unwrap().hash(stored, secret, b"somesalt", &mut tag).unwrap();
    let (m, t, p) = (params.memory_kib(), params.passes(), params.lanes());
    let tag = <base64ct::Base64Unpadded as base64ct::Encoding>::encode_string(&tag);
    format!("$argon2id$v=19$m={m},t={t},p={p}$c29tZXNhbHQ${tag}")
}

/// A record that makes the worker misbehave; what it says is not reached.
fn mischief(passes: u32) -> String {
    imported(Params::stored(8, 1, 1).unwrap(), b"x", 32).replace("t=1", &format!("t={passes}"))
}

/// Always another, so that nobody's share is what decides.
fn somebody() -> Origin {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let mut origin = [0; 9];
    origin[1..].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    origin
}

/// As a login does: takes a place, and comes.
async fn check(
    core: &PasswordCore,
    peppers: &Peppers,
    stored: Option<&str>,
    password: &Password,
) -> Result<Checked, Unchecked> {
    core.check(core.admit(somebody())?, peppers, stored, password).await
}

/// Asks on a shard of its own, as often as wanted.
fn on_shard<T>(cores: &PasswordCores, ask: impl AsyncFnOnce(PasswordCore) -> T) -> T {
    let handle = cores.handle(0);
    shards::block_on(async move { shards::timeout(LONG, ask(handle.attach().unwrap())).await.unwrap() }).unwrap()
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        shards::sleep(Duration::from_millis(1)).await;
    }
}

fn hardened(checked: &Checked) -> &HardRecord {
    match &checked.upgrade {
        Some(Upgrade::Hardened(record)) => record,
        Some(Upgrade::Rehash(_)) => panic!("hardened at once, not to be hashed again"),
        None => panic!("hardened"),
    }
}

fn rehash(checked: Checked) -> Material {
    match checked.upgrade {
        Some(Upgrade::Rehash(material)) => material,
        _ => panic!("to be hashed again"),
    }
}

#[test]
fn a_weak_record_becomes_a_hard_one_that_verifies() {
    let (cores, _) = start(&plan(false), config());
    let peppers = peppers(OLD);
    let stored = weak(&peppers, 1);
    on_shard(&cores, async |core| {
        let wrong = check(&core, &peppers, Some(&stored), &password("wrong")).await.unwrap();
        assert!(!wrong.right && wrong.upgrade.is_none());
        let right = check(&core, &peppers, Some(&stored), &password("right")).await.unwrap();
        assert!(right.right);
        let hard = hardened(&right).as_str().to_owned();
        assert_eq!(crate::hardening::salt_text(&hard), crate::hardening::salt_text(&stored));

        let again = check(&core, &peppers, Some(&hard), &password("right")).await.unwrap();
        assert!(again.right && again.upgrade.is_none(), "nothing is left to be done");
        let wrong = check(&core, &peppers, Some(&hard), &password("wrong")).await.unwrap();
        assert!(!wrong.right && wrong.upgrade.is_none());
    });
}

#[test]
fn hardening_in_the_background_makes_the_same_record() {
    for shared in [false, true] {
        let (cores, _) = start(&plan(shared), config());
        let peppers = peppers(OLD);
        let stored = weak(&peppers, 2);
        on_shard(&cores, async |core| {
            let Ok(Record::Weak(record)) = Record::parse(&stored) else { panic!("it is weak") };
            let pending = core.try_harden(Material::from(&record), Instant::now() + LONG).ok().unwrap();
            let hard = pending.await.unwrap();
            let checked = check(&core, &peppers, Some(&stored), &password("right")).await.unwrap();
            assert_eq!(hard.as_str(), hardened(&checked).as_str());
        });
    }
}

#[test]
fn whatever_is_stored_costs_one_hash() {
    let (cores, watched) = start(&plan(false), config());
    let peppers = rotated();
    let other = Params::stored(48, 2, 1).unwrap();
    let (current, old) = (weak(&peppers, 1), weak(&self::peppers(OLD), 1));
    let foreign = imported(other, b"right", 32);
    let huge = foreign.replace("m=48", "m=2097152");
    on_shard(&cores, async |core| {
        for (stored, cost, right) in [
            (None, params(), false),
            (Some("garbage"), params(), false),
            (Some(&*huge), params(), false),
            (Some(&*current), params(), true),
            (Some(&*old), params(), true),
            (Some(&*foreign), other, true),
        ] {
            for attempt in ["right", "wrong"] {
                let checked = check(&core, &peppers, stored, &password(attempt)).await.unwrap();
                assert_eq!(checked.right, right && attempt == "right", "{stored:?}");
                assert_eq!(checked.upgrade.is_some(), checked.right);
                assert_eq!(std::mem::take(&mut *watched.hashed.lock().unwrap()), [cost], "{stored:?}, {attempt}");
            }
        }
    });
    assert_eq!(cores.report().groups[0].unreadable, 4);
}

#[test]
fn an_older_pepper_moves_to_the_newest_with_a_new_salt() {
    let (cores, _) = start(&plan(false), config());
    let (before, after) = (peppers(OLD), rotated());
    let stored = weak(&before, 1);
    on_shard(&cores, async |core| {
        let hard =
            hardened(&check(&core, &before, Some(&stored), &password("right")).await.unwrap()).as_str().to_owned();
        for stored in [&stored, &hard] {
            let wrong = check(&core, &after, Some(stored), &password("wrong")).await.unwrap();
            assert!(!wrong.right && wrong.upgrade.is_none());
            let material = rehash(check(&core, &after, Some(stored), &password("right")).await.unwrap());
            assert_eq!(material.pepper(), after.newest().id());
            assert_ne!(material.salt().as_bytes(), &[1; 16]);
            let renewed = core.try_harden(material, Instant::now() + LONG).ok().unwrap().await.unwrap();
            let checked = check(&core, &after, Some(renewed.as_str()), &password("right")).await.unwrap();
            assert!(checked.right && checked.upgrade.is_none());
        }
    });
}

#[test]
fn other_costs_are_verified_with_their_own_and_hashed_again() {
    let cost = Params::new(256, 2, 1, true).unwrap();
    let (others, _) = start(&plan(false), CoresConfig { params: cost, ..config() });
    let peppers = peppers(OLD);
    let stored = weak(&peppers, 1);
    let hard = on_shard(&others, async |core| {
        hardened(&check(&core, &peppers, Some(&stored), &password("right")).await.unwrap()).as_str().to_owned()
    });
    let (cores, watched) = start(&plan(false), config());
    on_shard(&cores, async |core| {
        assert!(!check(&core, &peppers, Some(&hard), &password("wrong")).await.unwrap().right);
        let material = rehash(check(&core, &peppers, Some(&hard), &password("right")).await.unwrap());
        assert_eq!(*watched.hashed.lock().unwrap(), [cost, cost]);
        assert_eq!(material.salt().as_bytes(), &[1; 16], "the credential is the same");
        let renewed = core.try_harden(material, Instant::now() + LONG).ok().unwrap().await.unwrap();
        assert_eq!(renewed.params(), params());
        assert!(check(&core, &peppers, Some(renewed.as_str()), &password("right")).await.unwrap().right);
    });
}

#[test]
fn what_other_programs_stored_is_verified_over_what_was_sent() {
    let (cores, _) = start(&plan(false), config());
    let peppers = peppers(OLD);
    // Two code points, which Jeday's own records see as one.
    let sent = "e\u{301}clair";
    let stored = imported(Params::stored(32, 3, 2).unwrap(), sent.as_bytes(), 24);
    on_shard(&cores, async |core| {
        assert!(!check(&core, &peppers, Some(&stored), &password("éclair")).await.unwrap().right);
        let material = rehash(check(&core, &peppers, Some(&stored), &password(sent)).await.unwrap());
        let own = core.try_harden(material, Instant::now() + LONG).ok().unwrap().await.unwrap();
        assert!(check(&core, &peppers, Some(own.as_str()), &password("éclair")).await.unwrap().right);
    });
}

#[test]
fn a_record_under_a_pepper_that_is_not_configured_looks_like_a_wrong_password() {
    let (cores, watched) = start(&plan(false), config());
    let weak = weak(&peppers(OLD), 1);
    on_shard(&cores, async |core| {
        let own = check(&core, &peppers(OLD), Some(&weak), &password("right")).await.unwrap();
        for stored in [&weak, hardened(&own).as_str()] {
            let checked = check(&core, &peppers(NEW), Some(stored), &password("right")).await.unwrap();
            assert!(!checked.right && checked.upgrade.is_none());
        }
    });
    assert_eq!((watched.hashed.lock().unwrap().len(), cores.report().groups[0].unreadable), (3, 2));
}

#[test]
fn a_panic_and_a_failed_allocation_cost_one_request_each() {
    let (cores, _) = start(&plan(false), config());
    let peppers = peppers(OLD);
    let stored = weak(&peppers, 1);
    on_shard(&cores, async |core| {
        for passes in [PANICS, HAS_NO_MEMORY] {
            let failed = check(&core, &peppers, Some(&mischief(passes)), &password("right")).await.err();
            assert_eq!(failed, Some(Unchecked::Failed));
            assert!(check(&core, &peppers, Some(&stored), &password("right")).await.unwrap().right, "it goes on");
        }
    });
    let group = &cores.report().groups[0];
    assert_eq!((group.pool.workers[0].jobs_panicked, group.failed), (1, 1));
}

/// Keeps the only worker busy, for as long as the test wants.
async fn occupy(core: &Rc<PasswordCore>, watched: &Watched) -> shards::Task<Option<Unchecked>> {
    let occupying = core.clone();
    let task = shards::spawn(async move {
        check(&occupying, &peppers(OLD), Some(&mischief(WAITS)), &password("right")).await.err()
    });
    until(|| watched.waiting.load(Ordering::SeqCst) == 1).await;
    task
}

#[test]
fn a_job_whose_turn_comes_too_late_is_not_hashed() {
    let (cores, watched) = start(&plan(false), config());
    let peppers = peppers(OLD);
    let Ok(Record::Weak(record)) = Record::parse(&weak(&peppers, 1)) else { panic!("it is weak") };
    on_shard(&cores, async |core| {
        let core = Rc::new(core);
        let occupying = occupy(&core, &watched).await;
        let soon = Instant::now() + Duration::from_millis(20);
        let late = core.try_harden(Material::from(&record), soon).ok().unwrap();
        let timely = core.try_harden(Material::from(&record), Instant::now() + LONG).ok().unwrap();
        until(|| Instant::now() > soon).await;
        watched.go_on.store(true, Ordering::SeqCst);
        assert_eq!(late.await.err(), Some(Unchecked::Late));
        assert!(timely.await.is_ok());
        assert_eq!(occupying.await, None);
    });
    assert_eq!((watched.hashed.lock().unwrap().len(), cores.report().groups[0].late), (2, 1));
}

#[test]
fn a_full_queue_refuses_at_once_and_says_when_to_come_again() {
    let bounds = CoresConfig { urgent_max: 2, background_max: 1, ..config() };
    let (cores, watched) = start(&plan(false), bounds);
    let peppers = peppers(OLD);
    let stored = weak(&peppers, 1);
    on_shard(&cores, async |core| {
        let core = Rc::new(core);
        let occupying = occupy(&core, &watched).await;
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let (core, peppers, stored) = (core.clone(), peppers.clone(), stored.clone());
                shards::spawn(async move { check(&core, &peppers, Some(&stored), &password("right")).await })
            })
            .collect();
        until(|| core.pressure().waiting == 2).await;
        let refused = check(&core, &peppers, Some(&stored), &password("right")).await.err();
        assert_eq!(refused, Some(Unchecked::Busy { retry_after_s: 1 }));
        let Ok(Record::Weak(record)) = Record::parse(&stored) else { panic!("it is weak") };
        let background = core.try_harden(Material::from(&record), Instant::now() + LONG).ok().unwrap();
        let back = core.try_harden(Material::from(&record), Instant::now() + LONG).err().unwrap();
        assert_eq!(back.salt(), record.salt());
        watched.go_on.store(true, Ordering::SeqCst);
        for task in waiting {
            assert!(task.await.unwrap().right);
        }
        assert_eq!(background.await.unwrap().salt(), record.salt());
        occupying.await;
    });
}

#[test]
fn a_job_that_would_begin_too_late_is_refused_before_it_waits() {
    let (cores, watched) = start(&plan(false), CoresConfig { deadline: Duration::from_secs(5), ..config() });
    for _ in 0..100 {
        cores.groups[0].gauges.hash(Urgency::Urgent).observe(Duration::from_secs(8));
    }
    on_shard(&cores, async |core| {
        let core = Rc::new(core);
        let occupying = occupy(&core, &watched).await;
        let refused = check(&core, &peppers(OLD), None, &password("right")).await.err();
        assert_eq!(refused, Some(Unchecked::Busy { retry_after_s: 8 }));
        assert_eq!(core.pressure().waiting, 0);
        watched.go_on.store(true, Ordering::SeqCst);
        assert_eq!(occupying.await, None, "an idle worker takes a job however slow it is");
    });
}

#[test]
fn a_client_that_leaves_keeps_its_place_until_the_hash_ends() {
    let (cores, watched) = start(&plan(false), CoresConfig { urgent_max: 1, ..config() });
    let peppers = peppers(OLD);
    let stored = weak(&peppers, 1);
    on_shard(&cores, async |core| {
        let core = Rc::new(core);
        let occupying = occupy(&core, &watched).await;
        let attempt = password("right");
        let leaving = check(&core, &peppers, Some(&stored), &attempt);
        assert!(shards::timeout(Duration::from_millis(5), leaving).await.is_err(), "it has to wait");
        assert_eq!(core.pressure().waiting, 1);
        let refused = check(&core, &peppers, Some(&stored), &password("right")).await.err();
        assert!(matches!(refused, Some(Unchecked::Busy { .. })));
        watched.go_on.store(true, Ordering::SeqCst);
        occupying.await;
        until(|| watched.hashed.lock().unwrap().len() == 2).await;
    });
}

#[test]
fn memory_does_not_grow_and_is_wiped_when_unused() {
    let (cores, watched) = start(&plan(true), config());
    let peppers = peppers(OLD);
    let larger = imported(Params::stored(512, 1, 1).unwrap(), b"right", 32);
    on_shard(&cores, async |core| {
        for _ in 0..10 {
            assert!(check(&core, &peppers, Some(&larger), &password("right")).await.unwrap().right);
            check(&core, &peppers, None, &password("right")).await.unwrap();
        }
        for held in watched.held_kib.lock().unwrap().values() {
            assert!(held.iter().all(|&held_kib| held_kib == 64), "{held:?}");
        }
        shards::sleep(limits::HASH_MEMORY_WIPED_AFTER).await;
        // Both workers: the one in the background takes its memory by that.
        until(|| watched.wiped.load(Ordering::SeqCst) == 2).await;
    });
}

#[test]
fn stopping_answers_everyone() {
    let (cores, watched) = start(&plan(false), config());
    let handle = cores.handle(0);
    let reporter = cores.reporter();
    shards::block_on(async move {
        let core = Rc::new(handle.attach().unwrap());
        let peppers = peppers(OLD);
        let Ok(Record::Weak(record)) = Record::parse(&weak(&peppers, 1)) else { panic!("it is weak") };
        let occupying = occupy(&core, &watched).await;
        let waiting = core.try_harden(Material::from(&record), Instant::now() + LONG).ok().unwrap();
        let stopping = std::thread::spawn(move || cores.stop(Ending::Discard, LONG));
        until(|| core.try_harden(Material::from(&record), Instant::now() + LONG).is_err()).await;
        assert_eq!(check(&core, &peppers, None, &password("right")).await.err(), Some(Unchecked::Stopped));
        watched.go_on.store(true, Ordering::SeqCst);
        assert_eq!(occupying.await, None, "what has begun is finished");
        assert_eq!(waiting.await.err(), Some(Unchecked::Stopped));
        assert!(stopping.join().unwrap());
    })
    .unwrap();
    assert_eq!(reporter.report().groups[0].pool.workers[0].jobs_done, 1);
}

#[test]
fn real_password_cores_start_and_hash_at_the_default_cost() {
    let config = CoresConfig { params: Params::DEFAULT, ..config() };
    let began = Instant::now();
    let cores = PasswordCores::start(&plan(true), config).unwrap();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(matches!(cores.engine(), Engine::Fast { .. }));
    let peppers = peppers(OLD);
    on_shard(&cores, async |core| {
        assert!(core.pressure().hash > Duration::from_millis(1), "the first hash has told how long one takes");
        let checked = check(&core, &peppers, Some(&weak(&peppers, 1)), &password("right")).await.unwrap();
        assert_eq!(hardened(&checked).params(), Params::DEFAULT);
    });
    cores.stop(Ending::Finish, LONG);
}

#[test]
fn the_reference_serves_where_the_fast_engine_does_not() {
    let engine = Engine::Reference { reason: Distrust::Differs };
    let make = move || HashMemory::new(engine, params());
    let cores = PasswordCores::start_with(&plan(false), config(), engine, make).unwrap();
    let peppers = peppers(OLD);
    let hard = on_shard(&cores, async |core| {
        let checked = check(&core, &peppers, Some(&weak(&peppers, 1)), &password("right")).await.unwrap();
        hardened(&checked).as_str().to_owned()
    });
    let (fast, _) = start(&plan(false), config());
    on_shard(&fast, async |core| {
        assert!(check(&core, &peppers, Some(&hard), &password("right")).await.unwrap().right);
    });
    assert_eq!(cores.report().engine, engine);
}
