//! Ids of users. How one is made and read is said of every [`Id`]; no other kind of id is taken for one.

use super::id::Id;

/// What a [`UserId`] is the id of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum User {}

/// Made of the time of registration; names the bucket of everything that belongs to the user.
pub type UserId = Id<User>;
