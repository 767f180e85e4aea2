//! The laws of the delivery with a store behind it, over many lives of a process.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wavefront_sdk_fuzz::run("spool", bytes));
