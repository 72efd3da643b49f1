//! Every bound of the server, with its reason; relations between them are asserted at compile time.

use crate::http::{body::BodyLimits, head::HeadLimits};
use std::time::Duration;

/// Bounds of a request's head. A target has 8,000 bytes at most, as RFC 9112 section 3 wants at the least.
pub const HEAD: HeadLimits =
    HeadLimits { head_bytes_max: 16 << 10, method_bytes_max: 16, target_bytes_max: 8_000, fields_max: 64 };

/// Bounds of a request's body. Chunk extensions and trailers are of no use here; some clients send a few.
pub const BODY: BodyLimits = BodyLimits {
    body_bytes_max: 16 << 10,
    extension_bytes_max: 1 << 10,
    trailer_bytes_max: 1 << 10,
    trailer_fields_max: 16,
};

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

/// What `Retry-After` says in a 503, in seconds: a queue or a database that is back is so within this time.
pub const RETRY_AFTER_S: u64 = 1;

/// Pause after an accept that failed for want of descriptors or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that a shard takes in before everything else has a turn: a flood of them must neither starve requests
/// nor hide the signal to stop.
pub const ACCEPTS_PER_TURN: u32 = 64;

/// How long a connection that the kernel completed before the listener closed may take to send its first request: it
/// is on its way already.
pub const DRAIN_FIRST_REQUEST: Duration = Duration::from_millis(250);

/// First size of a connection's input: an ordinary request fits, a browser's too.
pub const INPUT_BYTES_FIRST: usize = 4 << 10;

/// Buffers that a shard keeps for reuse: about as many as requests are under way at full load.
pub const INPUT_STOCK_MAX: usize = 512;

/// A shard's buffer for replies is freed when one reply has made it larger than this.
pub const OUTPUT_KEPT_BYTES_MAX: usize = 64 << 10;

/// How long a connection that ends is read from, so that its last reply is not lost to a reset.
pub const LINGER: Duration = Duration::from_secs(1);

/// How much such a connection may still send.
pub const LINGER_BYTES_MAX: usize = 256 << 10;

/// Longest `Idempotency-Key`: a UUID has 36 characters, and some clients prefix theirs.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// How long an `Idempotency-Key` is remembered, in seconds: a day, as long as clients are known to try again.
pub const IDEMPOTENCY_KEY_LIFE_S: f64 = 86_400.0;

/// Keys forgotten in one statement: a few milliseconds of the connection that registrations wait for.
pub const EXPIRED_KEYS_PER_STEP: i64 = 1_000;

/// Pause between two looks for expired keys; between two steps of one clean-up it is much shorter.
pub const EXPIRY_INTERVAL: Duration = Duration::from_secs(300);

/// Pause between two steps of a clean-up, so that it takes a small share of the database.
pub const EXPIRY_STEP_PAUSE: Duration = Duration::from_millis(200);

/// Registrations with an `Idempotency-Key` of one shard that wait to be sent.
pub const ONCE_QUEUE_MAX: usize = 4096;

/// Most memory of one Argon2id hash, in KiB: 4 GiB, twice the most that RFC 9106 section 4 recommends. More is a slip
/// of the hand.
pub const ARGON2_MEMORY_KIB_MAX: u32 = 4 << 20;

/// Most passes of one Argon2id hash. Whoever has the time for more has it for more memory, which protects better.
pub const ARGON2_PASSES_MAX: u32 = 64;

/// Most lanes of one Argon2id hash. They are computed one after the other, so more than a cracking machine's cores
/// serve nobody.
pub const ARGON2_LANES_MAX: u32 = 64;

/// Most memory that a stored hash may ask for when less is configured, in KiB: 256 MiB, the most among the defaults of
/// known libraries (libsodium's "moderate"). Each worker may hold it for as long as that hash takes.
pub const ARGON2_STORED_MEMORY_KIB_MAX: u32 = 256 << 10;

/// Most blocks of 1 KiB that a stored hash may have computed: a quarter of a second of a password core, and what three
/// passes over the memory above take.
pub const ARGON2_STORED_WORK_KIB_MAX: u64 = 1 << 20;

/// Blocks of 1 KiB that the comparison of both Argon2id engines at start computes with the configured passes and
/// lanes: a few milliseconds, and large enough for the memory to come in huge pages, as it does for real hashes.
pub const ARGON2_SELF_TEST_WORK_KIB: u32 = 8 << 10;

/// Comparisons on small random inputs at start; a millisecond together.
pub const ARGON2_SELF_TEST_ROUNDS: usize = 8;

/// How long hash memory lies unused before it is wiped. What the last hash left is of use to somebody who reads the
/// process's memory; wiping after each hash would cost 5 to 9 percent of it.
pub const HASH_MEMORY_WIPED_AFTER: Duration = Duration::from_secs(5);

/// Longest `Retry-After` of a full password queue, in seconds: by then the load is another one.
pub const PASSWORD_RETRY_AFTER_S_MAX: u64 = 60;

const _: () = assert!(
    ARGON2_STORED_MEMORY_KIB_MAX <= ARGON2_MEMORY_KIB_MAX
        && ARGON2_STORED_WORK_KIB_MAX >= 3 * ARGON2_STORED_MEMORY_KIB_MAX as u64,
    "a stored hash of the most memory may have three passes"
);
const _: () = assert!(RETRY_AFTER_S <= PASSWORD_RETRY_AFTER_S_MAX, "clients are told a time in some order");
const _: () = assert!(INPUT_STOCK_MAX * INPUT_BYTES_FIRST <= 4 << 20, "a shard's stock stays under 4 MiB");
const _: () = assert!(STATEMENT_DEADLINE_PERCENT < 100, "looking again needs time after the statement's deadline");
