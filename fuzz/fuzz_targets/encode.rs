//! The laws of the encoders, for a datum of any kind.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wavefront_sdk_fuzz::run("encode", bytes));
