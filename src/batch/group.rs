//! The database connections of one shard that serve the same statements. Each connection sends the oldest batch as
//! soon as it is free, so batches grow just while all of them are busy. A connection that dies is made again, and
//! what it had under way is looked up before anybody is answered.
//!
//! Invariant: a batch is in one place only: in its intake, or with the one connection that has taken it.

use crate::{
    batch::{
        backoff::{Backoff, Ended},
        intake::{Intake, Limits, Senders},
        source::{Fate, Source, StatementSource},
        window::{Decision, Window},
    },
    limits::{COMPLAINT_INTERVAL, RECONNECT_PAUSE_FIRST, RECONNECT_PAUSE_MAX, STATEMENT_DEADLINE_PERCENT},
    postgres::{
        connect::{ConnectError, ConnectOptions, connect},
        link::{Link, Sql},
        statements::BatchedStatement,
        target::Target,
    },
    telemetry::{ConnectionGroup, RateLimited, Recorder},
};
use futures_lite::future;
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// How a group connects and how long its callers wait.
#[derive(Clone)]
pub struct GroupConfig {
    /// Where the database is.
    pub target: Arc<Target>,
    /// How to connect.
    pub connect: ConnectOptions,
    /// Connections kept open.
    pub connections: usize,
    /// Within this time each item is answered, one way or the other.
    pub answer_within: Duration,
}

/// What a group can say of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupState {
    /// Connections that are up.
    pub up: usize,
    /// Connections that there should be.
    pub wanted: usize,
    /// Why the last attempt to connect failed, while none is up.
    pub failure: Option<ConnectError>,
}

/// Collects the statements of a group before it starts.
pub struct GroupBuilder {
    config: GroupConfig,
    group: ConnectionGroup,
    metrics: Recorder,
    senders: Rc<Senders>,
    sources: Vec<Rc<dyn Source>>,
}

/// Connections that serve; clones share them.
#[derive(Clone)]
pub struct Group(Rc<Inner>);

struct Inner {
    config: GroupConfig,
    group: ConnectionGroup,
    metrics: Recorder,
    senders: Rc<Senders>,
    sources: Vec<Rc<dyn Source>>,
    prepared: Vec<&'static Sql>,
    up: Cell<usize>,
    running: Cell<usize>,
    draining: Cell<bool>,
    failure: RefCell<Option<ConnectError>>,
    complaints: RateLimited,
    /// Tasks that wait for `up`, `running` or `draining` to change.
    watchers: RefCell<Vec<Waker>>,
}

impl GroupBuilder {
    /// A group without statements, counted as the one that writes.
    pub fn new(config: GroupConfig, metrics: Recorder) -> GroupBuilder {
        GroupBuilder::of(ConnectionGroup::Write, config, metrics)
    }

    /// A group without statements, counted as the one that only reads.
    pub fn for_reads(config: GroupConfig, metrics: Recorder) -> GroupBuilder {
        GroupBuilder::of(ConnectionGroup::Read, config, metrics)
    }

    fn of(group: ConnectionGroup, config: GroupConfig, metrics: Recorder) -> GroupBuilder {
        GroupBuilder { config, group, metrics, senders: Rc::default(), sources: Vec::new() }
    }

    /// Adds a statement with its own queue.
    pub fn statement<S: BatchedStatement>(&mut self, window: Window, capacity: usize) -> Intake<S::Item, S::Outcome> {
        let limits = Limits { window, capacity, answer_within: self.config.answer_within };
        let intake = Intake::new(limits, self.senders.clone(), self.metrics.clone(), S::METRIC);
        self.sources.push(Rc::new(StatementSource::<S> {
            intake: intake.clone(),
            metrics: self.metrics.clone(),
            statement_deadline: self.config.answer_within * STATEMENT_DEADLINE_PERCENT / 100,
            complaints: RateLimited::new(COMPLAINT_INTERVAL),
        }));
        intake
    }

    /// Starts connecting; see [`Group::ready`].
    pub fn start(self) -> Group {
        let GroupBuilder { config, group, metrics, senders, sources } = self;
        metrics.database.unsafe_durability.set(u64::from(config.connect.allow_unsafe_durability));
        let prepared = sources.iter().flat_map(|source| source.prepared()).copied().collect();
        let started = Group(Rc::new(Inner {
            running: Cell::new(config.connections),
            config,
            group,
            metrics,
            senders,
            sources,
            prepared,
            up: Cell::new(0),
            draining: Cell::new(false),
            failure: RefCell::default(),
            complaints: RateLimited::new(COMPLAINT_INTERVAL),
            watchers: RefCell::default(),
        }));
        for _ in 0..started.0.config.connections {
            shards::spawn(started.0.clone().keep_connection()).detach();
        }
        for source in &started.0.sources {
            shards::spawn(started.0.clone().answer_what_waits_too_long(source.clone())).detach();
        }
        started
    }
}

impl Group {
    /// How the connections are.
    pub fn state(&self) -> GroupState {
        let Inner { up, config, failure, .. } = &*self.0;
        GroupState { up: up.get(), wanted: config.connections, failure: failure.borrow().clone() }
    }

    /// Resolves once a connection is up.
    pub async fn ready(&self) {
        self.0.until(|inner| inner.up.get() > 0).await;
    }

