//! What one request shard owns; wires the stages together. Nothing here is shared with another shard, but counters
//! that each shard alone writes and secrets that nobody writes.

use crate::{
    account::{PasswordPolicy, RoutingKey},
    batch::{Group, GroupBuilder, GroupConfig, Intake, Window},
    connection,
    hardening::{Fingerprint, Peppers, Random, RandomError},
    http::date::{DATE_BYTES, DateCache},
    limits::{
        ACCEPT_PAUSE, ACCEPTS_PER_TURN, COMPLAINT_INTERVAL, EXPIRY_INTERVAL, EXPIRY_STEP_PAUSE, INPUT_BYTES_FIRST,
        INPUT_STOCK_MAX, ONCE_QUEUE_MAX, OUTPUT_KEPT_BYTES_MAX,
    },
    postgres::statements::{
        expire_keys::ExpireKeys,
        register::{NewUser, Register, Registered},
        register_once::{self, RegisterOnce},
    },
    routes::{self, Table},
    telemetry::{Names, RateLimited, Recorder, Registry},
};
use shards::{Acceptor, Deadlines, Listener, Shard, Stop};
use std::{
    cell::{Cell, RefCell, RefMut},
    io,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

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
    /// The way to the database; shards make connections of their own.
    pub database: GroupConfig,
    /// How registrations are batched.
    pub registration: Window,
    /// Registrations of one shard that wait to be sent, at most.
    pub registration_queue_max: usize,
    /// What a password must look like.
    pub passwords: PasswordPolicy,
    /// Whether a server is accepted that may lose confirmed commits; shown by `/health`.
    pub allow_unsafe_durability: bool,
}

/// Secrets, read once at the start.
pub struct Secrets {
    /// What weak records are made with.
    pub peppers: Peppers,
    /// What buckets are made with.
    pub routing_key: RoutingKey,
}

