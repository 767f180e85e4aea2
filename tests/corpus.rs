//! What the fuzzers found worth keeping (`fuzz/corpus`), held to the same laws without a fuzzer.

#![allow(clippy::unwrap_used)]
#![cfg(feature = "std")]

mod laws;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

/// Runs every input of `target`; the last one named is the one that breaks a law.
fn replay(target: &str) {
    let (_, run) = laws::TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let mut files: Vec<_> = fs::read_dir(corpus().join(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 100, "only {} inputs of {target}", files.len());
    for file in files {
        println!("{}", file.display());
        run(&fs::read(file).unwrap());
    }
}

#[test]
fn encode() {
    replay("encode");
}

#[test]
fn parse() {
    replay("parse");
}

#[test]
fn delivery() {
    replay("delivery");
}

#[test]
fn endpoint() {
    replay("endpoint");
}

#[test]
fn spool() {
    replay("spool");
}

#[cfg(feature = "spool")]
#[test]
fn store() {
    replay("store");
}

#[cfg(feature = "collector")]
#[test]
fn collector() {
    replay("collector");
}

#[cfg(feature = "flash")]
#[test]
fn flash() {
    replay("flash");
}

/// A target that nobody replays would rot.
#[test]
fn every_target_has_its_corpus() {
    let names = |names: &mut dyn Iterator<Item = String>| names.collect::<BTreeSet<_>>();
    let folder = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let mut known = names(&mut laws::TARGETS.iter().map(|(name, _)| (*name).to_owned()));
    // Without its feature there is nothing to hold to the laws; the border's are held where its code is (`wasm/tests`).
    known.extend(["store", "collector", "flash", "border"].map(str::to_owned));
    assert_eq!(names(&mut folder(&corpus()).map(stem)), known);
    assert_eq!(names(&mut folder(&corpus().with_file_name("fuzz_targets")).map(stem)), known);
}
