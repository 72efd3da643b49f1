//! Two pages of one server for the tests of figures and of their view: shorter than real ones, made by hand.

use crate::cli::scrape::Page;
use std::time::{Duration, Instant};

/// How it stood at first.
pub(super) const QUIET: &str = r#"
jeday_build_info{version="0.1.0",commit="unknown",architecture="x86_64"} 1
process_cpu_seconds_total 10
process_resident_memory_bytes 35651584
process_start_time_seconds 1700000000.5
jeday_http_requests_total{method="POST",route="/auth/register",status="201"} 100
jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.001"} 0
jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.002"} 0
jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="+Inf"} 100
jeday_connections_open{shard="0"} 1
jeday_shard_requests_total{shard="0"} 100
jeday_shard_requests_total{shard="1"} 0
jeday_shard_requests_total{shard="10"} 0
jeday_shard_cpu_seconds_total{shard="0"} 4
jeday_shard_cpu_seconds_total{shard="1"} 0.5
jeday_shard_batch_size_items_sum{shard="0"} 100
jeday_shard_batch_size_items_count{shard="0"} 100
jeday_shard_batch_commit_seconds_sum{shard="0"} 1
jeday_shard_batch_commit_seconds_count{shard="0"} 100
jeday_password_hashes_total{worker="0",cpu="3",serves="both",result="done"} 5
jeday_password_hashes_total{worker="0",cpu="3",serves="both",result="panicked"} 0
jeday_password_busy_seconds_total{worker="0",cpu="3",serves="both"} 1
"#;

/// How it stood two seconds later.
pub(super) const BUSY: &str = r#"
jeday_build_info{version="0.1.0",commit="unknown",architecture="x86_64"} 1
process_cpu_seconds_total 13
process_resident_memory_bytes 35651584
process_start_time_seconds 1700000000.5
jeday_http_requests_total{method="POST",route="/auth/register",status="201"} 1000
jeday_http_requests_total{method="POST",route="/auth/register",status="503"} 20
jeday_http_requests_total{method="DELETE",route="/auth/sessions/{id}",status="204"} 100
jeday_http_requests_total{method="",route="unrouted",status="404"} 180
jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.001"} 900
jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="0.002"} 1090
jeday_http_request_duration_seconds_bucket{method="POST",route="/auth/register",le="+Inf"} 1200
jeday_http_request_duration_seconds_bucket{method="DELETE",route="/auth/sessions/{id}",le="0.001"} 100
jeday_http_request_duration_seconds_bucket{method="DELETE",route="/auth/sessions/{id}",le="0.002"} 100
jeday_http_request_duration_seconds_bucket{method="DELETE",route="/auth/sessions/{id}",le="+Inf"} 100
jeday_connections_open{shard="0"} 40
jeday_connections_open{shard="10"} 12
jeday_batch_queue_items{shard="0",statement="register"} 5
jeday_batch_queue_items{shard="0",statement="find"} 2
jeday_batch_size_items_sum{statement="register"} 1200
jeday_batch_size_items_count{statement="register"} 60
jeday_batch_commit_seconds_bucket{statement="register",le="0.002"} 30
jeday_batch_commit_seconds_bucket{statement="register",le="0.004"} 60
jeday_batch_commit_seconds_bucket{statement="register",le="+Inf"} 60
jeday_database_connections{shard="0",group="write"} 1
jeday_database_connections{shard="0",group="read"} 1
jeday_database_connections{shard="10",group="write"} 1
jeday_database_connections{shard="10",group="read"} 1
jeday_shard_requests_total{shard="0"} 1100
jeday_shard_requests_total{shard="1"} 0
jeday_shard_requests_total{shard="10"} 200
jeday_shard_cpu_seconds_total{shard="0"} 5.5
jeday_shard_cpu_seconds_total{shard="1"} 0.5
jeday_shard_request_duration_seconds_bucket{shard="0",le="0.001"} 1000
jeday_shard_request_duration_seconds_bucket{shard="0",le="0.002"} 1000
jeday_shard_request_duration_seconds_bucket{shard="0",le="+Inf"} 1000
jeday_shard_batch_size_items_sum{shard="0"} 1100
jeday_shard_batch_size_items_count{shard="0"} 140
jeday_shard_batch_commit_seconds_sum{shard="0"} 1.08
jeday_shard_batch_commit_seconds_count{shard="0"} 140
jeday_password_hashes_total{worker="0",cpu="3",serves="both",result="done"} 55
jeday_password_hashes_total{worker="0",cpu="3",serves="both",result="panicked"} 0
jeday_password_busy_seconds_total{worker="0",cpu="3",serves="both"} 2.9
jeday_password_wait_seconds_bucket{le="0.05"} 10
jeday_password_wait_seconds_bucket{le="0.1"} 10
jeday_password_wait_seconds_bucket{le="+Inf"} 10
jeday_password_jobs_waiting{queue="foreground"} 3
jeday_password_jobs_waiting{queue="background"} 8
jeday_weak_passwords 1200
jeday_weak_password_age_seconds 12.5
"#;

/// Both, so many seconds apart.
pub(super) fn pages(before: &str, now: &str, seconds: u64) -> (Page, Page) {
    let moment = Instant::now();
    (Page::parse(before, moment), Page::parse(now, moment + Duration::from_secs(seconds)))
}
