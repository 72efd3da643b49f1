//! Tests of those parts of the registration benchmark, and of what all benches share, that only compute: the benchmark
//! itself has no test harness.

// Only tests look at them here.
#![allow(dead_code)]

mod options;
mod picture;
mod report;
mod results;
#[path = "../support/mod.rs"]
mod support;
mod verdict;
