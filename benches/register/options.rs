//! The command line of the benchmark.

use crate::support::options::Measuring;
use clap::{Parser, ValueEnum};
use serde::Serialize;

const AFTER_HELP: &str = "\
Needs PostgreSQL 15 or later and wrk (Debian: apt-get install postgresql wrk).
As root it runs PostgreSQL as user postgres.

Examples:
  make bench-register
  cargo bench --bench register -- --quick --only server --connections 500
  cargo bench --bench register -- --set registration.batch_size=200
  cargo bench --bench register -- --only observability

Exit status: 0, whatever the speed; 1 when a user was lost, a request failed, or
something could not be measured.";

/// Measure registration end to end, against what PostgreSQL alone can do in the same run
#[derive(Parser, Clone, Debug, Serialize)]
#[command(name = "bench-register", after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Options {
    /// Client connections of each point
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1, 32, 256, 500],
          value_parser = positive)]
    pub(crate) connections: Vec<usize>,

    /// Decides the order of the points
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Measure only a part
    #[arg(long, value_name = "PART", value_enum)]
    pub(crate) only: Option<Part>,

    /// Batch sizes of PostgreSQL alone, beside those that the server used
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [100, 300], value_parser = positive)]
    pub(crate) batch_sizes: Vec<usize>,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) measuring: Measuring,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    /// Registrations through the server
    Server,
    /// PostgreSQL alone
    Limit,
    /// Memory and CPU of an idle server, and its start
    Memory,
    /// Not among the others: registrations with logs and traces against registrations without
    Observability,
}

impl Options {
    pub(crate) fn read() -> Options {
        let mut options = Options::parse();
        options.measuring = options.measuring.resolved();
        options
    }

    pub(crate) fn includes(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

fn positive(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(number @ 1..=20_000) => Ok(number),
        _ => Err("a number from 1 to 20000 is needed".to_owned()),
    }
}
