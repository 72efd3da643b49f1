//! Hand-over between real executors and real workers.

use std::{
    convert::Infallible,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use super::*;
use crate::{block_on, sleep, spawn, timeout};

pub(super) const BOTH: WorkerSpec = WorkerSpec { cpu: None, serves: Serves::Both, idle_priority: false };
pub(super) const ROOMY: Bounds = Bounds { urgent: 64, background: 64, replacements: 2 };
pub(super) const LONG: Duration = Duration::from_secs(10);

pub(super) type Job = Box<dyn FnOnce() -> usize + Send>;

pub(super) fn pool(workers: &[WorkerSpec], bounds: Bounds) -> Pool<Job, usize> {
    start("test", workers, bounds, |_| Ok::<_, Infallible>(()), |(), job: Job| job(), None).unwrap()
}

pub(super) fn job(work: impl FnOnce() -> usize + Send + 'static) -> Job {
    Box::new(work)
}

/// Keeps a worker busy until told, and tells when it has begun.
pub(super) struct Gate {
    begun: mpsc::Receiver<()>,
    open: mpsc::Sender<()>,
}

impl Gate {
    pub(super) fn shut() -> (Self, Job) {
        let (begun_in, begun) = mpsc::channel();
        let (open, opened) = mpsc::channel::<()>();
        let wait = job(move || {
            let _ = begun_in.send(());
            let _ = opened.recv();
            0
        });
        (Self { begun, open }, wait)
    }

    pub(super) fn await_begun(&self) {
        self.begun.recv_timeout(LONG).unwrap();
    }

    pub(super) fn open(&self) {
        self.open.send(()).unwrap();
    }
}

pub(super) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(LONG, work).await.expect("an answer must come")
}

pub(super) async fn until(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < LONG, "the condition must come true");
        sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn an_answer_comes_home_to_a_sleeping_shard() {
    let pool = pool(&[BOTH], ROOMY);
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let slow = job(|| {
            thread::sleep(Duration::from_millis(30));
            7
        });
        assert_eq!(within(client.try_submit(Urgency::Urgent, slow).unwrap()).await, Ok(7));
        assert_eq!(client.in_flight(), 0);
    })
    .unwrap();
    let report = pool.report();
    assert_eq!(report.workers[0].jobs_done, 1);
    assert!(report.workers[0].busy >= Duration::from_millis(30));
    assert!(!report.workers[0].working);
}

#[test]
fn each_waiter_gets_its_own_answer() {
    let pool = pool(&[BOTH, BOTH], Bounds { urgent: 512, background: 512, ..ROOMY });
    let shards: Vec<_> = (0..3)
        .map(|shard| {
            let handle = pool.handle();
            thread::spawn(move || {
                block_on(async move {
                    let client = handle.attach().unwrap();
                    for round in 0..20 {
                        let pending: Vec<_> = (0..100)
                            .map(|i| {
                                let urgency = if i % 3 == 0 { Urgency::Urgent } else { Urgency::Background };
                                let number = shard * 1_000_000 + round * 1000 + i;
                                let answer = client.try_submit(urgency, job(move || number)).unwrap();
                                spawn(async move { (number, answer.await) })
                            })
                            .collect();
                        for waiter in pending {
                            let (number, answer) = within(waiter).await;
                            assert_eq!(answer, Ok(number));
                        }
                    }
                })
                .unwrap();
            })
        })
        .collect();
    shards.into_iter().for_each(|shard| shard.join().unwrap());
    let done: u64 = pool.report().workers.iter().map(|worker| worker.jobs_done).sum();
    assert_eq!(done, 6000);
}

#[test]
fn a_full_queue_hands_the_job_back() {
    let pool = pool(&[BOTH], Bounds { urgent: 1, background: 1, ..ROOMY });
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let (gate, wait) = Gate::shut();
        let running = client.try_submit(Urgency::Urgent, wait).unwrap();
        gate.await_begun();
        let queued = client.try_submit(Urgency::Urgent, job(|| 1)).unwrap();
        let refused = client.try_submit(Urgency::Urgent, job(|| 2)).unwrap_err();
        assert!(matches!(refused, Refused::Full(_)));
        assert_eq!(refused.into_job()(), 2, "the very job comes back");
        let background = client.try_submit(Urgency::Background, job(|| 3)).unwrap();
        assert_eq!(handle.report().urgent_waiting, 1);
        assert_eq!(handle.report().background_waiting, 1);
        assert!(handle.report().workers[0].working);
        gate.open();
        assert_eq!(within(running).await, Ok(0));
        assert_eq!(within(queued).await, Ok(1));
        assert_eq!(within(background).await, Ok(3));
    })
    .unwrap();
}

