//! Tests of those parts of the password benchmark that only compute, or only talk to themselves: the benchmark itself
//! has no test harness.

// Only tests look at them here.
#![allow(dead_code)]

mod accounts;
mod bench;
mod clients;
mod drain;
mod guessing;
mod load;
mod login;
mod options;
mod picture;
mod raw;
mod registration;
mod report;
mod results;
mod serving;
#[path = "../support/mod.rs"]
mod support;
mod tally;
mod verdict;
