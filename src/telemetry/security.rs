//! Security events: what an operator, or a program that watches the log, wants to know of logins and sessions.
//! Structured log records under the target `security`, with names and fields that stay as they are; the README lists
//! them.
//!
//! Never an email, a token or a password: who is meant is said by the ids of user and session. A flood of one kind
//! fills neither the log nor the place of other kinds: past a bound, records are counted instead of written, and the
//! next one says how many. The metric `jeday_security_events_total` counts all of them.

use std::cell::Cell;
use std::fmt::Display;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::counters::Counter;
use super::traces::TraceIds;
use crate::limits::SECURITY_RECORDS_PER_SECOND;

/// The target of all security events, by which a program that reads the log finds them.
pub const SECURITY_TARGET: &str = "security";

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityEventKind {
    /// A password was right, and a session began.
    LoginSucceeded,
    /// No session began: the reason says why.
    LoginFailed,
    /// An attempt was refused before its password was checked.
    LoginRateLimited,
    /// A registration was refused.
    RegistrationRateLimited,
    /// A refresh token was presented that had been used up: somebody has a copy, and the session was ended.
    RefreshReused,
    /// A user ended a session.
    SessionEnded,
    /// A user ended all sessions.
    SessionsEnded,
    /// The key file got another newest key of a kind.
    KeyRotated,
}

/// What a kind is called, and which fields its records have besides those of every record.
struct Description {
    name: &'static str,
    warning: bool,
    fields: &'static [&'static str],
}

impl SecurityEventKind {
    /// All of them, in the order of their counters.
    pub const ALL: [Self; 8] = [
        Self::LoginSucceeded,
        Self::LoginFailed,
        Self::LoginRateLimited,
        Self::RegistrationRateLimited,
        Self::RefreshReused,
        Self::SessionEnded,
        Self::SessionsEnded,
        Self::KeyRotated,
    ];

    const fn description(self) -> Description {
        let (name, warning, fields): (_, _, &[_]) = match self {
            Self::LoginSucceeded => ("login_succeeded", false, &["user", "session", "address"]),
            Self::LoginFailed => ("login_failed", true, &["user", "address", "reason"]),
            Self::LoginRateLimited => ("login_rate_limited", true, &["address", "reason"]),
            Self::RegistrationRateLimited => ("registration_rate_limited", true, &["address", "reason"]),
            Self::RefreshReused => ("refresh_reused", true, &["user", "session", "address"]),
            Self::SessionEnded => ("session_ended", false, &["user", "session", "address", "reason"]),
            Self::SessionsEnded => ("sessions_ended", false, &["user", "address", "reason", "count"]),
            Self::KeyRotated => ("key_rotated", false, &["reason", "key"]),
        };
        Description { name, warning, fields }
    }

    /// The name in the field `event`, and in the metric. Stable.
    pub const fn name(self) -> &'static str {
        self.description().name
    }

    /// `WARN` for what may be an attack, `INFO` for the rest.
    pub const fn level(self) -> &'static str {
        if self.description().warning { "WARN" } else { "INFO" }
    }

    /// The fields that its records may have, besides `event`, `trace_id`, `span_id` and `suppressed`. Stable.
    pub const fn fields(self) -> &'static [&'static str] {
        self.description().fields
    }
}

/// One event, with what is known of it. Fields that its kind does not have must not be set.
#[derive(Clone, Copy)]
#[must_use = "an event is recorded by a SecurityLog"]
pub struct SecurityEvent<'a> {
    kind: SecurityEventKind,
    user: Option<&'a dyn Display>,
    session: Option<&'a dyn Display>,
    address: Option<IpAddr>,
    reason: Option<&'static str>,
    count: Option<u64>,
    key: Option<&'a dyn Display>,
    trace: Option<TraceIds>,
}

impl<'a> SecurityEvent<'a> {
    /// An event of which only the kind is known.
    pub const fn new(kind: SecurityEventKind) -> Self {
        Self { kind, user: None, session: None, address: None, reason: None, count: None, key: None, trace: None }
    }