#[test]
fn urgent_jobs_go_before_background_ones() {
    let pool = pool(&[BOTH], ROOMY);
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let (gate, wait) = Gate::shut();
        let first = client.try_submit(Urgency::Background, wait).unwrap();
        gate.await_begun();
        let order = Arc::new(Mutex::new(Vec::new()));
        let submit = |urgency, number| {
            let order = order.clone();
            let note = job(move || {
                order.lock().unwrap().push(number);
                number
            });
            client.try_submit(urgency, note).unwrap()
        };
        let waiting = [
            submit(Urgency::Background, 10),
            submit(Urgency::Background, 11),
            submit(Urgency::Urgent, 1),
            submit(Urgency::Urgent, 2),
        ];
        gate.open();
        let _ = within(first).await;
        for answer in waiting {
            assert!(within(answer).await.is_ok());
        }
        assert_eq!(*order.lock().unwrap(), [1, 2, 10, 11]);
    })
    .unwrap();
}

#[test]
fn a_panic_costs_one_job_and_the_state() {
    static BUILT: AtomicUsize = AtomicUsize::new(0);
    let build = |_| Ok::<_, Infallible>(BUILT.fetch_add(1, Ordering::SeqCst));
    let run = |state: &mut usize, fail: bool| {
        assert!(!fail, "as the test wants it");
        *state
    };
    let pool = start("test", &[BOTH], ROOMY, build, run, None).unwrap();
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let ask = |fail| client.try_submit(Urgency::Urgent, fail).unwrap();
        let answers = [ask(false), ask(true), ask(false)];
        let mut results = Vec::new();
        for answer in answers {
            results.push(within(answer).await);
        }
        assert_eq!(results, [Ok(0), Err(Unanswered::JobPanicked), Ok(1)]);
    })
    .unwrap();
    let report = pool.report().workers[0];
    assert_eq!((report.jobs_done, report.jobs_panicked), (2, 1));
}

#[test]
fn a_client_that_has_gone_keeps_its_slot_until_the_job_ends() {
    let pool = pool(&[BOTH], ROOMY);
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let (gate, wait) = Gate::shut();
        drop(client.try_submit(Urgency::Urgent, wait).unwrap());
        gate.await_begun();
        let ran = Arc::new(AtomicUsize::new(0));
        let seen = ran.clone();
        drop(client.try_submit(Urgency::Background, job(move || seen.fetch_add(1, Ordering::SeqCst))).unwrap());
        sleep(Duration::from_millis(5)).await;
        assert_eq!(client.in_flight(), 2);
        gate.open();
        until(|| client.in_flight() == 0).await;
        assert_eq!(ran.load(Ordering::SeqCst), 1, "the job ran though nobody waits");
    })
    .unwrap();
}

#[test]
fn a_shard_has_no_more_slots_than_the_pool_has_room() {
    let pool = pool(&[BOTH], Bounds { urgent: 1, background: 1, ..ROOMY });
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let mut answers = Vec::new();
        // This task does not yield, so its shard cannot collect what the worker has long answered.
        for _ in 0..3 {
            while handle.report().urgent_waiting > 0 {
                thread::yield_now();
            }
            answers.push(client.try_submit(Urgency::Urgent, job(|| 5)).unwrap());
        }
        while handle.report().workers[0].jobs_done < 3 {
            thread::yield_now();
        }
        assert!(matches!(client.try_submit(Urgency::Urgent, job(|| 6)), Err(Refused::Full(_))));
        for answer in answers {
            assert_eq!(within(answer).await, Ok(5));
        }
        assert_eq!(within(client.try_submit(Urgency::Urgent, job(|| 6)).unwrap()).await, Ok(6));
    })
    .unwrap();
}

#[test]
fn stopping_can_finish_what_waits() {
    let pool = pool(&[BOTH], ROOMY);
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let (gate, wait) = Gate::shut();
        let first = client.try_submit(Urgency::Urgent, wait).unwrap();
        gate.await_begun();
        let urgent = client.try_submit(Urgency::Urgent, job(|| 1)).unwrap();
        let background = client.try_submit(Urgency::Background, job(|| 2)).unwrap();
        let stopping = thread::spawn(move || pool.stop(Ending::Finish, LONG));
        until(|| matches!(client.try_submit(Urgency::Urgent, job(|| 3)), Err(Refused::Stopped(_)))).await;
        gate.open();
        assert_eq!(within(first).await, Ok(0));
        assert_eq!(within(urgent).await, Ok(1));
        assert_eq!(within(background).await, Ok(2));
        assert!(stopping.join().unwrap(), "every worker has ended");
    })
    .unwrap();
}

