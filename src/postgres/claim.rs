//! Claims users of the durable queue for hardening, in a transaction that holds their entries until the hardened
//! records are written back. Others pass over what is claimed, so any number may claim at once.
//!
//! A claim ends with its transaction, however that ends. Before the commit nothing has changed and the entries are free
//! again; after it the records are hardened and the entries gone. So a crash in any place loses and doubles nothing.

use super::{
    link::{Link, LinkError, Sql},
    statements::{
        Sent,
        decode::{RawUuid, id},
        harden::{Change, Hardened, write_back},
    },
};
use crate::account::UserId;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use tokio_postgres::{Row, types::Type};
use zeroize::Zeroizing;

/// What is to be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Users at most.
    pub most: u32,
    /// Only those who registered before this, in milliseconds since 1970: the younger ones are on their way through
    /// memory.
    pub before_unix_ms: u64,
    /// How long the claim may be held; then the server ends it, and its connection with it. A node that hangs must not
    /// keep its claim for ever.
    pub held_max: Duration,
}

/// A user who was claimed.
pub struct Claimed {
    /// Which user.
    pub user: UserId,
    /// The record in force; none when the user is gone or has no password, so that there is nothing to do.
    pub password_hash: Option<Zeroizing<String>>,
}

/// A record to be written back.
pub struct Written {
    /// A user of this claim.
    pub user: UserId,
    /// Takes the place of the record that came with the claim.
    pub new: Box<str>,
}

/// Users who are claimed. Dropping it gives the connection up, and the server ends the transaction.
pub struct Claim<'l> {
    /// The oldest first.
    pub users: Vec<Claimed>,
    transaction: Transaction<'l>,
}

static CLAIM: Sql = Sql {
    name: "claim",
    text: "SELECT queue.user_id, users.password_hash
FROM password_upgrade_queue AS queue
LEFT JOIN users ON users.id = queue.user_id AND users.bucket = queue.bucket
WHERE queue.user_id < $1
ORDER BY queue.user_id
LIMIT $2
FOR UPDATE OF queue SKIP LOCKED",
    types: &[Type::UUID, Type::INT8],
};

/// Claims users on a connection that nothing else uses meanwhile. A claim of nobody is to be finished too: dropping any
/// claim costs the connection.
///
/// # Errors
/// [`LinkError`]; nothing is claimed then, and the connection is given up.
pub async fn claim<'l>(link: &'l Link, wanted: Wanted, deadline: Instant) -> Result<Claim<'l>, LinkError> {
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL idle_in_transaction_session_timeout = {}",
        // 0 would mean for ever, and the server takes no more than an i32.
        wanted.held_max.as_millis().clamp(1, i32::MAX as u128)
    );
    let transaction = Transaction { link, is_open: true };
    link.command(&begin, deadline).await?;
    let before = RawUuid(first_id_of(wanted.before_unix_ms));
    let rows = link.query_planned_anew(&CLAIM, &[&before, &i64::from(wanted.most)], deadline).await?;
    let claimed =
        |row: &Row| Claimed { user: id(row, 0), password_hash: row.get::<_, Option<String>>(1).map(Zeroizing::new) };
    Ok(Claim { users: rows.iter().map(claimed).collect(), transaction })
}

impl Claim<'_> {
    /// Writes records back by compare-and-set and commits. Users who are left out stay in the queue, unless theirs is
    /// no weak record any more or there is none: then they leave it too. Returns how many records were written; the
    /// others had been changed meanwhile.
    ///
    /// # Errors
    /// [`LinkError`]: [`LinkError::Unknown`] when the commit may have gone through all the same; either way the next
    /// claim finds what is left.
    pub async fn finish(self, written: Vec<Written>, deadline: Instant) -> Result<usize, LinkError> {
        let Claim { users, transaction } = self;
        let mut new: HashMap<UserId, Box<str>> = written.into_iter().map(|one| (one.user, one.new)).collect();
        let changes: Vec<_> = users.into_iter().map(|claimed| claimed.with(&mut new)).collect();
        // The order of the queue is the order of ids, in which users are locked.
        let batch: Vec<_> =
            changes.iter().enumerate().map(|(place, item)| Sent { place, item, uncertain: false }).collect();
        let outcomes = write_back(transaction.link, &batch, deadline).await?;
        transaction.end("COMMIT", deadline).await?;
        Ok(outcomes.iter().filter(|outcome| **outcome == Hardened::Hardened).count())
    }

    /// Lets everybody go unchanged and keeps the connection.
    ///
    /// # Errors
    /// [`LinkError`]; nothing is claimed any more all the same.
    pub async fn abandon(self, deadline: Instant) -> Result<(), LinkError> {
        self.transaction.end("ROLLBACK", deadline).await
    }
}

/// The lowest id that can be made in a millisecond.
fn first_id_of(unix_ms: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&unix_ms.to_be_bytes()[2..]);
    id
}

/// A user of a claim and what is to be written.
struct Outgoing {
    user: UserId,
    records: Option<(Zeroizing<String>, Box<str>)>,
}

impl Claimed {
    fn with(self, new: &mut HashMap<UserId, Box<str>>) -> Outgoing {
        let new = new.remove(&self.user);
        Outgoing { user: self.user, records: self.password_hash.zip(new) }
    }
}

impl Change for Outgoing {
    fn user(&self) -> &UserId {
        &self.user
    }

    fn records(&self) -> Option<(&str, &str)> {
        self.records.as_ref().map(|(old, new)| (old.as_str(), new.as_ref()))
    }
}

/// An open transaction: ended by its own word, or with the connection.
struct Transaction<'l> {
    link: &'l Link,
    is_open: bool,
}

impl Transaction<'_> {
    async fn end(mut self, word: &str, deadline: Instant) -> Result<(), LinkError> {
        self.link.command(word, deadline).await?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.link.give_up("a claim was dropped before its end");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Bucket;

    #[test]
    fn boundary_lies_between_the_ids_of_two_milliseconds() {
        let bucket = |number| Bucket::try_from(number).unwrap();
        let boundary = first_id_of(1_738_324_800_000);
        assert!(*UserId::new(1_738_324_799_999, bucket(4095), [0xff; 8]).as_bytes() < boundary);
        assert!(*UserId::new(1_738_324_800_000, bucket(0), [0; 8]).as_bytes() > boundary);
    }
}
