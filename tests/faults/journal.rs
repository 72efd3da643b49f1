//! What clients were told, and the check of it against the database.

use crate::support::server::Deployment;
use std::{collections::HashMap, time::Duration};

/// How one registration ended for its client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// 201, with this id.
    Created(String),
    /// A problem: its status, its code, and whether it says when to try again.
    Problem(u16, String, bool),
    /// The connection ended, or there was none.
    Nothing,
}

/// Every answer, by address.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// How long the answer took that took longest.
    pub(crate) longest: Duration,
    pub(crate) entries: Vec<(String, Told)>,
}

impl Journal {
    pub(crate) fn created(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().filter_map(|(email, told)| match told {
            Told::Created(id) => Some((email.as_str(), id.as_str())),
            _ => None,
        })
    }

    /// How many problems have this code.
    pub(crate) fn problems(&self, code: &str) -> usize {
        self.entries.iter().filter(|(_, told)| matches!(told, Told::Problem(_, other, _) if other == code)).count()
    }

    /// Nothing that was told is untrue, and every address was sent by one client only: a conflict is a false one.
    pub(crate) fn check(&self, deployment: &Deployment<'_>) {
        let rows = deployment.sql("SELECT email || ' ' || id FROM users");
        let stored: HashMap<&str, &str> = rows.lines().map(|row| row.split_once(' ').unwrap()).collect();
        for (email, told) in &self.entries {
            match told {
                Told::Created(id) => {
                    assert_eq!(stored.get(email.as_str()), Some(&id.as_str()), "{email} was confirmed, and is lost");
                }
                Told::Problem(503, code, says_when) => {
                    assert!(says_when, "{email}: {code} without Retry-After");
                    let is_stored = stored.contains_key(email.as_str());
                    assert!(code == "outcome_unknown" || !is_stored, "{email} was stored, and called {code}");
                }
                Told::Problem(status, code, _) => panic!("{email}: {status} {code}"),
                Told::Nothing => {}
            }
        }
        let forgotten = "SELECT count(*) FROM users LEFT JOIN password_upgrade_queue AS queue ON queue.user_id = users.id \
                         WHERE queue.user_id IS NULL AND users.password_hash NOT LIKE '$argon2id$%'";
        assert_eq!(deployment.sql(forgotten), "0", "a user's password would never be hardened");
    }

    /// What was stored was told, to the last one.
    pub(crate) fn check_that_nothing_was_kept_back(&self, deployment: &Deployment<'_>) {
        let stored: usize = deployment.sql("SELECT count(*) FROM users").parse().unwrap();
        assert_eq!(stored, self.created().count(), "a user was stored, and nobody was told");
    }
}
