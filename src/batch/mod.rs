//! Group commit: items go in, one statement goes out, every item gets its own outcome.
