//! What this shard has just stored or checked, on its way to a hardened record: through memory, to a password core and
//! back into the database. Promises nothing: whatever it drops, the durable queue still has.

use super::statements::Queue;
use crate::{
    account::UserId,
    hardening::{Material, PasswordCore, Upgrade, WeakRecord},
    limits::{FRESH_DEADLINE, FRESH_IN_FLIGHT_MAX},
    postgres::statements::harden::{Harden, Item},
};
use std::{cell::Cell, rc::Rc, time::Instant};
use zeroize::Zeroizing;

/// The hand-over of one shard.
pub(crate) struct Hardener {
    core: Rc<PasswordCore>,
    write_back: Queue<Harden>,
    in_flight: Rc<Cell<usize>>,
    enabled: bool,
}

impl Hardener {
    pub(super) fn new(core: Rc<PasswordCore>, write_back: Queue<Harden>, enabled: bool) -> Hardener {
        Hardener { core, write_back, in_flight: Rc::default(), enabled }
    }

    /// Whether a new record would be taken now. At full load nearly none is, and a copy of each would be in vain.
    pub(crate) fn has_room(&self) -> bool {
        self.enabled && self.in_flight.get() < FRESH_IN_FLIGHT_MAX
    }

    /// Hardens the record of a user that has just been committed.
    pub(crate) fn fresh(&self, user: UserId, weak: &WeakRecord) {
        self.harden(user, Zeroizing::new(weak.as_str().to_owned()), Material::from(weak));
    }

    /// Stores what a login has made better than what was stored, or has it made.
    pub(crate) fn after_login(&self, user: UserId, old: Zeroizing<String>, upgrade: Upgrade) {
        match upgrade {
            Upgrade::Hardened(record) => {
                // A full queue or a failure leaves it to the next login.
                let _ = self.write_back.submit(Item { user, old, new: record.as_str().into() });
            }
            Upgrade::Rehash(material) => self.harden(user, old, material),
        }
    }

    fn harden(&self, user: UserId, old: Zeroizing<String>, material: Material) {
        if self.in_flight.get() >= FRESH_IN_FLIGHT_MAX {
            return;
        }
        let Ok(hardening) = self.core.try_harden(material, Instant::now() + FRESH_DEADLINE) else { return };
        let (write_back, in_flight) = (self.write_back.clone(), self.in_flight.clone());
        in_flight.set(in_flight.get() + 1);
        shards::spawn(async move {
            if let Ok(record) = hardening.await
                && let Ok(written) = write_back.submit(Item { user, old, new: record.as_str().into() })
            {
                let _ = written.await;
            }
            in_flight.set(in_flight.get() - 1);
        })
        .detach();
    }
}
