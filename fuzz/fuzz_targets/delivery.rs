//! The laws of the delivery, for any client, driver and receiver.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wavefront_sdk_fuzz::run("delivery", bytes));
