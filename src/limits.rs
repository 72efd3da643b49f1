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

/// Security events of one kind that a shard writes to the log in a second; the others are only counted. Enough to see
/// who guesses and how, while a flood on 64 shards stays below what the log's writer can take.
pub const SECURITY_RECORDS_PER_SECOND: u32 = 50;

/// What `Retry-After` says in a 503, in seconds: a queue or a database that is back is so within this time.
pub const RETRY_AFTER_S: u64 = 1;

/// How long a browser may remember what a path allows, in seconds: the two hours that Chromium cuts longer times to.
/// What it remembers opens nothing: each reply says again who may read it.
pub const CORS_MAX_AGE_S: u64 = 7_200;

/// Longest PROXY header of version 2: the protocol keeps them below 536 bytes; one with a client's certificate in it
/// has 2 or 3 KiB.
pub const PROXY_HEADER_BYTES_MAX: usize = 4 << 10;

/// First size of what a TLS session reads into: a record with an ordinary request fits, and a client's first message.
pub const TLS_INPUT_BYTES_FIRST: usize = 4 << 10;

/// Most that a TLS session holds of what it cannot use yet: a record has 16 KiB, and 261 bytes around it (RFC 8446
/// section 5.2; RFC 5246 section 6.2.3 allows 2,053, which nobody makes use of). No message of a client is longer.
pub const TLS_INPUT_BYTES_MAX: usize = 18 << 10;

/// Longest file with a chain of certificates, or a key, of TLS: a chain of five has 10 KB.
pub const TLS_FILE_BYTES_MAX: usize = 256 << 10;

/// How long before its end a certificate is worth a warning: those of public authorities that renew themselves are
/// exchanged 30 days before.
pub const TLS_EXPIRY_WARNING: Duration = Duration::from_secs(14 * 86_400);

/// Pause after an accept that failed for want of descriptors or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that a shard takes in before everything else has a turn: a flood of them must neither starve requests
/// nor hide the signal to stop.
pub const ACCEPTS_PER_TURN: u32 = 64;

/// Longest time without a heartbeat that a shard is allowed. It beats and is looked at once a second, so one that has
/// stalled is found within 5 s, while one that is held up for 2 s, as by a page that has to come from a disk, is not.
pub const SHARD_SILENCE_MAX: Duration = Duration::from_secs(3);

/// How long a listener that is about to close waits for handshakes that have begun: a round trip to the clients, also
/// to those on other continents.
pub const DRAIN_HANDSHAKES: Duration = Duration::from_millis(250);
/// Requests of one connection that are answered before all others have a turn. A client may send any number of them
/// without waiting for replies, and those that need no waiting for would else follow one on the other for as long as
/// it keeps sending. They are read as they are answered: no more of them lie here than the input has room for.
pub const REQUESTS_PER_TURN: u32 = 16;

/// How long a connection that the kernel completed before the listener closed may take to send its first request: it
/// is on its way already.
pub const DRAIN_FIRST_REQUEST: Duration = Duration::from_millis(250);

/// How long a TLS handshake that is under way when the server is told to stop may still take: two round trips, also to
/// clients on other continents.
pub const DRAIN_TLS_HANDSHAKE: Duration = Duration::from_millis(500);

/// How long a connection is left unread whose client was told to come back later: 500 of them that do not listen ask
/// 5,000 times a second then, which is a tenth of a core, instead of as often as two cores allow.
pub const REFUSED_PAUSE: Duration = Duration::from_millis(100);

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

/// Items of one statement about sessions: as many as two hundred clients that wait at once, and a few milliseconds of
/// the connection.
pub const SESSION_BATCH_MAX: usize = 256;

/// Items of each such statement that wait on one shard: about as many as it has clients at full load.
pub const SESSION_QUEUE_MAX: usize = 8192;

/// How often a login starts over because the password was changed while it was checked. Nobody changes it three times
/// in a row by chance.
pub const CREDENTIAL_CHANGES_MAX: u32 = 3;

/// How often a refresh looks again because another request was faster with the same token. Once is enough, unless the
/// session moves on by more than one generation meanwhile.
pub const ROTATIONS_RACED_MAX: u32 = 3;

/// Characters of a `User-Agent` that a session keeps: enough to tell a browser from another, in a list for people.
/// What outside ASCII takes more than [`USER_AGENT_BYTES_MAX`] is cut to that as it is stored.
pub const USER_AGENT_CHARS_MAX: usize = 256;

/// What is kept of a client's `User-Agent`, in bytes: those of browsers have about 120. The table checks it too.
pub const USER_AGENT_BYTES_MAX: usize = 512;

/// New records of one shard that are hardened through memory at a time: about what a password core does in a second.
/// More than that is the durable queue's.
pub const FRESH_IN_FLIGHT_MAX: usize = 64;

