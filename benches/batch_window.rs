//! What batching costs an item beside the database: the decision when a batch leaves, and the way through the queue and
//! back to the one who waits.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jeday::batch::{Answer, Intake, Window};
use std::{
    future::Future,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// As large as a registration's, without what makes it slow to make.
type Item = [u64; 48];

fn decision(c: &mut Criterion) {
    let mut group = c.benchmark_group("batch window");
    for (name, wait) in [("at once", Duration::ZERO), ("with a wait", Duration::from_millis(2))] {
        let window = Window { length_max: 400, wait };
        let now = Instant::now();
        group.bench_function(name, |b| {
            b.iter(|| window.decide(black_box(now), black_box(17), black_box(Some(now)), black_box(1)));
        });
    }
    group.finish();
}

fn intake(c: &mut Criterion) {
    let mut group = c.benchmark_group("intake: queue, answer, wake");
    for size in [1usize, 10, 100, 400] {
        let window = Window { length_max: 400, wait: Duration::ZERO };
        let intake: Intake<Item, u8> = Intake::detached(window, 8192, ANSWER_WITHIN);
        let mut cx = Context::from_waker(Waker::noop());
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter_batched(
                || (vec![[7; 48]; size], Vec::with_capacity(size)),
                |(items, mut waiting): (Vec<Item>, Vec<Answer<Item, u8>>)| {
                    for item in items {
                        let Ok(mut answer) = intake.submit(item) else { panic!("the queue has room") };
                        // A handler waits before the batch is sent.
                        assert!(pin!(&mut answer).poll(&mut cx).is_pending());
                        waiting.push(answer);
                    }
                    let answered = intake.answer_batch(Instant::now(), |item| black_box(item[0] as u8));
                    assert_eq!(answered, size);
                    for answer in &mut waiting {
                        assert_eq!(pin!(answer).poll(&mut cx), Poll::Ready(Ok(7)));
                    }
                    waiting
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, decision, intake);
criterion_main!(benches);
