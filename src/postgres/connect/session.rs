//! What one query right after log-in tells about the session: who serves it, whether it takes writes, and whether
//! its commits are durable.

use super::super::target::SessionAttributes;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// By the simple protocol: no statement is prepared, so any pooler takes it. A setting that an engine does not have
/// reads as NULL and is taken for sound.
const QUESTION: &str = "SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery(), \
     current_setting('transaction_read_only', true), current_setting('server_version', true), \
     current_setting('synchronous_commit', true), current_setting('synchronous_standby_names', true), \
     current_setting('fsync', true), current_setting('full_page_writes', true)";

/// A setting under which committed transactions can be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weakness {
    /// The server's setting.
    pub setting: &'static str,
    /// Its value in this session.
    pub value: &'static str,
    /// What could happen.
    pub danger: &'static str,
    /// What to run on the server.
    pub remedy: &'static str,
}

pub(super) struct Facts {
    pub(super) backend: i32,
    pub(super) version: String,
    in_recovery: bool,
    read_only: bool,
    synchronous_commit: String,
    has_synchronous_standby: bool,
    fsync: bool,
    full_page_writes: bool,
}

impl Facts {
    pub(super) async fn ask(client: &Client) -> Result<Facts, Error> {
        let answer = client.simple_query(QUESTION).await?;
        let row = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let column = |index: usize| row.and_then(|row| row.get(index)).unwrap_or("");
        Ok(Facts {
            // 0 is nobody's process, so that a strange answer counts as a pooler.
            backend: column(0).parse().unwrap_or(0),
            in_recovery: column(1) == "t",
            read_only: column(2) == "on",
            version: column(3).to_owned(),
            synchronous_commit: column(4).to_owned(),
            has_synchronous_standby: !column(5).is_empty(),
            fsync: column(6) != "off",
            full_page_writes: column(7) != "off",
        })
    }

    /// libpq's target_session_attrs.
    pub(super) fn satisfies(&self, wanted: SessionAttributes) -> bool {
        match wanted {
            SessionAttributes::Any | SessionAttributes::PreferStandby => true,
            SessionAttributes::ReadWrite => !self.read_only && !self.in_recovery,
            SessionAttributes::ReadOnly => self.read_only || self.in_recovery,
            SessionAttributes::Primary => !self.in_recovery,
            SessionAttributes::Standby => self.in_recovery,
        }
    }

    pub(super) fn weakness(&self) -> Option<Weakness> {
        if !self.fsync {
            return Some(Weakness {
                setting: "fsync",
                value: "off",
                danger: "a crash of its machine can destroy the whole database",
                remedy: "ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();",
            });
        }
        if !self.full_page_writes {
            return Some(Weakness {
                setting: "full_page_writes",
                value: "off",
                danger: "a crash of its machine can leave half-written pages that nothing repairs",
                remedy: "ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf();",
            });
        }
        match self.synchronous_commit.as_str() {
            "off" => Some(Weakness {
                setting: "synchronous_commit",
                value: "off",
                danger: "commits are confirmed before they reach the disk",
                remedy: "ALTER ROLE ... SET synchronous_commit = on, or the same for the database or the system; \
                         see pg_db_role_setting and pg_settings for where it is off",
            }),
            "local" if self.has_synchronous_standby => Some(Weakness {
                setting: "synchronous_commit",
                value: "local",
                danger: "commits are confirmed before a synchronous standby has them, and a failover loses them",
                remedy: "ALTER ROLE ... SET synchronous_commit = on, or empty synchronous_standby_names",
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Facts {
        Facts {
            backend: 1,
            version: "15".into(),
            in_recovery: false,
            read_only: false,
            synchronous_commit: "on".into(),
            has_synchronous_standby: false,
            fsync: true,
            full_page_writes: true,
        }
    }

    #[test]
    fn commits_that_may_be_lost_are_a_weakness() {
        let setting = |facts: Facts| facts.weakness().map(|weakness| weakness.setting);
        let commit = |value: &str, has_synchronous_standby| {
            setting(Facts { synchronous_commit: value.into(), has_synchronous_standby, ..sound() })
        };
        for value in ["on", "remote_apply", "remote_write", "local", ""] {
            assert_eq!(commit(value, false), None, "{value}");
        }
        for value in ["on", "remote_apply", "remote_write"] {
            assert_eq!(commit(value, true), None, "{value}");
        }
        assert_eq!(commit("local", true), Some("synchronous_commit"));
        assert_eq!(commit("off", false), Some("synchronous_commit"));
        assert_eq!(setting(Facts { fsync: false, ..sound() }), Some("fsync"));
        assert_eq!(setting(Facts { full_page_writes: false, ..sound() }), Some("full_page_writes"));
    }

    #[test]
    fn session_attributes_follow_libpq() {
        use SessionAttributes::*;
        let standby = Facts { in_recovery: true, read_only: true, ..sound() };
        let read_only_primary = Facts { read_only: true, ..sound() };
        let accepted =
            |facts: &Facts| [Any, ReadWrite, ReadOnly, Primary, Standby].map(|wanted| facts.satisfies(wanted));
        assert_eq!(accepted(&sound()), [true, true, false, true, false]);
        assert_eq!(accepted(&standby), [true, false, true, false, true]);
        assert_eq!(accepted(&read_only_primary), [true, false, true, true, false]);
    }
}