#[test]
fn stopping_can_discard_what_waits_but_answers_it() {
    let pool = pool(&[BOTH, BOTH], ROOMY);
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let (one, wait) = Gate::shut();
        let first = client.try_submit(Urgency::Urgent, wait).unwrap();
        one.await_begun();
        let (two, wait) = Gate::shut();
        let second = client.try_submit(Urgency::Urgent, wait).unwrap();
        two.await_begun();
        let waiting = client.try_submit(Urgency::Background, job(|| 1)).unwrap();
        let stopping = thread::spawn(move || pool.stop(Ending::Discard, LONG));
        until(|| matches!(client.try_submit(Urgency::Urgent, job(|| 3)), Err(Refused::Stopped(_)))).await;
        one.open();
        two.open();
        assert_eq!(within(first).await, Ok(0));
        assert_eq!(within(second).await, Ok(0));
        assert_eq!(within(waiting).await, Err(Unanswered::Stopped));
        assert!(stopping.join().unwrap(), "every worker has ended");
    })
    .unwrap();
}

#[test]
fn submissions_that_race_with_a_stop_are_all_answered() {
    for _ in 0..50 {
        let pool = pool(&[BOTH], ROOMY);
        let handle = pool.handle();
        let shard = thread::spawn(move || {
            block_on(async move {
                let client = handle.attach().unwrap();
                let mut answers = Vec::new();
                loop {
                    match client.try_submit(Urgency::Urgent, job(|| 1)) {
                        Ok(answer) => answers.push(answer),
                        Err(Refused::Full(_)) => {
                            for answer in answers.drain(..) {
                                let _ = within(answer).await;
                            }
                        }
                        Err(Refused::Stopped(_)) => break,
                    }
                }
                for answer in answers {
                    let _ = within(answer).await;
                }
            })
            .unwrap();
        });
        thread::sleep(Duration::from_millis(2));
        pool.stop(Ending::Discard, LONG);
        shard.join().unwrap();
    }
}

#[test]
fn an_idle_pool_is_woken_every_time() {
    let pool = pool(&[BOTH, BOTH], ROOMY);
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        for number in 0..2000 {
            let answer = client.try_submit(Urgency::Urgent, job(move || number)).unwrap();
            assert_eq!(within(answer).await, Ok(number));
        }
    })
    .unwrap();
}

#[test]
fn a_shard_that_ends_leaves_the_pool_unharmed() {
    let pool = pool(&[BOTH], ROOMY);
    let (gate, wait) = Gate::shut();
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let abandoned = client.try_submit(Urgency::Urgent, wait).unwrap();
        spawn(abandoned).detach();
        sleep(Duration::from_millis(1)).await;
    })
    .unwrap();
    gate.open();
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        assert_eq!(within(client.try_submit(Urgency::Urgent, job(|| 4)).unwrap()).await, Ok(4));
    })
    .unwrap();
}

#[test]
fn workers_are_pinned_before_their_state_is_built() {
    let cpu = core_affinity::get_core_ids().unwrap()[0].id;
    let spec = WorkerSpec { cpu: Some(cpu), ..BOTH };
    let build = |_| Ok::<_, Infallible>(core_affinity::get_core_ids().unwrap());
    let pool = start("test", &[spec], ROOMY, build, |seen, ()| seen.clone(), None).unwrap();
    let handle = pool.handle();
    let seen = block_on(async move {
        let client = handle.attach().unwrap();
        within(client.try_submit(Urgency::Urgent, ()).unwrap()).await.unwrap()
    })
    .unwrap();
    assert_eq!(seen.iter().map(|core| core.id).collect::<Vec<_>>(), [cpu]);
}

#[test]
fn background_jobs_can_have_a_thread_of_idle_priority() {
    let specs = [
        WorkerSpec { serves: Serves::Urgent, ..BOTH },
        WorkerSpec { serves: Serves::Background, idle_priority: true, ..BOTH },
    ];
    // proc_pid_stat(5), field 41: the policy. The name in field 2 ends at the last parenthesis.
    let policy = || {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let fields = stat.rsplit_once(')').unwrap().1;
        fields.split_whitespace().nth(38).unwrap().parse().unwrap()
    };
    let pool = pool(&specs, ROOMY);
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let urgent = client.try_submit(Urgency::Urgent, job(policy)).unwrap();
        let background = client.try_submit(Urgency::Background, job(policy)).unwrap();
        assert_eq!(within(urgent).await, Ok(0), "SCHED_OTHER");
        assert_eq!(within(background).await, Ok(5), "SCHED_IDLE");
    })
    .unwrap();
}

