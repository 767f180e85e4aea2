//! The laws of the collector, for any bytes on a connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wavefront_sdk_fuzz::run("collector", bytes));
