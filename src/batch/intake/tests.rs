//! The queue by itself, without a database.

use super::*;
use std::pin::pin;

const LONG: Duration = Duration::from_secs(3600);

fn intake(capacity: usize, answer_within: Duration, senders: &Rc<Senders>) -> Intake<u32, u32> {
    let limits = Limits { window: Window { length_max: 10, wait: Duration::ZERO }, capacity, answer_within };
    Intake::new(limits, senders.clone(), Recorder::detached(), 0)
}

fn take(intake: &Intake<u32, u32>) -> Vec<Queued<u32>> {
    let mut batch = Vec::new();
    intake.take(usize::MAX, &mut batch);
    batch
}

#[test]
fn queue_takes_no_more_than_its_capacity_and_gives_the_item_back() {
    let intake = intake(3, LONG, &Rc::default());
    let answers: Vec<_> = (0..3).map(|item| intake.submit(item).unwrap()).collect();
    assert_eq!(intake.submit(3).err(), Some(Full(3)));
    assert_eq!((intake.queued(), intake.unanswered()), (3, 3));
    drop(answers);
}

#[test]
fn queue_stays_closed_while_what_came_back_fills_it() {
    let intake = intake(3, LONG, &Rc::default());
    let mut answers: Vec<_> = (0..3).map(|item| intake.submit(item).unwrap()).collect();
    let batch = take(&intake);
    answers.extend((3..6).map(|item| intake.submit(item).unwrap()));
    intake.put_back(batch);
    assert_eq!(intake.queued(), 6);
    assert!(intake.submit(6).is_err());
    assert_eq!(take(&intake).iter().map(|queued| queued.item).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn waiter_that_leaves_gives_its_slot_back_once_its_item_is_answered() {
    let intake = intake(10, LONG, &Rc::default());
    drop(intake.submit(1).unwrap());
    let batch = take(&intake);
    assert_eq!(intake.0.waiters.borrow().len(), 1, "the item still has its slot, which no other can take");
    intake.answer(batch[0].waiter, Ok(1));
    assert_eq!(intake.0.waiters.borrow().len(), 0);
    let answer = intake.submit(2).unwrap();
    intake.answer(take(&intake)[0].waiter, Ok(2));
    drop(answer);
    assert_eq!(intake.0.waiters.borrow().len(), 0, "answered and never fetched");
}

#[test]
fn late_waiter_leaves_its_slot_to_its_item() {
    let waker = Waker::noop();
    for fetches in [true, false] {
        let intake = intake(10, LONG, &Rc::default());
        let mut answer = intake.submit(1).unwrap();
        let batch = take(&intake);
        intake.give_up_waiting(batch[0].waiter);
        intake.give_up_waiting(batch[0].waiter);
        if fetches {
            let told = Pin::new(&mut answer).poll(&mut Context::from_waker(waker));
            assert_eq!(told, Poll::Ready(Err(Unanswered::Unknown)));
        }
        drop(answer);
        let other = intake.submit(2).unwrap();
        intake.answer(batch[0].waiter, Ok(1));
        intake.answer(take(&intake)[0].waiter, Ok(2));
        assert_eq!(futures_lite::future::block_on(other), Ok(2));
        assert_eq!((intake.0.waiters.borrow().len(), intake.unanswered()), (0, 0));
    }
}

#[test]
fn waiter_that_is_told_late_but_has_not_looked_yet_gets_the_outcome_after_all() {
    let intake = intake(10, LONG, &Rc::default());
    let answer = intake.submit(1).unwrap();
    let batch = take(&intake);
    intake.give_up_waiting(batch[0].waiter);
    intake.answer(batch[0].waiter, Ok(1));
    assert_eq!(futures_lite::future::block_on(answer), Ok(1));
    assert_eq!(intake.0.waiters.borrow().len(), 0);
}

#[test]
fn queued_item_expires_at_its_deadline_and_says_whether_it_can_have_been_done() {
    let intake = intake(10, Duration::from_secs(1), &Rc::default());
    let answers = [intake.submit(1).unwrap(), intake.submit(2).unwrap()];
    let mut batch = take(&intake);
    batch[0].uncertain = true;
    let (first, last) = (batch[0].deadline, batch[1].deadline);
    intake.put_back(batch);
    assert_eq!(intake.expire(first - Duration::from_millis(1)), Some(first));
    assert_eq!(intake.expire(last), None);
    let answers = answers.map(futures_lite::future::block_on);
    assert_eq!(answers, [Err(Unanswered::Unknown), Err(Unanswered::Unavailable)]);
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(std::sync::atomic::AtomicUsize);

impl std::task::Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Woken {
    fn count(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[test]
fn timekeeper_is_woken_by_what_it_would_miss_and_by_nothing_else() {
    let intake = intake(10, LONG, &Rc::default());
    let woken = std::sync::Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let watch = |now| {
        intake.expire(now);
        intake.watch_expiry(&Context::from_waker(&waker));
    };
    watch(Instant::now());
    let _first = intake.submit(1).unwrap();
    assert_eq!(woken.count(), 1, "the first item into an empty queue");
    let batch = take(&intake);
    let _second = intake.submit(2).unwrap();
    watch(Instant::now());
    let _third = intake.submit(3).unwrap();
    assert_eq!(woken.count(), 1, "a younger item is seen in time");
    intake.put_back(batch);
    assert_eq!(woken.count(), 2, "an older one that comes back would be missed");
}

#[test]
fn connection_that_stops_waiting_takes_no_wake_up_with_it() {
    let senders: Rc<Senders> = Rc::default();
    let intake = intake(10, LONG, &senders);
    let (gone, free) = (std::sync::Arc::new(Woken::default()), std::sync::Arc::new(Woken::default()));
    {
        let mut waiting = pin!(senders.wait(|_| ()));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&Waker::from(gone.clone()))).is_pending());
        // Its connection is lost.
    }
    let mut waiting = pin!(senders.wait(|_| ()));
    let waker = Waker::from(free.clone());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let _answer = intake.submit(1).unwrap();
    assert_eq!((gone.count(), free.count()), (0, 1));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
}

#[test]
fn items_wake_different_connections() {
    let senders: Rc<Senders> = Rc::default();
    let intake = intake(10, LONG, &senders);
    let woken = [std::sync::Arc::new(Woken::default()), std::sync::Arc::new(Woken::default())];
    let mut waiting: Vec<_> = woken.iter().map(|_| Box::pin(senders.wait(|_| ()))).collect();
    for (waiting, woken) in waiting.iter_mut().zip(&woken) {
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&Waker::from(woken.clone()))).is_pending());
    }
    let _answers = [intake.submit(1).unwrap(), intake.submit(2).unwrap(), intake.submit(3).unwrap()];
    assert_eq!(woken.each_ref().map(|woken| woken.count()), [1, 1]);
    waiting.clear();
    assert!(senders.free.borrow().is_empty());
}