#[test]
fn a_worker_rests_once_after_its_last_job() {
    static RESTS: AtomicUsize = AtomicUsize::new(0);
    let rest = Rest {
        after: Duration::from_millis(20),
        act: |jobs: &mut usize| {
            RESTS.fetch_add(1, Ordering::SeqCst);
            *jobs = 0;
        },
    };
    let run = |jobs: &mut usize, ()| {
        *jobs += 1;
        *jobs
    };
    let pool = start("test", &[BOTH], ROOMY, |_| Ok::<_, Infallible>(0), run, Some(rest)).unwrap();
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let ask = || client.try_submit(Urgency::Urgent, ()).unwrap();
        until(|| RESTS.load(Ordering::SeqCst) == 1).await;
        sleep(Duration::from_millis(60)).await;
        assert_eq!(RESTS.load(Ordering::SeqCst), 1, "it rests once, however long there is nothing to do");
        let (first, second) = (ask(), ask());
        assert_eq!((within(first).await, within(second).await), (Ok(1), Ok(2)));
        until(|| RESTS.load(Ordering::SeqCst) == 2).await;
        assert_eq!(within(ask()).await, Ok(1), "the rest has had its effect on the state");
    })
    .unwrap();
}

#[test]
fn a_panic_at_rest_costs_only_the_state() {
    static BUILT: AtomicUsize = AtomicUsize::new(0);
    let build = |_| Ok::<_, Infallible>(BUILT.fetch_add(1, Ordering::SeqCst));
    let rest = Rest { after: Duration::from_millis(1), act: |_: &mut usize| panic!("as the test wants it") };
    let pool = start("test", &[BOTH], ROOMY, build, |state, ()| *state, Some(rest)).unwrap();
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        sleep(Duration::from_millis(100)).await;
        assert_eq!(within(client.try_submit(Urgency::Urgent, ()).unwrap()).await, Ok(1));
    })
    .unwrap();
}

#[test]
fn the_load_counts_who_waits_and_who_works() {
    let specs = [
        WorkerSpec { serves: Serves::Urgent, ..BOTH },
        WorkerSpec { serves: Serves::Background, ..BOTH },
        WorkerSpec { serves: Serves::Background, ..BOTH },
    ];
    let pool = pool(&specs, ROOMY);
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let (gate, wait) = Gate::shut();
        let first = client.try_submit(Urgency::Urgent, wait).unwrap();
        gate.await_begun();
        let second = client.try_submit(Urgency::Urgent, job(|| 1)).unwrap();
        assert_eq!(client.load(Urgency::Urgent), Load { waiting: 1, workers: 1, working: 1, stuck: 0 });
        assert_eq!(client.load(Urgency::Background), Load { waiting: 0, workers: 2, working: 0, stuck: 0 });
        gate.open();
        assert_eq!((within(first).await, within(second).await), (Ok(0), Ok(1)));
    })
    .unwrap();
}

#[test]
fn a_pool_that_cannot_work_does_not_start() {
    let begin = |specs: &[WorkerSpec], bounds| {
        start("test", specs, bounds, |_| Err::<(), _>("no memory"), |(), ()| (), None).map(drop).unwrap_err()
    };
    assert!(matches!(begin(&[BOTH], ROOMY), StartError::Build { worker: 0, reason } if reason == "no memory"));
    assert!(matches!(begin(&[], ROOMY), StartError::NobodyServes(Urgency::Urgent)));
    let urgent = WorkerSpec { serves: Serves::Urgent, ..BOTH };
    assert!(matches!(begin(&[urgent], ROOMY), StartError::NobodyServes(Urgency::Background)));
    assert!(matches!(begin(&[BOTH], Bounds { urgent: 0, ..ROOMY }), StartError::EmptyQueue(Urgency::Urgent)));
    let nowhere = WorkerSpec { cpu: Some(1000), ..BOTH };
    assert!(matches!(begin(&[nowhere], ROOMY), StartError::Pin { worker: 0, cpu: 1000 }));
}

#[test]
fn worker_that_never_ends_is_left_behind() {
    let pool = pool(&[BOTH], ROOMY);
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let (gate, wait) = Gate::shut();
        let _waiting = client.try_submit(Urgency::Urgent, wait).unwrap();
        gate.await_begun();
        assert!(!pool.stop(Ending::Discard, Duration::from_millis(1)));
        gate.open();
    })
    .unwrap();
}
