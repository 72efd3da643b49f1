//! Tests of those parts of the registration benchmark that only compute: the benchmark itself has no test harness.

// Only tests look at them here.
#![allow(dead_code)]

mod http;
mod options;
mod picture;
mod procfs;
mod report;
mod results;
mod scrape;
mod statistics;
mod verdict;
mod wrk;
