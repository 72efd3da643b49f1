//! One statement of a group: its intake, and what is done with a batch of it on a connection.

use crate::{
    batch::{
        intake::{Intake, Queued, Unanswered},
        window::Decision,
    },
    limits::BATCH_ATTEMPTS_MAX,
    postgres::{
        link::{Link, LinkError, Lost, Sql},
        sqlstate::Class,
        statements::{BatchedStatement, Sent},
    },
    telemetry::{Batch, RateLimited, Recorder},
};
use futures_lite::future;
use std::{
    future::Future,
    pin::Pin,
    task::Context,
    time::{Duration, Instant},
};

/// Whether a connection goes on after a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    Reconnect,
}

/// A statement of any kind, as the connections of a group see it.
pub(super) trait Source {
    fn prepared(&self) -> &'static [&'static Sql];
    fn decide(&self, now: Instant) -> Decision;
    /// Has the current task woken when something comes into the empty queue.
    fn watch_expiry(&self, cx: &Context<'_>);
    /// Passes a wake-up on, as a connection does that cannot use it.
    fn wake_another(&self);
    /// Answers what has waited too long; says when to look again.
    fn expire(&self, now: Instant) -> Option<Instant>;
    fn is_empty(&self) -> bool;
    /// Sends the oldest `count` items, and answers them or puts them back.
    fn send<'a>(&'a self, link: &'a Link, count: usize) -> Pin<Box<dyn Future<Output = Fate> + 'a>>;
}

/// A statement and its intake.
pub(super) struct StatementSource<S: BatchedStatement> {
    pub(super) intake: Intake<S::Item, S::Outcome>,
    pub(super) metrics: Recorder,
    /// The longest that one statement may take.
    pub(super) statement_deadline: Duration,
    pub(super) complaints: RateLimited,
}

/// What to do with a batch that was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// To another connection; this one is of no more use. `uncertain`: it may have been done all the same.
    PutBack { uncertain: bool },
    /// In two halves, to find the item at fault.
    Split,
    /// Once more as it is.
    Again,
    /// Every item fails.
    Fail(Unanswered),
}

/// Decides about a batch of `length` items after its attempt number `attempt`, counted from 0.
fn judge(error: &LinkError, length: usize, attempt: u32) -> Action {
    let at_fault = if length > 1 { Action::Split } else { Action::Fail(Unanswered::Refused) };
    match error {
        LinkError::NotSent(Lost::Parameters(_)) => at_fault,
        LinkError::NotSent(_) => Action::PutBack { uncertain: false },
        LinkError::Unknown(_) => Action::PutBack { uncertain: true },
        LinkError::Refused(refusal) => match refusal.class() {
            Class::ItemAtFault => at_fault,
            Class::Retry if attempt + 1 < BATCH_ATTEMPTS_MAX => Action::Again,
            Class::ConnectionLost => Action::PutBack { uncertain: true },
            Class::ReadOnly | Class::NotPrepared => Action::PutBack { uncertain: false },
            Class::Retry | Class::Overloaded | Class::DiskFull | Class::Schema | Class::Other => {
                Action::Fail(Unanswered::Unavailable)
            }
        },
    }
}

impl<S: BatchedStatement> Source for StatementSource<S> {
    fn prepared(&self) -> &'static [&'static Sql] {
        S::PREPARED
    }

    fn decide(&self, now: Instant) -> Decision {
        self.intake.decide(now, 1)
    }

    fn watch_expiry(&self, cx: &Context<'_>) {
        self.intake.watch_expiry(cx);
    }

    fn wake_another(&self) {
        self.intake.wake_sender();
    }

    fn expire(&self, now: Instant) -> Option<Instant> {
        self.intake.expire(now)
    }

    fn is_empty(&self) -> bool {
        self.intake.queued() == 0
    }

    fn send<'a>(&'a self, link: &'a Link, count: usize) -> Pin<Box<dyn Future<Output = Fate> + 'a>> {
        let mut batch = Vec::with_capacity(count);
        self.intake.take(count, &mut batch);
        // Another connection may be free for what is left.
        self.intake.wake_sender();
        let execute = async move |sent: &[Sent<'_, S::Item>], deadline: Instant| S::execute(link, sent, deadline).await;
        Box::pin(self.work_off(batch, execute))
    }
}

type Items<S> = Vec<Queued<<S as BatchedStatement>::Item>>;
type Outcomes<S> = Vec<<S as BatchedStatement>::Outcome>;

impl<S: BatchedStatement> StatementSource<S> {
    fn counters(&self) -> &Batch {
        &self.metrics.batches[S::METRIC]
    }

