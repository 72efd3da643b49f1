//! The time of day, in the one form that everything here uses. Nothing that measures how long something takes reads it:
//! it may jump.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, UTC; 0 on a machine whose clock says less.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).expect("the year 292277026 has not come yet")
}

/// Nanoseconds since 1970, UTC; 0 on a machine whose clock says less.
pub fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).expect("the year 2554 has not come yet")
}