/// How long a new record may wait for a password core before it is left to the durable queue.
pub const FRESH_DEADLINE: Duration = Duration::from_secs(5);

/// Age at which a record in the durable queue may be claimed. Younger ones are on their way through memory, and would
/// be hashed twice.
pub const CLAIM_AGE: Duration = Duration::from_secs(10);

/// Workers on the durable queue for each group of password cores: one claims and writes back while the records of the
/// other are hashed.
pub const BACKLOG_WORKERS: usize = 2;

/// Hashes that nobody waits for in front of one group of password cores: some seconds of work, so that none is idle
/// between two claims.
pub const BACKGROUND_QUEUE_MAX: usize = 256;

/// Pause before another try when others have filled the queue in front of the password cores: a few hashes.
pub const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(50);

/// Pause between two looks at how much is left in the durable queue: counting costs some milliseconds.
pub const BACKLOG_LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// How much work one claim takes: rows are locked no longer than this while the password core is free.
pub const CLAIM_WORK: Duration = Duration::from_secs(1);

/// How long a claim is held at most, whatever else the password core has to do; what is not done by then is released.
pub const CLAIM_HELD_MAX: Duration = Duration::from_secs(4);

const _: () = assert!(BACKLOG_LOOK_INTERVAL.as_secs() < 30, "what is overdue by hardening.weak_age_max is seen soon");
const _: () = assert!(FRESH_DEADLINE.as_millis() < CLAIM_AGE.as_millis(), "what is under way is not claimed as well");
const _: () = assert!(CLAIM_WORK.as_millis() < CLAIM_HELD_MAX.as_millis(), "a claim can be worked off");

/// First delay after the free wrong passwords, for an account and for an address; it doubles with each further one.
pub const LOGIN_DELAY_FIRST: Duration = Duration::from_secs(1);

/// Longest delay between wrong passwords for one account: some 100 guesses a day, of which a year's do not find a
/// password that is not among the common ones.
pub const LOGIN_ACCOUNT_DELAY_MAX: Duration = Duration::from_secs(15 * 60);

/// One wrong password for an account is forgotten in this time: who mistypes now and then is never delayed.
pub const LOGIN_ACCOUNT_FORGET: Duration = Duration::from_secs(3_600);

/// Longest delay between wrong passwords from one address. Many people may share it, so it stays short.
pub const LOGIN_ADDRESS_DELAY_MAX: Duration = Duration::from_secs(60);

/// One wrong password from an address is forgotten in this time: 60 an hour are what a thousand people mistype.
pub const LOGIN_ADDRESS_FORGET: Duration = Duration::from_secs(60);

/// How long an address counts as known for an account after it has logged in from there: as long as a session that
/// nobody uses, by default.
pub const LOGIN_KNOWN_LIFE: Duration = Duration::from_secs(30 * 86_400);

/// Sets of 7 cells and 64 bytes, as a power of two: 57,000 accounts, or addresses, with recent failures, in 512 KiB.
pub const RATE_LIMIT_SETS_LOG2: u32 = 13;

/// Sets of 7 pairs of account and address that are known: 230,000 in 2 MiB.
pub const LOGIN_KNOWN_SETS_LOG2: u32 = 15;

/// The time in which `limits.registrations_per_address` are allowed.
pub const REGISTRATION_PERIOD: Duration = Duration::from_secs(3_600);

const _: () = assert!(
    LOGIN_ACCOUNT_DELAY_MAX.as_secs() <= LOGIN_ACCOUNT_FORGET.as_secs()
        && LOGIN_ADDRESS_DELAY_MAX.as_secs() <= LOGIN_ADDRESS_FORGET.as_secs(),
    "no delay is longer than what makes it grow is remembered"
);

/// Longest access token that is looked at: ours have about 550 bytes, and 1,841 with the longest names.
pub const ACCESS_TOKEN_BYTES_MAX: usize = 2 << 10;

/// Longest name of a token's issuer or audience: a host name has 253 characters.
pub const TOKEN_NAME_BYTES_MAX: usize = 255;

/// How far the clocks of two nodes may be apart, in seconds, for a token of one to be taken by the other.
pub const CLOCK_SKEW_S: i64 = 30;

/// Sessions looked at in one step of their clean-up, whether they have expired or not: a few milliseconds.
pub const SESSIONS_PER_EXPIRY_STEP: i64 = 1_000;

/// Weak records that are counted at most: beyond, the backlog is large, and counting it costs more than it tells.
pub const BACKLOG_COUNT_MAX: i64 = 100_000;

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

/// Shortest time after which a hash that somebody waits for counts as stuck: ten times what the dearest stored hash may
/// take on a core of its own.
pub const HASH_STUCK_AFTER: Duration = Duration::from_secs(5);

