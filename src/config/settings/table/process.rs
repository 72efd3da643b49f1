//! What concerns the process as a whole: its keys, its logs, its cores.

use super::super::{Fallback, Kind, Setting};
use super::FIRST;
use crate::config::{LogFormat, LogLevel};

/// As long as the names that tokens have.
const SERVICE_NAME_BYTES_MAX: usize = 255;

pub(super) const PROCESS: &[Setting] = &[
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
        key: "tracing.collector",
        variables: &["OTEL_EXPORTER_OTLP_ENDPOINT"],
        flag: None,
        kind: Kind::HttpUrl(|config| &mut config.tracing.collector),
        default: Fallback::Unset("no traces"),
        tuning: false,
        since: FIRST,
        help: "Collector of OpenTelemetry that traces are sent to by OTLP over HTTP, at its path v1/traces.",
    },
    Setting {
        key: "tracing.endpoint",
        variables: &["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
        flag: None,
        kind: Kind::HttpUrl(|config| &mut config.tracing.endpoint),
        default: Fallback::Unset("the path v1/traces of tracing.collector"),
        tuning: false,
        since: FIRST,
        help: "URL that traces are sent to as it stands, in place of tracing.collector.",
    },
    Setting {
        key: "tracing.sample_ratio",
        variables: &["OTEL_TRACES_SAMPLER_ARG"],
        flag: None,
        kind: Kind::Ratio(|config| &mut config.tracing.sample_ratio),
        default: Fallback::Value("0.01"),
        tuning: false,
        since: FIRST,
        help: "Share of requests that are recorded, 0 to 1; a traceparent of a trusted proxy decides instead.",
    },
    Setting {
        key: "tracing.service_name",
        variables: &["OTEL_SERVICE_NAME"],
        flag: None,
        kind: Kind::Text(|config| &mut config.tracing.service_name, SERVICE_NAME_BYTES_MAX),
        default: Fallback::Value("jeday"),
        tuning: false,
        since: FIRST,
        help: "Name under which traces show this service.",
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
