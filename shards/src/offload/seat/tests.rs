//! Workers that do not come to the end of a job, and whoever takes their place.

use super::super::{tests::*, *};
use crate::block_on;

#[test]
fn worker_that_is_stuck_is_replaced_and_drops_what_it_brings_in_the_end() {
    let pool = pool(&[BOTH], ROOMY);
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let ((gate, wait), ended) = (Gate::shut(), Arc::new(()));
        let watched = Arc::downgrade(&ended);
        let stuck = client
            .try_submit(
                Urgency::Urgent,
                job(move || {
                    let _ended = ended;
                    wait()
                }),
            )
            .unwrap();
        gate.await_begun();
        let behind = client.try_submit(Urgency::Urgent, job(|| 1)).unwrap();
        assert!(matches!(handle.replace(0, 0), Replacement::Begun));
        assert_eq!(within(stuck).await, Err(Unanswered::Stuck));
        assert_eq!(within(behind).await, Ok(1), "whoever waits behind it is served");
        let report = handle.report().workers[0];
        assert_eq!((report.jobs_done, report.replaced, report.stuck), (1, 1, false));
        assert_eq!(client.in_flight(), 0);

        gate.open();
        until(|| watched.strong_count() == 0).await;
        for number in 0..100 {
            let answer = client.try_submit(Urgency::Background, job(move || number)).unwrap();
            assert_eq!(within(answer).await, Ok(number), "the seat is its successor's");
        }
        assert_eq!(handle.report().workers[0].jobs_done, 101, "what the old one did counts for nothing");
        assert!(pool.stop(Ending::Finish, LONG), "both threads have ended");
    })
    .unwrap();
}

#[test]
fn no_more_are_replaced_than_may_be() {
    let pool = pool(&[BOTH, BOTH], ROOMY);
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let mut gates = Vec::new();
        let stick = || {
            let (gate, wait) = Gate::shut();
            let answer = client.try_submit(Urgency::Urgent, wait).unwrap();
            gate.await_begun();
            (gate, answer)
        };
        for _ in 0..ROOMY.replacements {
            let (gate, answer) = stick();
            gates.push(gate);
            let worker = handle.report().workers.iter().position(|worker| worker.working).unwrap();
            assert!(matches!(handle.replace(worker, 0), Replacement::Begun));
            assert_eq!(within(answer).await, Err(Unanswered::Stuck));
        }
        let (gate, answer) = stick();
        let worker = handle.report().workers.iter().position(|worker| worker.working).unwrap();
        assert!(matches!(handle.replace(worker, 0), Replacement::NoneLeft));
        assert_eq!(client.load(Urgency::Urgent), Load { waiting: 0, workers: 1, working: 0, stuck: 1 });
        gate.open();
        assert_eq!(within(answer).await, Ok(0), "it may still come to its end");
        assert_eq!(client.load(Urgency::Urgent), Load { waiting: 0, workers: 2, working: 0, stuck: 0 });
        gates.iter().for_each(Gate::open);
    })
    .unwrap();
}

#[test]
fn worker_that_gets_on_is_not_replaced() {
    let pool = pool(&[BOTH], ROOMY);
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        assert!(matches!(handle.replace(0, 0), Replacement::NotStuck), "it has nothing to do");
        assert_eq!(within(client.try_submit(Urgency::Urgent, job(|| 1)).unwrap()).await, Ok(1));
        let (gate, wait) = Gate::shut();
        let answer = client.try_submit(Urgency::Urgent, wait).unwrap();
        gate.await_begun();
        assert!(matches!(handle.replace(0, 0), Replacement::NotStuck), "it is in another job by now");
        gate.open();
        assert_eq!(within(answer).await, Ok(0));
    })
    .unwrap();
    assert_eq!(pool.report().workers[0].replaced, 0);
}

#[test]
fn worker_whose_successor_has_no_state_keeps_its_place() {
    let built = std::sync::atomic::AtomicUsize::new(0);
    let build = move |_| match built.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(()),
        _ => Err("no memory"),
    };
    let pool = start("test", &[BOTH], ROOMY, build, |(), job: Job| job(), None).unwrap();
    let handle = pool.handle();
    block_on(async move {
        let client = handle.attach().unwrap();
        let (gate, wait) = Gate::shut();
        let answer = client.try_submit(Urgency::Urgent, wait).unwrap();
        gate.await_begun();
        for _ in 0..ROOMY.replacements {
            assert!(matches!(handle.replace(0, 0), Replacement::Begun));
        }
        assert!(matches!(handle.replace(0, 0), Replacement::NoneLeft), "attempts are what is bounded");
        assert!(handle.report().workers[0].stuck);
        gate.open();
        assert_eq!(within(answer).await, Ok(0));
        assert!(pool.stop(Ending::Finish, LONG));
    })
    .unwrap();
}

#[test]
fn replacements_that_race_with_the_end_of_a_job_answer_it_once() {
    let bounds = Bounds { replacements: 500, ..ROOMY };
    let pool = pool(&[BOTH], bounds);
    let handle = pool.handle();
    let replaced = block_on(async move {
        let client = handle.attach().unwrap();
        let mut replaced = 0;
        for round in 0..bounds.replacements {
            let (gate, wait) = Gate::shut();
            let answer = client.try_submit(Urgency::Urgent, wait).unwrap();
            gate.await_begun();
            let before = handle.report().workers[0];
            let _ = handle.replace(0, before.jobs_done);
            if round % 10 == 0 {
                until(|| handle.report().workers[0].replaced > before.replaced).await;
            } else if round % 2 == 0 {
                thread::sleep(Duration::from_micros((round % 50) as u64 * 4));
            }
            gate.open();
            match within(answer).await {
                Ok(0) => {}
                Err(Unanswered::Stuck) => replaced += 1,
                other => panic!("{other:?}"),
            }
            assert_eq!(client.in_flight(), 0);
        }
        let report = handle.report().workers[0];
        assert_eq!((report.replaced, report.jobs_done), (replaced, (bounds.replacements - replaced) as u64));
        assert!(pool.stop(Ending::Finish, LONG));
        replaced
    })
    .unwrap();
    assert!(replaced >= bounds.replacements / 10, "{replaced}");
}
