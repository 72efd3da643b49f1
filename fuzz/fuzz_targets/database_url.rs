//! libFuzzer's entry to [`jeday_fuzz::database_url`]: the URL of a database.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jeday_fuzz::database_url(bytes));
