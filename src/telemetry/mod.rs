//! Counters per shard, merged on scrape; logs.

mod logs;
mod rate_limited;

pub use logs::{DroppedLines, InitError, LogFormat, LogGuard, UnknownFormat, init, name_shard};
pub use rate_limited::RateLimited;
