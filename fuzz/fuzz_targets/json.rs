//! libFuzzer's entry to [`jeday_fuzz::json`]: the JSON of a body.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jeday_fuzz::json(bytes));
