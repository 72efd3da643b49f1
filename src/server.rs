//! What one request shard owns; wires the stages together. Nothing here is shared with another shard, but counters
//! that each shard alone writes and secrets that nobody writes.

mod accept;
mod hardener;
mod statements;
mod upkeep;

use crate::{
    account::{PasswordPolicy, RoutingKey},
    batch::{GroupConfig, Window},
    clock, connection,
    hardening::{
        AttachError, BacklogConfig, BacklogGauge, BacklogWorker, CoresHandle, PasswordCore, Peppers, Random,
        RandomError,
    },
    http::date::{DATE_BYTES, DateCache},
    limits::{BACKLOG_WORKERS, INPUT_BYTES_FIRST, INPUT_STOCK_MAX, OUTPUT_KEPT_BYTES_MAX},
    rate_limit::{ConnectionLimit, RateLimiter},
    routes::{self, Front},
    telemetry::{Names, Recorder, Registry, SecurityEvent, SecurityLog, Tracer, Traces},
    tls,
    tokens::{AccessTokens, RefreshTokens},
};
use hardener::Hardener;
use shards::{Deadlines, Listener, Shard, Stop};
use statements::Statements;
use std::{
    cell::{Cell, RefCell, RefMut},
    io,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use zeroize::Zeroize;

/// What is counted by number, by name.
pub const NAMES: Names = Names {
    routes: routes::NAMES,
    statements: crate::postgres::statements::NAMES,
    parse_errors: connection::PARSE_ERRORS,
};

const _: () = NAMES.assert_fit();

/// What every shard is started with.
pub struct Config {
    /// How connections of clients are treated.
    pub connection: connection::Config,
    /// Clients of one shard at most.
    pub connections_max: usize,
    /// The way to the database for what writes; shards make connections of their own.
    pub write: GroupConfig,
    /// The way to the database for what only reads.
    pub read: GroupConfig,
    /// How registrations are batched.
    pub registration: Window,
    /// Registrations of one shard that wait to be sent, at most.
    pub registration_queue_max: usize,
    /// What a password must look like.
    pub passwords: PasswordPolicy,
    /// Who may log in, and for how long.
    pub policy: Policy,
    /// Whether what is stored weak is hardened here.
    pub hardens: bool,
    /// Whether a server is accepted that may lose confirmed commits; shown by `/health`.
    pub allow_unsafe_durability: bool,
}

/// Who may log in, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Whether users that have confirmed nothing yet may.
    pub pending_may_log_in: bool,
    /// When sessions end.
    pub sessions: SessionLimits,
    /// How long a refresh token that was replaced is answered with its successor.
    pub refresh_grace: Duration,
}

/// When sessions end.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// From the last refresh.
    pub idle: Duration,
    /// From the login.
    pub absolute: Duration,
    /// With more sessions than this of one user, the oldest ends.
    pub per_user_max: u32,
}

/// What all shards of the process share: secrets that nobody writes, and the count of attempts, which takes no lock.
pub struct Process {
    /// What weak records are made with.
    pub peppers: Peppers,
    /// What buckets are made with.
    pub routing_key: RoutingKey,
    /// What access tokens are made with.
    pub access_tokens: AccessTokens,
    /// What refresh tokens are made with.
    pub refresh_tokens: RefreshTokens,
    /// Who has tried how often.
    pub rate_limiter: RateLimiter,
    /// Who has how many connections; none when that has no bound.
    pub connection_limit: Option<ConnectionLimit>,
    /// The certificate that clients are shown; none where they do not speak TLS.
    pub tls: Option<Arc<tls::Certificates>>,
    /// When the process began: the one clock of the rate limits.
    pub started: Instant,
    /// Counts of all shards.
    pub registry: Arc<Registry>,
    /// Where recorded requests go; none when none are.
    pub traces: Option<Traces>,
}

