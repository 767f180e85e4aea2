//! The laws of the border, natively: what a fuzzer found worth keeping (`fuzz/corpus/border`), and random calls.
//!
//! The module's files are compiled into this test, as they know one another by these names. `cargo test --features store`
//! is the same with a store.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

extern crate alloc;

#[path = "../src/border.rs"]
mod border;
#[path = "../../tests/laws/border.rs"]
mod border_laws;
#[path = "../src/data.rs"]
mod data;
#[path = "../src/driver.rs"]
mod driver;
#[path = "../src/encode.rs"]
mod encode;
#[path = "../src/fault.rs"]
mod fault;
#[cfg(feature = "store")]
#[path = "../src/keeper.rs"]
mod keeper;
#[path = "../src/pipe.rs"]
mod pipe;
#[path = "../src/strings.rs"]
mod strings;

use std::fs;
use std::path::Path;

/// The last one named is the one that breaks a law.
#[test]
fn corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/border");
    let mut files: Vec<_> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 100, "only {} inputs", files.len());
    for file in files {
        println!("{}", file.display());
        border_laws::bytes(&fs::read(file).unwrap());
    }
}

/// Another way to come by calls than the fuzzer's.
#[test]
fn random_calls() {
    let mut state: u64 = 20_261_123;
    let mut next = || {
        // Xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for run in 0..100 {
        let len = 16 + (next() % 600) as usize;
        let bytes: Vec<u8> = (0..len).map(|_| (next() >> 32) as u8).collect();
        println!("run {run}");
        border_laws::bytes(&bytes);
    }
}
