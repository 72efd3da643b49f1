//! The cost of writing a batch's parameters into the buffer that goes to PostgreSQL: what a request shard does for
//! every user, once for each batch.

mod support;

use bytes::BytesMut;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jeday::postgres::statements::register;
use std::hint::black_box;
use support::users::{Users, sent};
use tokio_postgres::types::ToSql;

fn parameters(c: &mut Criterion) {
    let mut users = Users::new("").expect("users can be made");
    let mut group = c.benchmark_group("parameters of registration");
    for size in [1, 10, 100, 300] {
        let batch = users.batches(1, size).expect("users can be made").remove(0);
        let sent = sent(&batch);
        let types = register::statement().types;
        // The connection's buffer is reused as well.
        let mut out = BytesMut::with_capacity(256 * 1024);
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| {
                out.clear();
                for (column, array) in register::parameters(black_box(&sent)).iter().zip(types) {
                    column.to_sql(array, &mut out).expect("users can be encoded");
                }
                black_box(out.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, parameters);
criterion_main!(benches);
