//! The thread-per-core runtime. Knows no HTTP, no SQL, no password.

pub mod topology;
