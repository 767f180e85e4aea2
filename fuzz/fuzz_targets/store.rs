//! The laws of a store in a directory, for any damage to its files.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wavefront_sdk_fuzz::run("store", bytes));
