//! The laws of the border to JavaScript, for any sequence of calls.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wavefront_sdk_fuzz::run("border", bytes));
