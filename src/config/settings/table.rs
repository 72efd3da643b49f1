//! The table of settings: the single source of truth for names, ranges, defaults and help. Holds no behaviour.

use super::{Fallback, Kind, Setting};
use crate::config::{LogFormat, LogLevel, Prepare};
use std::time::Duration;

/// The first version; what it does not use yet is marked with the next.
const FIRST: &str = "0.1.0";
const NEXT: &str = "0.2.0";

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A peer on another continent needs some hundred milliseconds a round trip; past ten minutes a limit is none.
const PEER_MIN: Duration = millis(100);
const PEER_MAX: Duration = seconds(600);

/// A commit on a slow disk takes tens of milliseconds: a shorter limit would only produce unknown outcomes.
const DATABASE_MIN: Duration = millis(50);
const DATABASE_MAX: Duration = seconds(300);

/// Every setting, section by section. Defaults that follow from others come after those.
pub static SETTINGS: &[Setting] = &[
    Setting {
        key: "server.address",
        variables: &["SERVER_ADDRESS"],
        flag: Some("address"),
        kind: Kind::Address(|config| &mut config.server.address),
        default: Fallback::Value("127.0.0.1:8080"),
        tuning: false,
        since: FIRST,
        help: "Address that clients connect to; every shard listens on it.",
    },
    Setting {
        key: "server.backlog",
        variables: &["SERVER_BACKLOG"],
        flag: None,
        // The kernel cuts it to net.core.somaxconn, whose own end is 65535 on older kernels.
        kind: Kind::Count(|config| &mut config.server.backlog, 1..=65_535),
        default: Fallback::Value("4096"),
        tuning: true,
        since: FIRST,
        help: "Connections that the kernel holds for each shard until they are accepted.",
    },
    Setting {
        key: "server.connections_max",
        variables: &[],
        flag: None,
        // A million is the usual end of open files for one process (fs.nr_open).
        kind: Kind::Count(|config| &mut config.server.connections_max, 1..=1_000_000),
        default: Fallback::Value("16384"),
        tuning: true,
        since: FIRST,
        help: "Open client connections of the whole process.",
    },
    Setting {
        key: "server.header_timeout",
        variables: &[],
        flag: None,
        kind: Kind::Time(|config| &mut config.server.header_timeout, PEER_MIN..=PEER_MAX),
        default: Fallback::Value("10s"),
        tuning: false,
        since: FIRST,
        help: "Time for a request's header to arrive, counted from its first byte.",
    },
    Setting {
        key: "server.body_timeout",
        variables: &[],
        flag: None,
        kind: Kind::Time(|config| &mut config.server.body_timeout, PEER_MIN..=PEER_MAX),
        default: Fallback::Value("20s"),
        tuning: false,
        since: FIRST,
        help: "Time for a request's body to arrive.",
    },
    Setting {
        key: "server.idle_timeout",
        variables: &[],
        flag: None,
        kind: Kind::Time(|config| &mut config.server.idle_timeout, PEER_MIN..=seconds(3_600)),
        default: Fallback::Value("75s"),
        tuning: false,
        since: FIRST,
        help: "Time that a connection may stay open between two requests.",
    },
    Setting {
        key: "server.write_timeout",
        variables: &[],
        flag: None,
        kind: Kind::Time(|config| &mut config.server.write_timeout, PEER_MIN..=PEER_MAX),
        default: Fallback::Value("20s"),
        tuning: false,
        since: FIRST,
        help: "Time for a client to take a reply.",
    },
    Setting {
        key: "server.body_bytes_max",
        variables: &[],
        flag: None,
        kind: Kind::Bytes(|config| &mut config.server.body_bytes_max, KIB..=MIB),
        default: Fallback::Value("16KiB"),
        tuning: false,
        since: FIRST,
        help: "Largest body of a request.",
    },
    Setting {
        key: "server.header_bytes_max",
        variables: &[],
        flag: None,
        kind: Kind::Bytes(|config| &mut config.server.header_bytes_max, KIB..=MIB),
        default: Fallback::Value("16KiB"),
        tuning: false,
        since: FIRST,
        help: "Largest header of a request, request line included.",
    },
    Setting {
        key: "server.share_address",
        variables: &[],
        flag: None,
        kind: Kind::Switch(|config| &mut config.server.share_address),
        default: Fallback::Value("false"),
        tuning: false,
        since: FIRST,
        help: "Listen although another server of this user does, as when one takes over from the other without a gap.",
    },
    Setting {
        key: "server.drain_timeout",
        variables: &["SHUTDOWN_TIMEOUT"],
        flag: None,
        kind: Kind::Time(|config| &mut config.server.drain_timeout, Duration::ZERO..=seconds(3_600)),
        default: Fallback::Value("20s"),
        tuning: false,
        since: FIRST,
        help: "Time to answer what is under way after a signal to stop.",
    },
    Setting {
        key: "metrics.address",
        variables: &["METRICS_ADDRESS"],
        flag: Some("metrics-address"),
        kind: Kind::AddressOrOff(|config| &mut config.metrics.address),
        default: Fallback::Value("127.0.0.1:8081"),
        tuning: false,
        since: FIRST,
        help: "Address of the metrics for operators, or off.",
    },
    Setting {
        key: "database.url",
        variables: &["DB_URL"],
        flag: Some("db-url"),
        kind: Kind::DatabaseUrl(|config| &mut config.database.url),
        default: Fallback::Unset("a private PostgreSQL cluster is started"),
        tuning: false,
        since: FIRST,
        help: "PostgreSQL database, as a URL or as key=value pairs; better not on the command line when it holds a password, because other users see that.",
    },
    Setting {
        key: "database.write_connections",
        variables: &["DB_WRITE_CONNECTIONS"],
        flag: None,
        kind: Kind::Count(|config| &mut config.database.write_connections, 1..=64),
        default: Fallback::Value("1"),
        tuning: true,
        since: FIRST,
        help: "Connections of each shard for statements that write; more pay where the database is a network away.",
    },
    Setting {
        key: "database.read_connections",
        variables: &["DB_READ_CONNECTIONS"],
        flag: None,
        kind: Kind::Count(|config| &mut config.database.read_connections, 1..=64),
        default: Fallback::Value("1"),
        tuning: true,
        since: NEXT,
        help: "Connections of each shard for statements that only read.",
    },
    Setting {
        key: "database.deadline",
        variables: &["DB_DEADLINE"],
        flag: None,
        kind: Kind::Time(|config| &mut config.database.deadline, DATABASE_MIN..=DATABASE_MAX),
        default: Fallback::Value("5s"),
        tuning: false,
        since: FIRST,
        help: "Time for the database to answer a batch.",
    },
    Setting {
        key: "database.connect_timeout",
        variables: &["DB_CONNECT_TIMEOUT"],
        flag: None,
        kind: Kind::Time(|config| &mut config.database.connect_timeout, DATABASE_MIN..=DATABASE_MAX),
        default: Fallback::Value("3s"),
        tuning: false,
        since: FIRST,
        help: "Time for a connection to the database to be made.",
    },
    Setting {
        key: "database.prepare",
        variables: &["DB_PREPARE"],
        flag: None,
        kind: Kind::Word("auto, always or never", |config, text| {
            config.database.prepare = Prepare::parse(text)?;
            Some(config.database.prepare.name())
        }),
        default: Fallback::Value("auto"),
        tuning: false,
        since: FIRST,
        help: "Whether statements are prepared once for each connection; never suits poolers that do not keep them.",
    },
    Setting {
        key: "database.allow_unsafe_durability",
        variables: &[],
        flag: Some("allow-unsafe-durability"),
        kind: Kind::Switch(|config| &mut config.database.allow_unsafe_durability),
        default: Fallback::Value("false"),
        tuning: false,
        since: FIRST,
        help: "Accept a database that may lose confirmed registrations (synchronous_commit off).",
    },
    Setting {
        key: "cluster.state_directory",
        variables: &["JEDAY_STATE_DIRECTORY"],
        flag: None,
        kind: Kind::Directory(|config| &mut config.cluster.state_directory),
        default: Fallback::StateDirectory,
        tuning: false,
        since: FIRST,
        help: "Directory of the private cluster and its keys.",
    },
    Setting {
        key: "registration.batch_size",
        variables: &["REGISTRATION_BATCH_SIZE"],
        flag: None,
        // Past ten thousand, COPY would win, and one batch would hold up its shard's neighbours.
        kind: Kind::Count(|config| &mut config.registration.batch_size, 1..=10_000),
        default: Fallback::Value("400"),
        tuning: true,
        since: FIRST,
        help: "Registrations in one statement at most.",
    },
    Setting {
        key: "registration.batch_wait",
        variables: &["REGISTRATION_BATCH_WAIT"],
        flag: None,
        kind: Kind::Time(|config| &mut config.registration.batch_wait, Duration::ZERO..=seconds(1)),
        default: Fallback::Value("0"),
        tuning: true,
        since: FIRST,
        help: "Extra wait for a batch to grow although a connection is free; 0 is best for nearly everyone.",
    },
    Setting {
        key: "registration.queue_max",
        variables: &[],
        flag: None,
        kind: Kind::Count(|config| &mut config.registration.queue_max, 1..=1_000_000),
        default: Fallback::Value("8192"),
        tuning: true,
        since: FIRST,
        help: "Registrations of each shard that may wait for a statement; more are answered with 503.",
    },
    Setting {
        key: "passwords.min_chars",
        variables: &[],
        flag: None,
        // NIST SP 800-63B (revision 3) section 5.1.1.2 wants 8 at least; 6 leaves room for rules taken over from
        // elsewhere.
        kind: Kind::Count(|config| &mut config.passwords.min_chars, 6..=128),
        default: Fallback::Value("8"),
        tuning: false,
        since: FIRST,
        help: "Fewest characters (code points) of a new password.",
    },
    Setting {
        key: "passwords.max_chars",
        variables: &[],
        flag: None,
        // NIST SP 800-63B (revision 3) section 5.1.1.2: passwords of 64 characters should be permitted.
        kind: Kind::Count(|config| &mut config.passwords.max_chars, 64..=1_024),
        default: Fallback::Value("256"),
        tuning: false,
        since: FIRST,
        help: "Most characters (code points) of a new password.",
    },
    Setting {
        key: "hardening.worker_interval",
        variables: &["WORKER_INTERVAL"],
        flag: None,
        kind: Kind::Time(|config| &mut config.hardening.worker_interval, millis(10)..=seconds(3_600)),
        default: Fallback::Value("1s"),
        tuning: true,
        since: NEXT,
        help: "Time between two looks at the durable queue of passwords to harden.",
    },
    Setting {
        key: "hardening.claim_size",
        variables: &["WORKER_UPGRADE_LIMIT"],
        flag: None,
        kind: Kind::Count(|config| &mut config.hardening.claim_size, 1..=10_000),
        default: Fallback::Value("100"),
        tuning: true,
        since: NEXT,
        help: "Passwords that are claimed from the durable queue at once.",
    },
    Setting {
        key: "tokens.symmetric_key",
        variables: &["TOKEN_SYMMETRIC_KEY"],
        flag: None,
        kind: Kind::Key(|config| &mut config.tokens.symmetric_key),
        default: Fallback::Unset("the keys file is used"),
        tuning: false,
        since: NEXT,
        help: "The Go version's key for access tokens, taken over as it stands.",
    },
    Setting {
        key: "tokens.access_duration",
        variables: &["ACCESS_TOKEN_DURATION"],
        flag: None,
        kind: Kind::Time(|config| &mut config.tokens.access_duration, seconds(10)..=seconds(30 * 86_400)),
        default: Fallback::Value("15m"),
        tuning: false,
        since: NEXT,
        help: "Time from an access token's issue to its expiry.",
    },
    Setting {
        key: "keys.file",
        variables: &["KEY_FILE"],
        flag: Some("key-file"),
        kind: Kind::File(|config| &mut config.keys.file),
        default: Fallback::KeysFile,
        tuning: false,
        since: FIRST,
        help: "File of the peppers and keys that jeday keygen makes.",
    },
    Setting {
        key: "log.level",
        variables: &["LOG_LEVEL"],
        flag: None,
        kind: Kind::Word("trace, debug, info, warn, error or off", |config, text| {
            config.log.level = LogLevel::parse(text)?;
            Some(config.log.level.name())
        }),
        default: Fallback::Value("info"),
        tuning: false,
        since: FIRST,
        help: "How much is logged.",
    },
    Setting {
        key: "log.format",
        variables: &["LOG_FORMAT"],
        flag: None,
        kind: Kind::Word("auto, human or json", |config, text| {
            config.log.format = LogFormat::parse(text)?;
            Some(config.log.format.name())
        }),
        default: Fallback::Value("auto"),
        tuning: false,
        since: FIRST,
        help: "How log lines look; auto is human on a terminal and JSON elsewhere.",
    },
    Setting {
        key: "cores.request_shards",
        variables: &["REQUEST_SHARDS"],
        flag: None,
        kind: Kind::CountOrAuto(|config| &mut config.cores.request_shards, 1..=1_024),
        default: Fallback::Value("auto"),
        tuning: true,
        since: FIRST,
        help: "Shards that serve requests, one a core.",
    },
    Setting {
        key: "cores.password_cores",
        variables: &["PASSWORD_CORES"],
        flag: None,
        kind: Kind::CountOrAuto(|config| &mut config.cores.password_cores, 1..=1_024),
        default: Fallback::Value("auto"),
        tuning: true,
        since: FIRST,
        help: "Cores that compute password hashes.",
    },
    Setting {
        key: "cores.cpus",
        variables: &["CPUS"],
        flag: None,
        kind: Kind::Cpus(|config| &mut config.cores.cpus),
        default: Fallback::Value("auto"),
        tuning: true,
        since: FIRST,
        help: "CPUs to use; auto means all that the process may use.",
    },
];
