//! libFuzzer's entry to [`jeday_fuzz::token`]: access and refresh tokens.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jeday_fuzz::token(bytes));
