//! libFuzzer's entry to [`jeday_fuzz::body`]: the framing of a body.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jeday_fuzz::body(bytes));