/// As many times what a hash usually takes, where that is longer: no busy machine slows one down so much.
pub const HASH_STUCK_HASHES: u32 = 20;

/// Password cores that are replaced when they are stuck, for each of a group. A thread cannot be ended: the old one
/// keeps its memory for a hash, so this bounds that memory to twice what a plan says. A process that needs more has a
/// fault that only a start from new can cure.
pub const REPLACEMENTS_PER_PASSWORD_CORE: usize = 1;

/// How long one that replaces another may take to get ready before it is not reckoned with: two hashes over new memory,
/// on a CPU that the stuck one may keep busy.
pub const REPLACEMENT_READY_WITHIN: Duration = Duration::from_secs(5);

/// How long hashes under way are waited for at the end, so that their memory is wiped; what has not ended by then ends
/// with the process.
pub const HASHES_END_WITHIN: Duration = Duration::from_secs(2);

/// Longest `Retry-After` of a full password queue, in seconds: by then the load is another one.
pub const PASSWORD_RETRY_AFTER_S_MAX: u64 = 60;

/// Samples of a profile for each second of CPU time: enough for 1 % of a busy core to show in 10 s, at a small cost.
/// Not a round number, so that work that is done a hundred times a second is not always or never met.
pub const PROFILE_HZ: u32 = 99;

/// Longest profile, in seconds: minutes of a load, while an operator's slip does not go on for ever.
pub const PROFILE_SECONDS_MAX: u64 = 300;

/// How long a profile takes unless told otherwise, in seconds.
pub const PROFILE_SECONDS: u64 = 10;

/// How often samples are taken out of their slots, which hold 128.
pub const PROFILE_TAKE_INTERVAL: Duration = Duration::from_millis(20);

/// Different stacks of one profile: some 10 MiB with 60 frames each. More of them are missing in it, and counted.
pub const PROFILE_STACKS_MAX: usize = 20_000;

/// Frames of one stack: more than ours have, fewer than a stack with a loop in it.
pub const PROFILE_FRAMES_MAX: usize = 256;

/// Pause between two looks whether a profile is there that has ended.
pub const PROFILE_LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Parts of one request that its span tells of: the longest way through a login, tried three times, has nine.
pub const TRACE_PARTS_MAX: usize = 16;

/// Recorded requests that may wait for the exporter: what two shards serve in a tenth of a second at full load, and
/// with 1 % of them recorded ten seconds; some 3 MiB with their parts.
pub const TRACE_QUEUE_MAX: usize = 8_192;

/// How often the exporter looks into the queue.
pub const TRACE_EXPORT_INTERVAL: Duration = Duration::from_millis(500);

/// Recorded requests in one message to the collector, as OpenTelemetry's batch processor has them: some 300 KiB.
pub const TRACE_EXPORT_BATCH_MAX: usize = 512;

/// For the collector to take one message: OpenTelemetry's default.
pub const TRACE_EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Attempts at one message. With the pauses between them a collector may be away for a quarter of a minute, as when it
/// is restarted.
pub const TRACE_EXPORT_ATTEMPTS_MAX: u32 = 5;

/// First pause between two attempts; it doubles with each further one.
pub const TRACE_RETRY_PAUSE_FIRST: Duration = Duration::from_secs(1);

/// Longest pause between two attempts, whatever the collector asks for: what comes meanwhile has to fit the queue.
pub const TRACE_RETRY_PAUSE_MAX: Duration = Duration::from_secs(10);

/// For what is recorded and not exported yet, when the process ends.
pub const TRACE_FLUSH_WITHIN: Duration = Duration::from_secs(2);

/// How much of a collector's answer is read: a number, and a sentence for the log.
pub const TRACE_ANSWER_BYTES_MAX: u64 = 4 << 10;

/// For PostgreSQL to tell its settings, to a plan or to the doctor: a person waits, and it has nothing to look up.
pub const EXAMINATION_TIMEOUT: Duration = Duration::from_secs(10);

const _: () = assert!(
    ARGON2_STORED_MEMORY_KIB_MAX <= ARGON2_MEMORY_KIB_MAX
        && ARGON2_STORED_WORK_KIB_MAX >= 3 * ARGON2_STORED_MEMORY_KIB_MAX as u64,
    "a stored hash of the most memory may have three passes"
);
const _: () = assert!(RETRY_AFTER_S <= PASSWORD_RETRY_AFTER_S_MAX, "clients are told a time in some order");
const _: () = assert!(INPUT_STOCK_MAX * INPUT_BYTES_FIRST <= 4 << 20, "a shard's stock stays under 4 MiB");
const _: () = assert!(STATEMENT_DEADLINE_PERCENT < 100, "looking again needs time after the statement's deadline");
const _: () = assert!(ACCESS_TOKEN_BYTES_MAX < HEAD.head_bytes_max, "a token fits the head that it stands in");
