//! The limit: the server's own statement with the server's own encoding, sent over and over without HTTP. What is sent
//! is made beforehand, so that a client costs little of the cores it shares with PostgreSQL.

use crate::{
    results::LimitSample,
    support::{
        Outcome,
        client::{self, Console},
        cluster::Cluster,
        interrupt, procfs,
        users::{Users, sent},
    },
};
use hdrhistogram::Histogram;
use jeday::postgres::statements::register::{self, NewUser};
use std::{
    path::Path,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio_postgres::{Client, Statement, types::ToSql};

/// More than PostgreSQL can do on any machine so far, so that time ends a run; but a run that uses up its users ends
/// just as well. The second bound is on memory: these take about half a GiB.
const USERS_PER_S_MAX: u64 = 250_000;
const STATEMENTS_PER_S_MAX: u64 = 30_000;
const USERS_MAX: u64 = 1_000_000;

/// A limit is steadier than a load over HTTP and needs less time.
const SECONDS_MAX: u64 = 3;

/// What one connection has done.
struct Share {
    /// Open until everything is counted: the CPU time of a process is hard to find while it ends.
    _connection: (tokio::runtime::Runtime, Client),
    users: u64,
    elapsed: Duration,
    round_trips_us: Histogram<u64>,
}

/// Measures batches of `batch_users` from `connections` connections into empty tables.
pub(crate) fn measure(
    cluster: &Cluster,
    console: &Console,
    connections: usize,
    batch_users: usize,
    seconds: u64,
) -> Outcome<LimitSample> {
    interrupt::check()?;
    console.start_afresh()?;
    let seconds = seconds.min(SECONDS_MAX);
    let users = (seconds * USERS_PER_S_MAX.min(STATEMENTS_PER_S_MAX * batch_users as u64)).min(USERS_MAX);
    let batches = (users as usize / connections).div_ceil(batch_users);
    // All clients and this thread: first to have everything prepared, then to start.
    let (prepared, started) = (Barrier::new(connections + 1), Barrier::new(connections + 1));
    let over = AtomicBool::new(false);
    let mut before = None;
    let shares = thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|number| {
                let (prepared, started, over) = (&prepared, &started, &over);
                scope.spawn(move || {
                    let ready = Ready::new(cluster.socket_directory(), number, batches, batch_users);
                    prepared.wait();
                    started.wait();
                    ready?.run(Duration::from_secs(seconds), over)
                })
            })
            .collect();
        prepared.wait();
        before = Some(Before::now(cluster, console));
        started.wait();
        clients.into_iter().map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".into()))).collect()
    });
    let shares: Vec<Share> = Result::from_iter::<Vec<Outcome<Share>>>(shares)?;
    let before = before.expect("it is set before the clients start")?;
    let used = before.until_now(cluster, console)?;
    interrupt::check()?;
    let users: u64 = shares.iter().map(|share| share.users).sum();
    let stored = console.number("SELECT count(*) FROM users")?;
    if stored != users {
        return Err(format!("{users} users were sent to PostgreSQL, which has stored {stored}").into());
    }
    let mut round_trips_us = Histogram::new(3)?;
    for share in &shares {
        round_trips_us.add(&share.round_trips_us)?;
    }
    let per_user = |figure: u64| figure as f64 / users as f64;
    let others_ns = used.machine_ns.saturating_sub(used.postgresql_ns + used.client_ns);
    Ok(LimitSample {
        connections,
        batch_users,
        users,
        users_per_s: shares.iter().map(|share| share.users as f64 / share.elapsed.as_secs_f64()).sum(),
        p50_us: round_trips_us.value_at_quantile(0.5),
        p99_us: round_trips_us.value_at_quantile(0.99),
        postgresql_us: per_user(used.postgresql_ns) / 1000.0,
        client_us: per_user(used.client_ns) / 1000.0,
        wal_bytes_per_user: per_user(used.wal_bytes),
        others_cpu_share: others_ns as f64 / used.machine_ns.max(1) as f64,
    })
}

/// Counters at one time, or between two.
struct Before {
    machine_ns: u64,
    postgresql_ns: u64,
    client_ns: u64,
    wal_bytes: u64,
}

impl Before {
    fn now(cluster: &Cluster, console: &Console) -> Outcome<Before> {
        let wal_bytes = console.wal_bytes()?;
        let postgresql_ns = procfs::cpu_ns_with_children(cluster.postmaster())?;
        let client_ns = procfs::cpu_ns(std::process::id())?;
        Ok(Before { machine_ns: procfs::machine_cpu_ns()?, postgresql_ns, client_ns, wal_bytes })
    }

    fn until_now(&self, cluster: &Cluster, console: &Console) -> Outcome<Before> {
        let now = Before::now(cluster, console)?;
        Ok(Before {
            machine_ns: now.machine_ns.saturating_sub(self.machine_ns),
            postgresql_ns: now.postgresql_ns.saturating_sub(self.postgresql_ns),
            client_ns: now.client_ns.saturating_sub(self.client_ns),
            wal_bytes: now.wal_bytes.saturating_sub(self.wal_bytes),
        })
    }
}

/// A client with all that it needs.
struct Ready {
    runtime: tokio::runtime::Runtime,
    client: Client,
    statement: Statement,
    batches: Vec<Vec<NewUser>>,
}

impl Ready {
    fn new(sockets: &Path, number: usize, batches: usize, batch_users: usize) -> Outcome<Ready> {
        let batches = Users::new(&format!("c{number}"))?.batches(batches, batch_users)?;
        let runtime = client::runtime()?;
        let sql = register::statement();
        let (client, statement) = runtime.block_on(async {
            let client = client::connect(sockets, client::DATABASE).await?;
            let statement = client.prepare_typed(sql.text, sql.types).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((client, statement))
        })?;
        Ok(Ready { runtime, client, statement, batches })
    }

    /// Sends batch after batch, until time is over, or its users are, or another client's.
    fn run(self, length: Duration, over: &AtomicBool) -> Outcome<Share> {
        let Ready { runtime, client, statement, batches } = self;
        let (mut users, mut so_far, mut round_trips_us) = (0, Duration::ZERO, Histogram::new(3)?);
        let start = Instant::now();
        let outcome = runtime.block_on(async {
            for batch in &batches {
                if so_far >= length || over.load(Ordering::Relaxed) || interrupt::requested() {
                    break;
                }
                let sent = sent(batch);
                let columns = register::parameters(&sent);
                let parameters: [&(dyn ToSql + Sync); 6] = columns.each_ref().map(|column| column as _);
                let rows = client.query(&statement, &parameters).await?;
                if rows.len() != batch.len() {
                    return Err(format!("{} of {} users were stored", rows.len(), batch.len()).into());
                }
                users += batch.len() as u64;
                let elapsed = start.elapsed();
                round_trips_us.record(u64::try_from((elapsed - so_far).as_micros())?)?;
                so_far = elapsed;
            }
            Outcome::Ok(())
        });
        over.store(true, Ordering::Relaxed);
        outcome?;
        Ok(Share { _connection: (runtime, client), users, elapsed: so_far, round_trips_us })
    }
}