    /// Sends what is queued, then closes every connection. Nothing may be submitted any more.
    pub async fn drain(&self) {
        self.0.draining.set(true);
        self.0.changed();
        self.0.until(|inner| inner.running.get() == 0).await;
    }
}

impl Inner {
    async fn keep_connection(self: Rc<Self>) {
        let mut backoff = Backoff::new(RECONNECT_PAUSE_FIRST, RECONNECT_PAUSE_MAX);
        let mut connected_before = false;
        while !self.drained() {
            let ended;
            match future::or(async { Some(self.open().await) }, self.when_drained()).await {
                Some(Ok(link)) => {
                    self.metrics.database.reconnects.add(u64::from(connected_before));
                    connected_before = true;
                    let connected = Instant::now();
                    self.set_up(self.up.get() + 1);
                    self.failure.replace(None);
                    let has_served = self.serve(&link).await;
                    self.set_up(self.up.get() - 1);
                    // What woke this connection may be left undone.
                    self.sources.iter().for_each(|source| source.wake_another());
                    ended = Ended::Lost { has_served, was_up: connected.elapsed() };
                }
                Some(Err(error)) => {
                    self.metrics.database.connect_failures.inc();
                    self.complain(error);
                    ended = Ended::NeverUp;
                }
                None => break,
            }
            if let Some(pause) = backoff.pause_after(ended, getrandom::u32().unwrap_or(u32::MAX)) {
                let _ = shards::timeout(pause, self.when_drained::<()>()).await;
            }
        }
        self.running.set(self.running.get() - 1);
        self.changed();
    }

    async fn open(&self) -> Result<Link, ConnectError> {
        let link = connect(&self.config.target, &self.config.connect).await?;
        link.prepare_all(&self.prepared, Instant::now() + self.config.connect.connect_timeout).await?;
        Ok(link)
    }

    /// Sends batch after batch until the connection fails or all is drained; whether any came through.
    async fn serve(&self, link: &Link) -> bool {
        let mut first = 0;
        let mut has_served = false;
        while !link.is_closed() {
            let next = future::or(self.next_batch(first), async {
                link.closed().await;
                None
            });
            let Some((at, count)) = next.await else { break };
            // The statement after this one comes first next time, so that none starves.
            first = (at + 1) % self.sources.len();
            let fate = self.sources[at].send(link, count).await;
            self.tell_if_drained();
            if fate == Fate::Reconnect {
                break;
            }
            has_served = true;
        }
        has_served
    }

    /// The statement to send next and how many of its items; `None` once all is drained.
    async fn next_batch(&self, first: usize) -> Option<(usize, usize)> {
        loop {
            let now = Instant::now();
            let mut wait_until: Option<Instant> = None;
            for at in (first..self.sources.len()).chain(0..first) {
                match self.sources[at].decide(now) {
                    Decision::Send(count) => return Some((at, count)),
                    Decision::WaitUntil(due) => wait_until = Some(wait_until.map_or(due, |other| other.min(due))),
                    Decision::Wait => {}
                }
            }
            if self.drained() {
                return None;
            }
            let more = self.senders.wait(|cx| self.watch(cx));
            match wait_until {
                Some(due) => future::or(shards::sleep(due - now), more).await,
                None => more.await,
            }
        }
    }

    /// Serves the deadlines of one queue; sleeps without a timer while the queue is empty.
    async fn answer_what_waits_too_long(self: Rc<Self>, source: Rc<dyn Source>) {
        loop {
            let next = source.expire(Instant::now());
            self.tell_if_drained();
            let mut watching = false;
            let earlier = poll_fn(|cx| {
                if std::mem::replace(&mut watching, true) {
                    return Poll::Ready(());
                }
                source.watch_expiry(cx);
                Poll::Pending
            });
            match next {
                Some(next) => {
                    future::or(shards::sleep(next.saturating_duration_since(Instant::now())), earlier).await;
                }
                None => earlier.await,
            }
        }
    }

    async fn when_drained<T>(&self) -> Option<T> {
        self.until(Inner::drained).await;
        None
    }

    fn tell_if_drained(&self) {
        if self.drained() {
            self.changed();
        }
    }

    fn drained(&self) -> bool {
        self.draining.get() && self.sources.iter().all(|source| source.is_empty())
    }

    fn set_up(&self, up: usize) {
        self.up.set(up);
        self.metrics.database.connections(self.group).set(up as u64);
        self.changed();
    }

    fn complain(&self, error: ConnectError) {
        if let Some(suppressed) = self.complaints.admit(Instant::now()) {
            tracing::error!(%error, suppressed, "cannot connect to the database");
        }
        self.failure.replace(Some(error));
    }

    fn watch(&self, cx: &Context<'_>) {
        let mut watchers = self.watchers.borrow_mut();
        if !watchers.iter().any(|waker| waker.will_wake(cx.waker())) {
            watchers.push(cx.waker().clone());
        }
    }

    fn changed(&self) {
        self.watchers.take().into_iter().for_each(Waker::wake);
    }

    async fn until(&self, reached: impl Fn(&Inner) -> bool) {
        poll_fn(|cx| {
            if reached(self) {
                return Poll::Ready(());
            }
            self.watch(cx);
            Poll::Pending
        })
        .await;
    }
}
