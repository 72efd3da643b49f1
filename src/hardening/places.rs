//! Places in the queue of the password cores: taken before what is stored is looked up, held until the password has
//! been checked. No origin holds more than its share, so that one who has only right passwords cannot keep all others
//! out. Never waits.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

/// Whom a password comes from, as far as an address tells.
pub type Origin = [u8; 9];

/// The places of one shard.
#[derive(Default)]
pub(super) struct Places {
    /// Passwords that were admitted and have not come yet.
    coming: Cell<usize>,
    /// Places by origin; none is zero, so there are never more entries than places.
    held: RefCell<HashMap<Origin, usize>>,
}

/// A place, held for one password until this is dropped.
#[must_use = "the place is given up when this is dropped"]
pub struct Place<'p> {
    places: &'p Places,
    origin: Origin,
    has_come: Cell<bool>,
}

impl Places {
    /// A place for a password of this origin, which has not come yet; none beyond `share`.
    pub(super) fn take(&self, origin: Origin, share: usize) -> Option<Place<'_>> {
        let mut held = self.held.borrow_mut();
        if held.get(&origin).copied().unwrap_or(0) >= share {
            return None;
        }
        *held.entry(origin).or_default() += 1;
        self.coming.set(self.coming.get() + 1);
        Some(Place { places: self, origin, has_come: Cell::new(false) })
    }

    /// Passwords that have a place and have not come yet: those that have are in the queue, and counted there.
    pub(super) fn coming(&self) -> usize {
        self.coming.get()
    }
}

impl Place<'_> {
    /// The password has come: from here on the queue counts it.
    pub(super) fn arrive(&self) {
        if !self.has_come.replace(true) {
            self.places.coming.set(self.places.coming.get() - 1);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.arrive();
        let mut held = self.places.held.borrow_mut();
        let count = held.get_mut(&self.origin).expect("an origin with a place is counted");
        *count -= 1;
        if *count == 0 {
            held.remove(&self.origin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_its_share_and_leaves_the_rest_to_others() {
        let places = Places::default();
        let own: Vec<_> = (0..2).map(|_| places.take([1; 9], 2)).collect();
        assert!(own.iter().all(Option::is_some));
        assert!(places.take([1; 9], 2).is_none());
        let other = places.take([2; 9], 2);
        assert!(other.is_some());
        assert_eq!(places.coming(), 3);
        other.as_ref().unwrap().arrive();
        assert_eq!(places.coming(), 2, "counted by the queue now");
        drop((own, other));
        assert_eq!((places.coming(), places.held.borrow().len()), (0, 0));
        assert!(places.take([1; 9], 2).is_some());
    }
}