/// A shard could not start.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum StartError {
    #[error("cannot serve a listening socket: {0}")]
    Listen(#[from] io::Error),
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// One shard's state; connections share it.
pub struct Server {
    config: Arc<Config>,
    secrets: Arc<Secrets>,
    registry: Arc<Registry>,
    metrics: Recorder,
    stop: Stop,
    deadlines: Deadlines,
    random: RefCell<Random>,
    date: RefCell<DateCache>,
    inputs: RefCell<Vec<Vec<u8>>>,
    output: Cell<Vec<u8>>,
    database: Group,
    registrations: Intake<NewUser, Registered>,
    registrations_once: Intake<register_once::Item, register_once::Outcome>,
    expiry: Intake<(), bool>,
}

/// Serves until the shard is told to stop and has drained. `listeners` say what is served on each; `on_ready` is called
/// once the database can be reached.
///
/// # Errors
/// [`StartError`] before the first request.
pub async fn run(
    shard: Shard,
    config: Arc<Config>,
    secrets: Arc<Secrets>,
    registry: Arc<Registry>,
    listeners: Vec<(Listener, &'static Table)>,
    on_ready: impl FnOnce() + 'static,
) -> Result<(), StartError> {
    let server = Rc::new(Server::new(&shard, config, secrets, registry)?);
    let mut accepting = Vec::new();
    for (listener, table) in listeners {
        accepting.push(shards::spawn(accept(server.clone(), listener.start()?, table)));
    }
    let database = server.database.clone();
    shards::spawn(async move {
        database.ready().await;
        on_ready();
    })
    .detach();
    let _expiry = (shard.index == 0).then(|| shards::spawn(expire_keys(server.expiry.clone())));
    for task in accepting {
        task.await;
    }
    server.deadlines.expire_idle();
    server.deadlines.drained().await;
    server.database.drain().await;
    Ok(())
}

/// Forgets idempotency keys whose time has come, for as long as the server runs. Several nodes may do so at once.
async fn expire_keys(expiry: Intake<(), bool>) {
    loop {
        shards::sleep(EXPIRY_INTERVAL).await;
        while let Ok(answer) = expiry.submit(()) {
            // What fails now is tried again after the interval.
            if answer.await != Ok(true) {
                break;
            }
            shards::sleep(EXPIRY_STEP_PAUSE).await;
        }
    }
}

/// Takes connections in until the shard is told to stop, then those that the kernel has completed already.
async fn accept(server: Rc<Server>, acceptor: Acceptor, table: &'static Table) {
    let complaints = RateLimited::new(COMPLAINT_INTERVAL);
    let mut in_a_row = 0;
    while !server.stop.requested() {
        let next = async { Some(acceptor.accept().await) };
        let stopped = async {
            server.stop.wait().await;
            None
        };
        match futures_lite::future::or(next, stopped).await {
            Some(Ok(stream)) => {
                admit(&server, stream, table);
                in_a_row += 1;
                if in_a_row == ACCEPTS_PER_TURN {
                    in_a_row = 0;
                    shards::yield_now().await;
                }
            }
            Some(Err(error)) => {
                if let Some(suppressed) = complaints.admit(Instant::now()) {
                    tracing::warn!(%error, suppressed, "cannot accept a connection");
                }
                // Out of descriptors or memory: both are given back only by connections that end.
                shards::sleep(ACCEPT_PAUSE).await;
            }
            None => break,
        }
    }
    // Not without a bound: clients may go on connecting as fast as this takes them.
    while server.deadlines.len() < server.config.connections_max
        && let Some(stream) = acceptor.accept_waiting()
    {
        admit(&server, stream, table);
    }
}

/// Admits a connection, or turns it away when the shard has as many as it may.
fn admit(server: &Rc<Server>, stream: shards::Stream, table: &'static Table) {
    if server.deadlines.len() >= server.config.connections_max {
        server.metrics.connections.refused.inc();
        shards::spawn(connection::turn_away(server.clone(), stream)).detach();
    } else {
        server.metrics.connections.accepted.inc();
        // Watched from here on, not from the task's first turn: it counts in the bound, and draining waits for it.
        let watch = server.deadlines.watch();
        shards::spawn(connection::serve(server.clone(), stream, watch, table)).detach();
    }
}

impl Server {
    fn new(
        shard: &Shard,
        config: Arc<Config>,
        secrets: Arc<Secrets>,
        registry: Arc<Registry>,
    ) -> Result<Server, StartError> {
        let metrics = registry.claim(shard.index);
        let mut group = GroupBuilder::new(config.database.clone(), metrics.clone());
        let registrations = group.statement::<Register>(config.registration, config.registration_queue_max);
        let registrations_once = group.statement::<RegisterOnce>(config.registration, ONCE_QUEUE_MAX);
        let expiry = group.statement::<ExpireKeys>(Window { length_max: 1, wait: Duration::ZERO }, 1);
        Ok(Server {
            database: group.start(),
            random: RefCell::new(Random::new()?),
            date: RefCell::new(DateCache::new(unix_seconds())),
            inputs: RefCell::default(),
            output: Cell::default(),
            deadlines: Deadlines::default(),
            config,
            secrets,
            registry,
            metrics,
            stop: shard.stop.clone(),
            registrations,
            registrations_once,
            expiry,
        })
    }

    pub(crate) fn connection_config(&self) -> &connection::Config {
        &self.config.connection
    }

    pub(crate) fn metrics(&self) -> &Recorder {
        &self.metrics
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }

    pub(crate) fn database(&self) -> &Group {
        &self.database
    }

    pub(crate) fn allows_unsafe_durability(&self) -> bool {
        self.config.allow_unsafe_durability
    }

    pub(crate) fn password_policy(&self) -> &PasswordPolicy {
        &self.config.passwords
    }

    pub(crate) fn peppers(&self) -> &Peppers {
        &self.secrets.peppers
    }

    pub(crate) fn routing_key(&self) -> &RoutingKey {
        &self.secrets.routing_key
    }

    pub(crate) fn random(&self) -> RefMut<'_, Random> {
        self.random.borrow_mut()
    }

    pub(crate) fn registrations(&self) -> &Intake<NewUser, Registered> {
        &self.registrations
    }

    pub(crate) fn registrations_once(&self) -> &Intake<register_once::Item, register_once::Outcome> {
        &self.registrations_once
    }

    pub(crate) fn fingerprints(&self, parts: &[&[u8]]) -> Vec<Fingerprint> {
        self.secrets.peppers.fingerprints(parts)
    }

    /// Now, as `Date` shows it.
    pub(crate) fn date(&self) -> [u8; DATE_BYTES] {
        *self.date.borrow_mut().get(unix_seconds())
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

    /// Gives such a buffer back.
    pub(crate) fn give_output_back(&self, buffer: Vec<u8>) {
        if buffer.capacity() <= OUTPUT_KEPT_BYTES_MAX {
            self.output.set(buffer);
        }
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
