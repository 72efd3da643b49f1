//! Group commit: items go in one by one, one statement goes out for many, and every item gets its own outcome.
//! Knows no HTTP and no SQL; never drops an item without an answer.

mod backoff;
mod group;
mod intake;
#[cfg(test)]
mod simulation;
mod source;
mod window;

pub use backoff::{Backoff, Ended};
pub use group::{Group, GroupBuilder, GroupConfig, GroupState};
pub use intake::{Answer, Full, Intake, Unanswered};
pub use window::{Decision, Window};
