//! One batch of registrations to PostgreSQL and back, by size, over Jeday's own link from one connection: encoding,
//! round trip, durable commit, decoding. Against a PostgreSQL of its own, whose tables are emptied for each size.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput};
use jeday::postgres::{
    connect::{ConnectOptions, connect},
    link::Link,
    statements::{
        BatchedStatement,
        register::{NewUser, Register, Registered},
    },
    target::Target,
};
use std::{
    process::Command,
    time::{Duration, Instant},
};
use support::{Outcome, cluster::Cluster, interrupt, process::run, users::Users};

/// A commit is waited for, so that a sample takes its time; fewer are enough.
const SAMPLES: usize = 30;

fn main() -> Outcome<()> {
    let mut criterion = Criterion::default().sample_size(SAMPLES).configure_from_args();
    if std::env::args().all(|argument| argument != "--bench") {
        // cargo test runs benches too, to see whether they start.
        return Ok(());
    }
    interrupt::watch()?;
    let cluster = Cluster::start()?;
    run(Command::new(env!("CARGO_BIN_EXE_jeday")).args(["migrate", "up"]).env("DB_URL", cluster.url()))?;
    let console = cluster.console()?;
    let target = Target::parse(&cluster.url(), |_| None)?;
    let mut users = Users::new("")?;
    let mut group = criterion.benchmark_group("one batch to PostgreSQL");
    for size in [1, 10, 100, 300] {
        interrupt::check()?;
        console.start_afresh()?;
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter_custom(|count| {
                let batches = users.batches(count as usize, size).expect("users can be made");
                let took = shards::block_on(async {
                    let link = connect(&target, &ConnectOptions::default()).await.expect("PostgreSQL is there");
                    store(&link, &batches).await
                });
                took.expect("an executor can be started")
            });
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}

async fn store(link: &Link, batches: &[Vec<NewUser>]) -> Duration {
    link.prepare_all(Register::PREPARED, soon()).await.expect("the statements can be prepared");
    let started = Instant::now();
    for batch in batches {
        let sent = support::users::sent(batch);
        let outcomes = Register::execute(link, &sent, soon()).await.expect("the batch is stored");
        assert!(outcomes.iter().all(|outcome| *outcome == Registered::Created), "users are new");
    }
    started.elapsed()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}
