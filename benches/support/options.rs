//! The part of a command line that end-to-end benches have in common.

use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// How long and how often to measure, what, and where the figures go.
#[derive(Args, Clone, Debug, Serialize)]
pub(crate) struct Measuring {
    /// How long each point is loaded, in seconds
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) seconds: u64,

    /// How often each point is measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) repeats: u32,

    /// One repeat of 2 seconds: shows that it works, not how fast
    #[arg(long, conflicts_with_all = ["seconds", "repeats"])]
    pub(crate) quick: bool,

    /// A setting for jeday serve; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,

    /// Another jeday than the one built with the benchmark
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_jeday"))]
    pub(crate) server: PathBuf,

    /// Where the figures and the picture go
    #[arg(long, value_name = "DIRECTORY", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/bench-results"))]
    pub(crate) output: PathBuf,

    /// What cargo bench adds, and cargo test does not
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

impl Measuring {
    /// The same with `quick` spelled out.
    pub(crate) fn resolved(mut self) -> Measuring {
        if self.quick {
            (self.seconds, self.repeats) = (2, 1);
        }
        self
    }
}
