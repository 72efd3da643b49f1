//! Batched statements: one file each, with its item, its outcome, its SQL and its decoding.
