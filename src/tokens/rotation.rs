//! What a presented refresh token leads to. Pure: the session's row and the time that has passed come as arguments.
//!
//! Each refresh token carries the generation of the session that it was made for. A session is at one generation at a
//! time, and goes to the next by a compare-and-set, so of any number of parallel refreshes one rotates. The others find
//! the generation that theirs led to, and get the token that it has: it is computed, so it is the same.

/// What to do about a refresh token whose secret is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshDecision {
    /// It is the newest: go to the next generation by compare-and-set. Who loses that looks again and decides anew.
    Rotate,
    /// Its successor was made a moment ago, and may have been lost on its way: give that again. Changes nothing.
    SameSuccessor,
    /// Somebody uses a token that was replaced long ago: end the session.
    Theft,
    /// No token of this generation can have been issued: the database is a copy from before. The session stays.
    NotIssued,
}

/// Decides about a token of the generation `presented` of a session that is at `current` since `rotated_ms_ago`.
///
/// That time in milliseconds is below 0 when the look at the session began before the rotation that it sees; such a
/// rotation is fresh. `grace_ms` 0 gives no grace.
#[must_use]
pub const fn decide(presented: u32, current: u32, rotated_ms_ago: i64, grace_ms: i64) -> RefreshDecision {
    match current.checked_sub(presented) {
        None => RefreshDecision::NotIssued,
        Some(0) => RefreshDecision::Rotate,
        Some(1) if rotated_ms_ago < grace_ms => RefreshDecision::SameSuccessor,
        Some(_) => RefreshDecision::Theft,
    }
}

#[cfg(test)]
mod tests;
