//! One endpoint, one file.
