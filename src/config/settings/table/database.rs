//! The way to PostgreSQL, and the private cluster.

use super::super::{Fallback, Kind, Setting};
use super::{FIRST, millis, seconds};
use crate::config::Prepare;
use std::time::Duration;

/// A commit on a slow disk takes tens of milliseconds: a shorter limit would only produce unknown outcomes.
const DATABASE_MIN: Duration = millis(50);
const DATABASE_MAX: Duration = seconds(300);

pub(super) const DATABASE: &[Setting] = &[
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
        since: FIRST,
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
];
