//! What several benches need: a durable PostgreSQL of their own, processes that end with the bench, and users to
//! store. Measures nothing itself.

// Each bench uses its share of this; one without a test harness leaves the imports of tests unused.
#![allow(dead_code, unused_imports)]

pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod facts;
pub(crate) mod files;
pub(crate) mod generator;
pub(crate) mod http;
pub(crate) mod interrupt;
pub(crate) mod options;
pub(crate) mod process;
pub(crate) mod scrape;
pub(crate) mod server;
pub(crate) mod table;
pub(crate) mod usage;
pub(crate) mod users;
pub(crate) mod verdict;

// What `jeday tune` measures with too.
#[path = "../../src/cli/tune/chart.rs"]
pub(crate) mod chart;
#[path = "../../src/cli/tune/ending.rs"]
pub(crate) mod ending;
#[path = "../../src/cli/tune/procfs.rs"]
pub(crate) mod procfs;
#[path = "../../src/cli/tune/statistics.rs"]
pub(crate) mod statistics;
#[path = "../../src/cli/tune/wrk.rs"]
pub(crate) mod wrk;

/// A bench that fails tells a person why; nothing else looks at the error.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