    /// Has a batch done by `execute`, in as many attempts as it takes, and answers its items or puts them back.
    pub(super) async fn work_off(
        &self,
        batch: Items<S>,
        execute: impl AsyncFn(&[Sent<'_, S::Item>], Instant) -> Result<Outcomes<S>, LinkError>,
    ) -> Fate {
        let Some(oldest) = batch.first().map(|queued| queued.since) else { return Fate::Keep };
        self.counters().sent(batch.len(), micros(oldest.elapsed()));
        // What is left to try: halves of a batch with a poison item in it, mostly nothing but the batch itself.
        let mut open = vec![(batch, 0)];
        while let Some((batch, attempt)) = open.pop() {
            if batch.iter().all(|queued| queued.deadline <= Instant::now()) {
                // Nobody waits for these any more.
                self.fail_all(batch, Unanswered::Unavailable);
                continue;
            }
            let error = match self.attempt(&batch, &open, &execute).await {
                Ok(outcomes) => {
                    self.answer_all(&batch, outcomes);
                    continue;
                }
                Err(error) => error,
            };
            let missed = matches!(error, LinkError::Unknown(Lost::Deadline));
            self.metrics.database.deadline_misses.add(u64::from(missed));
            match judge(&error, batch.len(), attempt) {
                Action::PutBack { uncertain } => {
                    self.complain(&error);
                    return self.put_back(batch, open, uncertain);
                }
                Action::Split => {
                    let mut first = batch;
                    let second = first.split_off(first.len() / 2);
                    open.push((second, 0));
                    open.push((first, 0));
                }
                Action::Again => {
                    self.metrics.database.batches_retried.inc();
                    open.push((batch, attempt + 1));
                }
                Action::Fail(why) => {
                    self.complain(&error);
                    self.fail_all(batch, why);
                }
            }
        }
        Fate::Keep
    }

    /// One attempt at `batch`; the outcome of each item comes with its place. Whoever waits for an item of it, or of
    /// those that are still `open`, is told when its time is over.
    async fn attempt(
        &self,
        batch: &Items<S>,
        open: &[(Items<S>, u32)],
        execute: &impl AsyncFn(&[Sent<'_, S::Item>], Instant) -> Result<Outcomes<S>, LinkError>,
    ) -> Result<Vec<(usize, S::Outcome)>, LinkError> {
        let numbered = batch.iter().enumerate();
        let mut sent: Vec<_> =
            numbered.map(|(place, queued)| Sent { place, item: &queued.item, uncertain: queued.uncertain }).collect();
        // References are sorted, not items: those are large. Of two that want the same lock, the older comes first.
        sent.sort_unstable_by(|a, b| S::lock_order(a.item, b.item).then(a.place.cmp(&b.place)));
        let started = Instant::now();
        let deadline = started + self.statement_deadline;
        let waiting = || batch.iter().chain(open.iter().flat_map(|(batch, _)| batch));
        // Mostly the statement's own time is over first.
        let outcomes = if waiting().all(|queued| queued.deadline > deadline) {
            execute(&sent, deadline).await?
        } else {
            future::or(execute(&sent, deadline), self.tell_the_late(waiting)).await?
        };
        self.counters().committed(micros(started.elapsed()));
        assert_eq!(sent.len(), outcomes.len(), "a batched statement has one outcome for each item");
        Ok(sent.iter().map(|sent| sent.place).zip(outcomes).collect())
    }

    /// Tells each waiter when its time is over; never ends.
    async fn tell_the_late<'q, T, Q>(&self, waiting: impl Fn() -> Q) -> T
    where
        Q: Iterator<Item = &'q Queued<S::Item>>,
    {
        loop {
            let now = Instant::now();
            waiting().filter(|queued| queued.deadline <= now).for_each(|late| self.intake.give_up_waiting(late.waiter));
            match waiting().map(|queued| queued.deadline).filter(|deadline| *deadline > now).min() {
                Some(next) => shards::sleep(next - now).await,
                None => future::pending().await,
            }
        }
    }

    fn answer_all(&self, batch: &[Queued<S::Item>], outcomes: Vec<(usize, S::Outcome)>) {
        let resolved = batch.iter().filter(|queued| queued.uncertain).count();
        self.metrics.database.unknown_resolved.add(resolved as u64);
        for (place, outcome) in outcomes {
            self.counters().outcome(S::outcome_metric(&outcome), 1);
            self.intake.answer(batch[place].waiter, Ok(outcome));
        }
    }

    fn fail_all(&self, batch: Items<S>, why: Unanswered) {
        for queued in batch {
            // What an earlier attempt may have done is not undone by this one's failure.
            let why = if queued.uncertain { Unanswered::Unknown } else { why };
            self.intake.answer(queued.waiter, Err(why));
        }
    }

    fn complain(&self, error: &LinkError) {
        if let Some(suppressed) = self.complaints.admit(Instant::now()) {
            tracing::error!(statement = S::NAME, %error, suppressed, "a batch failed");
        }
    }

    /// Puts everything back for another connection: `batch` was on its way, `open` never left.
    fn put_back(&self, mut batch: Items<S>, open: Vec<(Items<S>, u32)>, uncertain: bool) -> Fate {
        for queued in &mut batch {
            queued.uncertain |= uncertain;
        }
        batch.extend(open.into_iter().flat_map(|(batch, _)| batch));
        self.intake.put_back(batch);
        self.intake.expire(Instant::now());
        Fate::Reconnect
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests;
