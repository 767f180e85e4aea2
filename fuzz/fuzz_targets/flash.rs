//! The laws of a store in flash, for any damage to it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wavefront_sdk_fuzz::run("flash", bytes));
