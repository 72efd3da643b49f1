//! The cost of a request head: one call per request on the hot path, and a head that comes in pieces.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jeday::http::head::{HeadLimits, HeadProgress, parse, resume};

const LIMITS: HeadLimits =
    HeadLimits { head_bytes_max: 16 * 1024, method_bytes_max: 32, target_bytes_max: 8_000, fields_max: 64 };

/// What a load generator or a small client library sends.
const REGISTER: &str = "POST /auth/register HTTP/1.1\r\nHost: auth.example.com:8080\r\nUser-Agent: example-client/1.4.2\r\n\
    Accept: application/json\r\nContent-Type: application/json\r\nContent-Length: 88\r\nConnection: keep-alive\r\n\r\n";

/// What a page in a browser makes it send.
const BROWSER: &str = "POST /auth/register HTTP/1.1\r\nHost: auth.example.com\r\nConnection: keep-alive\r\n\
    Content-Length: 88\r\nsec-ch-ua-platform: \"Linux\"\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
    sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"\r\nContent-Type: application/json\r\n\
    sec-ch-ua-mobile: ?0\r\nAccept: application/json, text/plain, */*\r\nOrigin: https://app.example.com\r\n\
    Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nReferer: https://app.example.com/\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\r\n";

fn whole_heads(c: &mut Criterion) {
    let mut group = c.benchmark_group("head");
    for (name, head) in [("register", REGISTER), ("browser", BROWSER)] {
        group.throughput(Throughput::Bytes(head.len() as u64));
        group.bench_with_input(BenchmarkId::new(name, head.len()), head.as_bytes(), |b, bytes| {
            b.iter(|| black_box(parse(black_box(bytes), &LIMITS)).is_ok());
        });
    }
    group.finish();
}

/// Byte by byte, fields must cost in proportion to their length. A target is judged again with each byte, and has to
/// stay below what receiving so many packets costs (some microseconds each).
fn dripping_heads(c: &mut Criterion) {
    let mut group = c.benchmark_group("head, a byte at a time");
    let in_field = |filler| ("field", format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(filler)));
    let in_target = |filler| ("target", format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(filler)));
    for (place, head) in [500, 2_000, 7_999].map(in_field).into_iter().chain([500, 2_000, 7_999].map(in_target)) {
        group.throughput(Throughput::Bytes(head.len() as u64));
        group.bench_with_input(BenchmarkId::new(place, head.len()), head.as_bytes(), |b, bytes| {
            b.iter(|| {
                let mut progress = HeadProgress::default();
                (1..=bytes.len()).filter(|&end| resume(&bytes[..end], &LIMITS, &mut progress).is_ok()).count()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, whole_heads, dripping_heads);
criterion_main!(benches);
