//! libFuzzer's entry to [`jeday_fuzz::head`]: requests as they arrive on a connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jeday_fuzz::head(bytes));
