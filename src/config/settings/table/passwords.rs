//! Passwords: how they come in, what they must look like, how they are hardened.

use super::super::{Fallback, Kind, Setting};
use super::{FIRST, GIB, KIB, PEER_MIN, millis, seconds};
use crate::config::Argon2Preset;
use std::time::Duration;

pub(super) const PASSWORDS: &[Setting] = &[
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
        key: "hardening.background",
        variables: &[],
        flag: None,
        kind: Kind::Switch(|config| &mut config.hardening.background),
        default: Fallback::Value("true"),
        tuning: true,
        since: FIRST,
        help: "Whether this server hardens stored passwords; off where jeday worker does so on other machines.",
    },
    Setting {
        key: "hardening.worker_interval",
        variables: &["WORKER_INTERVAL"],
        flag: None,
        kind: Kind::Time(|config| &mut config.hardening.worker_interval, millis(10)..=seconds(3_600)),
        default: Fallback::Value("1s"),
        tuning: true,
        since: FIRST,
        help: "Time between two looks at the durable queue of passwords to harden.",
    },
    Setting {
        key: "hardening.weak_age_max",
        variables: &[],
        flag: None,
        // A record is ten seconds old when it may be claimed, and a node that hangs keeps it for some more.
        kind: Kind::Time(|config| &mut config.hardening.weak_age_max, seconds(45)..=seconds(86_400)),
        default: Fallback::Value("1m"),
        tuning: false,
        since: FIRST,
        help: "Age of a stored password that is not hardened yet, above which the log and a metric say so, if password cores were free.",
    },
    Setting {
        key: "hardening.claim_size",
        variables: &["WORKER_UPGRADE_LIMIT"],
        flag: None,
        kind: Kind::Count(|config| &mut config.hardening.claim_size, 1..=10_000),
        default: Fallback::Value("100"),
        tuning: true,
        since: FIRST,
        help: "Passwords that are claimed from the durable queue at once.",
    },
    Setting {
        key: "hardening.preset",
        variables: &["ARGON2_PRESET"],
        flag: None,
        kind: Kind::Word("default, owasp-46m, owasp-19m, owasp-12m, owasp-9m or owasp-7m", |config, text| {
            config.hardening.preset = Argon2Preset::parse(text)?;
            Some(config.hardening.preset.name())
        }),
        default: Fallback::Value("default"),
        tuning: false,
        since: FIRST,
        help: "Argon2id's parameters by name: default is 64 MiB, 1 pass, 4 lanes; the others are OWASP's, named by their memory, the less of it the more passes.",
    },
    Setting {
        key: "hardening.memory",
        variables: &["ARGON2_MEMORY"],
        flag: None,
        // 64KiB is for tests; what a server may use is checked against OWASP's recommendations where hashing starts.
        kind: Kind::BytesOrAuto(|config| &mut config.hardening.memory, 64 * KIB..=4 * GIB),
        default: Fallback::Value("auto"),
        tuning: false,
        since: FIRST,
        help: "Memory of one Argon2id hash; auto means the preset's. A number without a unit is bytes, not KiB.",
    },
    Setting {
        key: "hardening.passes",
        variables: &["ARGON2_PASSES"],
        flag: None,
        kind: Kind::CountOrAuto(|config| &mut config.hardening.passes, 1..=64),
        default: Fallback::Value("auto"),
        tuning: false,
        since: FIRST,
        help: "Passes of Argon2id over its memory; auto means the preset's.",
    },
    Setting {
        key: "hardening.lanes",
        variables: &["ARGON2_LANES"],
        flag: None,
        kind: Kind::CountOrAuto(|config| &mut config.hardening.lanes, 1..=64),
        default: Fallback::Value("auto"),
        tuning: false,
        since: FIRST,
        help: "Lanes of Argon2id; auto means the preset's. They are part of the hash: a core computes all of them.",
    },
    Setting {
        key: "hardening.allow_weak_parameters",
        variables: &[],
        flag: None,
        kind: Kind::Switch(|config| &mut config.hardening.allow_weak_parameters),
        default: Fallback::Value("false"),
        tuning: false,
        since: FIRST,
        help: "Accept parameters of Argon2id below the smallest that OWASP recommends.",
    },
    Setting {
        key: "hardening.queue_max",
        variables: &[],
        flag: None,
        kind: Kind::Count(|config| &mut config.hardening.queue_max, 1..=65_536),
        default: Fallback::Value("64"),
        tuning: true,
        since: FIRST,
        help: "Logins that may wait for each group of password cores; more are answered with 503.",
    },
    Setting {
        key: "hardening.login_deadline",
        variables: &[],
        flag: None,
        // A hash takes some 50 ms: a shorter wait would refuse the second of two logins.
        kind: Kind::Time(|config| &mut config.hardening.login_deadline, PEER_MIN..=seconds(60)),
        default: Fallback::Value("5s"),
        tuning: true,
        since: FIRST,
        help: "Longest that a login waits for a password core; one that would wait longer is answered with 503 at once.",
    },
];
