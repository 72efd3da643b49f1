//! Every bound of the server, with its reason; relations between them are asserted at compile time.

use std::time::Duration;

/// Attempts at one batch that the database undid by itself (deadlock, serialisation failure). A second failure in a
/// row is rare, a fourth means that something else is wrong.
pub const BATCH_ATTEMPTS_MAX: u32 = 4;

/// Share of the time within which an item is answered that one statement may take, in percent. The rest is for
/// connecting again and looking up what became of it.
pub const STATEMENT_DEADLINE_PERCENT: u32 = 60;

/// First pause after a connection to the database failed: less than a client notices.
pub const RECONNECT_PAUSE_FIRST: Duration = Duration::from_millis(20);

/// Longest pause between attempts: service is to be back within 2 s of the database.
pub const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// A fault that goes on is logged once in this time, with a count of what was left out.
pub const COMPLAINT_INTERVAL: Duration = Duration::from_secs(5);

const _: () = assert!(STATEMENT_DEADLINE_PERCENT < 100, "looking again needs time after the statement's deadline");
