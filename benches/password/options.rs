//! The command line of the benchmark.

use crate::support::options::Measuring;
use clap::{Parser, ValueEnum};
use serde::Serialize;

const AFTER_HELP: &str = "\
Needs PostgreSQL 15 or later and, for registration, wrk (Debian: apt-get install postgresql wrk).
As root it runs PostgreSQL as user postgres.

Examples:
  make bench-password
  cargo bench --bench password -- --quick --only drain,login
  cargo bench --bench password -- --only serve --repeats 3 --seconds 2

Exit status: 0, whatever the speed; 1 when a request failed that should not, or
something could not be measured.";

/// Measure logins, hardening and sessions end to end, against what one core can hash in the same run
#[derive(Parser, Clone, Debug, Serialize)]
#[command(name = "bench-password", after_help = AFTER_HELP, max_term_width = 100)]
pub(crate) struct Options {
    /// Measure only these scenarios
    #[arg(long, value_name = "SCENARIO,...", value_enum, value_delimiter = ',')]
    pub(crate) only: Vec<Scenario>,

    /// Memory of one Argon2id hash, in KiB, for server and limit
    #[arg(long, value_name = "KIB", default_value_t = 65_536)]
    pub(crate) memory_kib: u32,

    /// Passes of Argon2id
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) passes: u32,

    /// Lanes of Argon2id
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) lanes: u32,

    /// Logins that may wait for each group of password cores
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) queue: usize,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) measuring: Measuring,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scenario {
    /// Working off a backlog of weak passwords, with nothing else to do
    Drain,
    /// Registration at 500 connections with hardening in the background, and without
    Register,
    /// Logins at 64 connections
    Login,
    /// me, refresh and health at 64 connections and at 1
    Serve,
    /// me and refresh from some, while 500 connections guess passwords
    Guess,
}

impl Options {
    pub(crate) fn read() -> Options {
        let mut options = Options::parse();
        options.measuring = options.measuring.resolved();
        options
    }

    pub(crate) fn includes(&self, scenario: Scenario) -> bool {
        self.only.is_empty() || self.only.contains(&scenario)
    }

    /// What every server of this run is set to.
    pub(crate) fn settings(&self) -> Vec<String> {
        let Options { memory_kib, passes, lanes, queue, .. } = self;
        let mut settings = vec![
            format!("hardening.memory={memory_kib}KiB"),
            format!("hardening.passes={passes}"),
            format!("hardening.lanes={lanes}"),
            format!("hardening.queue_max={queue}"),
        ];
        settings.extend_from_slice(&self.measuring.set);
        settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_scenarios_are_measured_unless_some_are_asked_for() {
        assert!(Options::parse_from(["bench"]).includes(Scenario::Guess));
        let some = Options::parse_from(["bench", "--only", "drain,login"]);
        assert!(some.includes(Scenario::Login) && !some.includes(Scenario::Serve));
    }

    #[test]
    fn settings_of_ones_own_come_last_and_win() {
        let options = Options::parse_from(["bench", "--passes", "2", "--set", "hardening.passes=3"]);
        let settings = options.settings();
        assert!(settings.contains(&"hardening.passes=2".to_owned()));
        assert_eq!(settings.last().map(String::as_str), Some("hardening.passes=3"));
    }
}
