//! Ids of sessions. How one is made and read is said of every [`Id`]; no other kind of id is taken for one.

use super::id::Id;

/// What a [`SessionId`] is the id of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Session {}

/// Made of the time of the login; its bucket is that of its user, so a token that names a session tells where both are.
pub type SessionId = Id<Session>;
