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
        Box::pin(self.send_batch(link, batch))
    }
}

impl<S: BatchedStatement> StatementSource<S> {
    fn counters(&self) -> &Batch {
        &self.metrics.batches[S::METRIC]
    }

    async fn send_batch(&self, link: &Link, batch: Vec<Queued<S::Item>>) -> Fate {
        let Some(oldest) = batch.first().map(|queued| queued.since) else { return Fate::Keep };
        let waited = oldest.elapsed();
        self.counters().sent(batch.len(), micros(waited));
        // What is left to try: halves of a batch with a poison item in it, mostly nothing but the batch itself.
        let mut open = vec![(batch, 0)];
        while let Some((batch, attempts)) = open.pop() {
            match self.execute(link, &batch).await {
                Ok(outcomes) => self.answer_all(&batch, outcomes),
                Err(LinkError::NotSent(_)) => return self.put_back(batch, open, false),
                Err(LinkError::Unknown(why)) => {
                    self.metrics.database.deadline_misses.add(u64::from(matches!(why, Lost::Deadline)));
                    return self.put_back(batch, open, true);
                }
                Err(LinkError::Refused(refusal)) => match refusal.class() {
                    Class::ItemAtFault if batch.len() == 1 => {
                        tracing::error!(statement = S::NAME, %refusal, "the database refused an item");
                        self.fail_all(batch, Unanswered::Refused);
                    }
                    Class::ItemAtFault => {
                        let mut batch = batch;
                        let second = batch.split_off(batch.len() / 2);
                        open.push((second, 0));
                        open.push((batch, 0));
                    }
                    Class::Retry if attempts + 1 < BATCH_ATTEMPTS_MAX => {
                        self.metrics.database.batches_retried.inc();
                        open.push((batch, attempts + 1));
                    }
                    Class::ConnectionLost => return self.put_back(batch, open, true),
                    Class::ReadOnly | Class::NotPrepared => return self.put_back(batch, open, false),
                    Class::Retry | Class::Overloaded | Class::DiskFull | Class::Schema | Class::Other => {
                        if let Some(suppressed) = self.complaints.admit(Instant::now()) {
                            tracing::error!(statement = S::NAME, %refusal, suppressed, "the database cannot serve");
                        }
                        self.fail_all(batch, Unanswered::Unavailable);
                    }
                },
            }
        }
        Fate::Keep
    }

    /// The outcome of each item, by its place in `batch`.
    async fn execute(&self, link: &Link, batch: &[Queued<S::Item>]) -> Result<Vec<(usize, S::Outcome)>, LinkError> {
        let numbered = batch.iter().enumerate();
        let mut sent: Vec<_> =
            numbered.map(|(place, queued)| Sent { place, item: &queued.item, uncertain: queued.uncertain }).collect();
        // References are sorted, not items: those are large. Of two that want the same lock, the older comes first.
        sent.sort_unstable_by(|a, b| S::lock_order(a.item, b.item).then(a.place.cmp(&b.place)));
        let started = Instant::now();
        let outcomes = S::execute(link, &sent, started + self.statement_deadline).await?;
        self.counters().committed(micros(started.elapsed()));
        assert_eq!(sent.len(), outcomes.len(), "a batched statement has one outcome for each item");
        Ok(sent.iter().map(|sent| sent.place).zip(outcomes).collect())
    }

    fn answer_all(&self, batch: &[Queued<S::Item>], outcomes: Vec<(usize, S::Outcome)>) {
        self.metrics.database.unknown_resolved.add(u64::from(batch.iter().any(|queued| queued.uncertain)));
        for (place, outcome) in outcomes {
            self.counters().outcome(S::outcome_metric(&outcome), 1);
            self.intake.answer(batch[place].waiter, Ok(outcome));
        }
    }

    fn fail_all(&self, batch: Vec<Queued<S::Item>>, why: Unanswered) {
        for queued in batch {
            // What an earlier attempt may have done is not undone by this one's failure.
            let why = if queued.uncertain { Unanswered::Unknown } else { why };
            self.intake.answer(queued.waiter, Err(why));
        }
    }

    /// Puts everything back for another connection: `batch` was on its way, `open` never left.
    fn put_back(
        &self,
        mut batch: Vec<Queued<S::Item>>,
        open: Vec<(Vec<Queued<S::Item>>, u32)>,
        uncertain: bool,
    ) -> Fate {
        for queued in &mut batch {
            queued.uncertain |= uncertain;
        }
        batch.extend(open.into_iter().flat_map(|(batch, _)| batch));
        batch.sort_unstable_by_key(|queued| queued.since);
        self.intake.put_back(batch);
        self.expire(Instant::now());
        Fate::Reconnect
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