/// A shard could not start.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum StartError {
    #[error("cannot serve a listening socket: {0}")]
    Listen(io::Error),
    #[error(transparent)]
    PasswordCores(#[from] AttachError),
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// One shard's state; connections share it.
pub struct Server {
    config: Arc<Config>,
    process: Arc<Process>,
    metrics: Recorder,
    stop: Stop,
    deadlines: Deadlines,
    random: RefCell<Random>,
    date: RefCell<DateCache>,
    inputs: RefCell<Vec<Vec<u8>>>,
    output: Cell<Vec<u8>>,
    statements: Statements,
    password_core: Rc<PasswordCore>,
    hardener: Hardener,
    security: SecurityLog,
    tracer: Tracer,
    complaints: connection::Complaints,
    tls: Option<tls::View>,
}

/// What a shard is started with of its own.
pub struct Own {
    /// Its sockets, and who is served on each.
    pub listeners: Vec<(Listener, Front)>,
    /// The way to the password cores near it.
    pub password_cores: CoresHandle,
    /// How it works off the durable queue, if that is its task, and where it tells how much there is.
    pub backlog: Option<(BacklogConfig, BacklogGauge)>,
}

/// Serves until the shard is told to stop and has drained; `on_ready` is called once the database can be reached.
///
/// # Errors
/// [`StartError`] before the first request.
pub async fn run(
    shard: Shard,
    config: Arc<Config>,
    process: Arc<Process>,
    own: Own,
    on_ready: impl FnOnce() + 'static,
) -> Result<(), StartError> {
    let server = Rc::new(Server::new(&shard, config, process, &own.password_cores)?);
    let mut accepting = Vec::new();
    for (listener, front) in own.listeners {
        let acceptor = listener.start().map_err(StartError::Listen)?;
        accepting.push(shards::spawn(accept::accept(server.clone(), acceptor, front)));
    }
    let reached = server.clone();
    shards::spawn(async move {
        reached.statements.reached().await;
        on_ready();
    })
    .detach();
    let _upkeep = (shard.index == 0).then(|| {
        let statements = &server.statements;
        [
            shards::spawn(upkeep::expire_keys(statements.expire_keys.clone())),
            shards::spawn(upkeep::expire_sessions(statements.expire_sessions.clone())),
        ]
    });
    let backlog = own.backlog.map(|(config, gauge)| work_off(&server, &config, &gauge));
    for task in accepting {
        task.await;
    }
    server.stop.wait().await;
    // A claim under way ends with its connection, and what it held is free again.
    drop(backlog);
    server.deadlines.expire_idle();
    server.deadlines.drained().await;
    server.statements.drain().await;
    Ok(())
}

/// Works off the durable queue until the tasks are dropped: one worker claims while another's claim is hashed.
fn work_off(server: &Server, config: &BacklogConfig, gauge: &BacklogGauge) -> Vec<shards::Task<()>> {
    let worker = |number| {
        let gauge = (number == 0).then(|| gauge.clone());
        shards::spawn(BacklogWorker::new(config.clone(), server.password_core.clone(), gauge).run())
    };
    (0..BACKLOG_WORKERS).map(worker).collect()
}

impl Server {
    fn new(
        shard: &Shard,
        config: Arc<Config>,
        process: Arc<Process>,
        password_cores: &CoresHandle,
    ) -> Result<Server, StartError> {
        let metrics = process.registry.claim(shard.index);
        let statements = Statements::start(&config, &metrics);
        let password_core = Rc::new(password_cores.attach()?);
        let hardener = Hardener::new(password_core.clone(), statements.harden.clone(), config.hardens);
        let view = process.tls.as_ref().map(tls::Certificates::view);
        let mut random = Random::new()?;
        let tracer = Tracer::new(process.traces.as_ref(), random.bytes()?);
        Ok(Server {
            random: RefCell::new(random),
            date: RefCell::new(DateCache::new(clock::unix_ms() / 1000)),
            inputs: RefCell::default(),
            output: Cell::default(),
            deadlines: Deadlines::default(),
            stop: shard.stop.clone(),
            config,
            process,
            metrics,
            statements,
            password_core,
            hardener,
            security: SecurityLog::default(),
            tracer,
            complaints: connection::Complaints::default(),
            tls: view,
        })
    }

    pub(crate) fn connection_config(&self) -> &connection::Config {
        &self.config.connection
    }

    pub(crate) fn metrics(&self) -> &Recorder {
        &self.metrics
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.process.registry
    }

    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }

    pub(crate) fn statements(&self) -> &Statements {
        &self.statements
    }

    pub(crate) fn allows_unsafe_durability(&self) -> bool {
        self.config.allow_unsafe_durability
    }

    pub(crate) fn password_policy(&self) -> &PasswordPolicy {
        &self.config.passwords
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.config.policy
    }

    pub(crate) fn peppers(&self) -> &Peppers {
        &self.process.peppers
    }

    pub(crate) fn routing_key(&self) -> &RoutingKey {
        &self.process.routing_key
    }

    pub(crate) fn access_tokens(&self) -> &AccessTokens {
        &self.process.access_tokens
    }

    pub(crate) fn refresh_tokens(&self) -> &RefreshTokens {
        &self.process.refresh_tokens
    }

    /// The time of day, in milliseconds since 1970.
    pub(crate) fn unix_ms(&self) -> u64 {
        clock::unix_ms()
    }

    /// The time of day as tokens have it, in seconds since 1970.
    pub(crate) fn unix_seconds(&self) -> i64 {
        (clock::unix_ms() / 1000).cast_signed()
    }

    /// Milliseconds since the process began, by a clock that all shards share and nobody sets.
    pub(crate) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.process.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn rate_limiter(&self) -> &RateLimiter {
        &self.process.rate_limiter
    }

    pub(crate) fn connection_limit(&self) -> Option<&ConnectionLimit> {
        self.process.connection_limit.as_ref()
    }

    /// What sessions of those who come by this way are made of; none where they do not speak TLS.
    pub(crate) fn tls(&self, front: Front) -> Option<&tls::View> {
        self.tls.as_ref().filter(|_| front == Front::Public)
    }

    pub(crate) fn complaints(&self) -> &connection::Complaints {
        &self.complaints
    }

    /// Whether the shard has less than half of the connections that it may: those who are to go need not hurry.
    pub(crate) fn has_room(&self) -> bool {
        self.deadlines.len() < self.config.connections_max / 2
    }

    /// Notes a security event, in the log and among the metrics.
    pub(crate) fn record(&self, event: &SecurityEvent<'_>) {
        self.security.record(event, &self.metrics.security, Instant::now());
    }

    pub(crate) fn tracer(&self) -> &Tracer {
        &self.tracer
    }

    pub(crate) fn password_core(&self) -> &PasswordCore {
        &self.password_core
    }

    pub(crate) fn hardener(&self) -> &Hardener {
        &self.hardener
    }

    pub(crate) fn random(&self) -> RefMut<'_, Random> {
        self.random.borrow_mut()
    }

    /// Now, as `Date` shows it.
    pub(crate) fn date(&self) -> [u8; DATE_BYTES] {
        *self.date.borrow_mut().get(clock::unix_ms() / 1000)
    }

    /// A buffer to read into, from the shard's stock.
    pub(crate) fn take_input(&self) -> Vec<u8> {
        self.inputs.borrow_mut().pop().unwrap_or_else(|| vec![0; INPUT_BYTES_FIRST])
    }

    /// Gives such a buffer back for other connections; what was secret in it has been wiped.
    pub(crate) fn give_input_back(&self, buffer: Vec<u8>) {
        let mut stock = self.inputs.borrow_mut();
        // One that has grown is freed: one large request must not hold its memory for ever.
        if stock.len() < INPUT_STOCK_MAX && buffer.len() == INPUT_BYTES_FIRST {
            stock.push(buffer);
        }
    }

    /// An empty buffer to write a reply into. Nearly always the same one: replies are mostly sent at once.
    pub(crate) fn take_output(&self) -> Vec<u8> {
        let mut output = self.output.take();
        output.clear();
        output
    }

    /// Gives such a buffer back, and leaves no token in it.
    pub(crate) fn give_output_back(&self, mut buffer: Vec<u8>) {
        buffer.as_mut_slice().zeroize();
        if buffer.capacity() <= OUTPUT_KEPT_BYTES_MAX {
            self.output.set(buffer);
        }
    }
}
