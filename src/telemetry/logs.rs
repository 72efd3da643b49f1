//! Structured logs on standard error, written by a thread of their own; a shard never waits for them.
//!
//! Lines go through a bounded channel. When whoever reads standard error is too slow, lines are dropped and counted
//! rather than a shard held up.
//!
//! No secret is ever logged, at any level: no password, no token, no key or pepper, no password record, no
//! `Authorization` or body, no connection string before its password is masked. Types that hold one have no `Debug` or
//! mask it, and a caller logs fields it names, never a whole request or configuration. For the same reason records of
//! the `log` facade are not taken in: tokio-postgres writes the parameters of statements there.
//!
//! A field called `shard` is added to every line that a shard's thread logs.

use std::cell::Cell;
use std::fmt;
use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, Layer, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

/// Lines that may wait for the writer: a burst of a second or so, and with lines of 300 bytes under 3 MiB.
const WAITING_LINES_MAX: usize = 8_192;

/// The field that names the shard.
const SHARD_FIELD: &str = "shard";

thread_local! {
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Lets every line that this thread logs say which shard it is.
pub fn name_shard(shard: usize) {
    SHARD.set(Some(shard));
}

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people when standard error is a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people, coloured on a terminal unless `NO_COLOR` is set.
    Human,
    /// One JSON object a line: `timestamp` (RFC 3339, UTC), `level`, `message`, `target`, `shard` where known, and
    /// the event's own fields.
    Json,
}

/// The value is no log format.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a log format is one of auto, human, json")]
pub struct UnknownFormat;

impl FromStr for LogFormat {
    type Err = UnknownFormat;

    fn from_str(value: &str) -> Result<Self, UnknownFormat> {
        match value {
            "auto" => Ok(Self::Auto),
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(UnknownFormat),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Human => "human",
            Self::Json => "json",
        })
    }
}

/// Why logging could not begin.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InitError {
    /// The level is neither a level nor a list of directives.
    #[error(
        "log level {0:?} is unknown: use off, error, warn, info, debug or trace, \
         or directives such as info,jeday::postgres=debug"
    )]
    UnknownLevel(String),
    /// Logging has begun before.
    #[error("logging has already begun")]
    AlreadyBegun,
}

/// Begins logging to standard error for the whole process. `level` is a level, or directives such as
/// `info,jeday::postgres=debug`.
///
/// Keep the guard until the process ends: dropping it writes what still waits, for at most about a second.
///
/// # Errors
/// When the level is unknown or logging has begun before.
pub fn init(level: &str, format: LogFormat) -> Result<LogGuard, InitError> {
    let filter = parse_level(level)?;
    let terminal = io::stderr().is_terminal();
    let style = match format {
        LogFormat::Auto if terminal => Style::human(terminal),
        LogFormat::Human => Style::human(terminal),
        LogFormat::Auto | LogFormat::Json => Style::Json,
    };
    let (writer, guard) = background(io::stderr(), WAITING_LINES_MAX);
    tracing::subscriber::set_global_default(subscriber(filter, style, writer)).map_err(|_| InitError::AlreadyBegun)?;
    Ok(guard)
}

/// Keeps the log's writer alive; dropping it flushes.
#[derive(Debug)]
#[must_use = "dropping the guard ends logging"]
pub struct LogGuard {
    dropped: DroppedLines,
    _worker: WorkerGuard,
}

impl LogGuard {
    /// The count of lines that were dropped, for
    /// [`Registry::export_dropped_lines`](super::Registry::export_dropped_lines).
    pub fn dropped_lines(&self) -> DroppedLines {
        self.dropped.clone()
    }
}

/// How many lines were dropped because the writer was too slow.
#[derive(Clone, Debug)]
pub struct DroppedLines(ErrorCounter);

impl DroppedLines {
    /// The count now.
    pub fn get(&self) -> u64 {
        self.0.dropped_lines() as u64
    }
}

fn background(
    writer: impl io::Write + Send + 'static,
    lines_max: usize,
) -> (tracing_appender::non_blocking::NonBlocking, LogGuard) {
    let (writer, worker) =
        NonBlockingBuilder::default().buffered_lines_limit(lines_max).lossy(true).thread_name("logs").finish(writer);
    let guard = LogGuard { dropped: DroppedLines(writer.error_counter()), _worker: worker };
    (writer, guard)
}

/// A bare word that is no level would be taken for the name of a target and silence everything else, so it is refused.
fn parse_level(level: &str) -> Result<EnvFilter, InitError> {
    let unknown = || InitError::UnknownLevel(level.to_owned());
    for directive in level.split(',') {
        let bare = !directive.contains(['=', '[']);
        if directive.is_empty() || bare && directive.parse::<LevelFilter>().is_err() {
            return Err(unknown());
        }
    }
    EnvFilter::builder().parse(level).map_err(|_| unknown())
}

#[derive(Clone, Copy, Debug)]
enum Style {
    Human { colours: bool },
    Json,
}

impl Style {
    fn human(terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::Human { colours: terminal && !refused }
    }
}

fn subscriber<W>(filter: EnvFilter, style: Style, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let registry = tracing_subscriber::registry().with(filter);
    let layer = Layer::new().with_writer(writer);
    match style {
        Style::Human { colours } => Box::new(registry.with(
            layer.with_ansi(colours).event_format(WithShard { inner: format::format().with_ansi(colours), style }),
        )),
        Style::Json => {
            let inner = format::format().json().flatten_event(true).with_span_list(false);
            Box::new(
                registry.with(
                    layer.with_ansi(false).fmt_fields(JsonFields::new()).event_format(WithShard { inner, style }),
                ),
            )
        }
    }
}

/// Adds the shard to the end of a line that another format has made.
struct WithShard<E> {
    inner: E,
    style: Style,
}

impl<S, N, E> FormatEvent<S, N> for WithShard<E>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    E: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let named = event.metadata().fields().field(SHARD_FIELD).is_some();
        let Some(shard) = SHARD.get().filter(|_| !named) else {
            return self.inner.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end_matches('\n');
        match (self.style, line.strip_suffix('}')) {
            (Style::Json, Some(open)) => writeln!(writer, "{open},\"{SHARD_FIELD}\":{shard}}}"),
            _ => writeln!(writer, "{line} {SHARD_FIELD}={shard}"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
