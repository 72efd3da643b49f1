//! Tests of those parts of the registration benchmark, and of what all benches share, that only compute: the benchmark
//! itself has no test harness.

// Only tests look at them here.
#![allow(dead_code)]

mod observed;
mod options;
mod picture;
mod point;
mod report;
mod results;
mod sink;
#[path = "../support/mod.rs"]
mod support;
mod verdict;