    /// The user's id; never an email or a name.
    pub const fn user(self, user: &'a dyn Display) -> Self {
        Self { user: Some(user), ..self }
    }

    /// The session's id; never a token.
    pub const fn session(self, session: &'a dyn Display) -> Self {
        Self { session: Some(session), ..self }
    }

    /// The client's address.
    pub const fn address(self, address: IpAddr) -> Self {
        Self { address: Some(address), ..self }
    }

    /// Why, as one word in snake_case.
    pub const fn reason(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// How many sessions.
    pub const fn count(self, count: u64) -> Self {
        Self { count: Some(count), ..self }
    }

    /// The key's public name.
    pub const fn key(self, key: &'a dyn Display) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The trace of the request, if it has one.
    pub const fn trace(self, trace: Option<TraceIds>) -> Self {
        Self { trace, ..self }
    }

    /// Writes the record, whatever was written before: for programs that do one thing and end. A server has a
    /// [`SecurityLog`].
    pub fn write(&self) {
        self.write_after(0);
    }

    fn write_after(&self, suppressed: u64) {
        debug_assert!(self.has_only_its_fields(), "{} has a field that it must not have", self.kind.name());
        let suppressed = (suppressed > 0).then_some(suppressed);
        // A level is part of what is compiled, so there are two of these.
        macro_rules! write {
            ($level:ident) => {
                tracing::event!(
                    target: SECURITY_TARGET,
                    tracing::Level::$level,
                    event = self.kind.name(),
                    user = self.user.map(tracing::field::display),
                    session = self.session.map(tracing::field::display),
                    address = self.address.map(tracing::field::display),
                    reason = self.reason,
                    count = self.count,
                    key = self.key.map(tracing::field::display),
                    trace_id = self.trace.map(|ids| tracing::field::display(ids.trace)),
                    span_id = self.trace.map(|ids| tracing::field::display(ids.span)),
                    suppressed,
                )
            };
        }
        match self.kind.description().warning {
            true => write!(WARN),
            false => write!(INFO),
        }
    }

    fn has_only_its_fields(&self) -> bool {
        let set = [
            ("user", self.user.is_some()),
            ("session", self.session.is_some()),
            ("address", self.address.is_some()),
            ("reason", self.reason.is_some()),
            ("count", self.count.is_some()),
            ("key", self.key.is_some()),
        ];
        set.iter().all(|(name, is_set)| !is_set || self.kind.fields().contains(name))
    }
}

/// How many events of each kind a shard has seen, written or not.
#[derive(Debug, Default)]
pub struct SecurityEvents {
    pub(super) kinds: [Counter; SecurityEventKind::ALL.len()],
}

/// The way of one shard's security events into the log.
#[derive(Debug, Default)]
pub struct SecurityLog {
    gates: [Gate; SecurityEventKind::ALL.len()],
}

impl SecurityLog {
    /// Counts the event, and writes it unless this second has had enough of its kind.
    pub fn record(&self, event: &SecurityEvent<'_>, counted: &SecurityEvents, now: Instant) {
        let slot = event.kind as usize;
        counted.kinds[slot].inc();
        if let Some(suppressed) = self.gates[slot].admit(now) {
            event.write_after(suppressed);
        }
    }
}

/// Lets a number of records through in each second, and counts the others.
#[derive(Debug, Default)]
struct Gate {
    opened_at: Cell<Option<Instant>>,
    admitted: Cell<u32>,
    suppressed: Cell<u64>,
}

impl Gate {
    /// When one may be written: how many were held back since the last one that was.
    fn admit(&self, now: Instant) -> Option<u64> {
        const SECOND: Duration = Duration::from_secs(1);
        if self.opened_at.get().is_none_or(|at| now.saturating_duration_since(at) >= SECOND) {
            self.opened_at.set(Some(now));
            self.admitted.set(0);
        }
        if self.admitted.get() == SECURITY_RECORDS_PER_SECOND {
            self.suppressed.set(self.suppressed.get().saturating_add(1));
            return None;
        }
        self.admitted.set(self.admitted.get() + 1);
        Some(self.suppressed.take())
    }
}

#[cfg(test)]
mod tests;
