//! The cost of a request body: borrowed, copied, and put together from chunks.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jeday::http::body::{BodyDecoder, BodyLimits, whole};
use jeday::http::framing::BodyFraming;

const LIMITS: BodyLimits = BodyLimits {
    body_bytes_max: 16 * 1024,
    extension_bytes_max: 256,
    trailer_bytes_max: 1_024,
    trailer_fields_max: 16,
};

const REGISTER: &str = r#"{"email":"somebody@example.com","username":"somebody","password":"correct horse battery"}"#;

fn decode(framing: BodyFraming, bytes: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    BodyDecoder::new(framing, &LIMITS)
        .and_then(|mut decoder| decoder.decode(black_box(bytes), out))
        .is_ok_and(|progress| progress.done)
}

fn chunked(content: &[u8], chunk_bytes: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for chunk in content.chunks(chunk_bytes) {
        body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    body
}

fn bodies(c: &mut Criterion) {
    let mut group = c.benchmark_group("body");
    let long = "a".repeat(8 * 1024);
    let mut out = Vec::with_capacity(16 * 1024);
    for content in [REGISTER, &long] {
        let content = content.as_bytes();
        let length = BodyFraming::Length(content.len() as u64);
        group.throughput(Throughput::Bytes(content.len() as u64));
        group.bench_function(BenchmarkId::new("length, borrowed", content.len()), |b| {
            b.iter(|| whole(black_box(length), black_box(content), &LIMITS).is_ok());
        });
        group.bench_function(BenchmarkId::new("length, copied", content.len()), |b| {
            b.iter(|| assert!(decode(length, content, &mut out)));
        });
        for (name, chunk_bytes) in [("one chunk", content.len()), ("chunks of 16 bytes", 16)] {
            let body = chunked(content, chunk_bytes);
            group.bench_function(BenchmarkId::new(name, content.len()), |b| {
                b.iter(|| assert!(decode(BodyFraming::Chunked, &body, &mut out)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bodies);
criterion_main!(benches);
