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

use wavefront_sdk::Kind;

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

/// Strings where the core reads them; how many there are.
fn write(core: &mut border::Core, texts: &[&str]) -> u32 {
    let all = texts.concat();
    core.areas(all.len() as u32, 256, 2);
    core.text[..all.len()].copy_from_slice(all.as_bytes());
    core.words.iter_mut().zip(texts).for_each(|(word, text)| *word = text.len() as u32);
    texts.len() as u32
}

/// What a sender's ledger counts: row, column (see `js/ledger.js`), and how many.
fn counted(core: &mut border::Core, pipe: u32) -> Vec<(Kind, usize, u32)> {
    const ROW: usize = 18;
    core.ledger(pipe);
    let cells = Kind::ALL.into_iter().flat_map(|kind| (0..ROW).map(move |column| (kind, column)));
    cells.zip(&core.words).map(|((kind, column), count)| (kind, column, *count)).filter(|cell| cell.2 != 0).collect()
}

const INVALID: usize = 15;
const SKIPPED: usize = 16;

#[test]
fn a_wrong_value_of_a_series_is_counted_as_invalid_of_its_kind() {
    let mut core = border::Core::NEW;
    let strings = write(&mut core, &["s"]);
    let pipe = core.open(strings, 100, 10, 1_000.0, 1_000.0, false);
    for (name, kind) in [("a", Kind::Metric), ("∆a", Kind::Delta)] {
        let strings = write(&mut core, &["", name, ""]);
        core.numbers.copy_from_slice(&[-1.0, 1.0]);
        let series = core.send(pipe, data::SERIES, strings, 2);
        assert!(pipe >= 0 && series >= 0, "{pipe} {series}");
        let before = counted(&mut core, pipe as u32);
        let wrong = [(f64::NAN, -1.0), (f64::INFINITY, -1.0), (1.0, 1.5), (1.0, -2.0), (1.0, f64::NAN)];
        for (at, (value, time)) in wrong.into_iter().enumerate() {
            assert_eq!(core.value(pipe as u32, series as u32, value, time), -1, "{value} at {time}");
            let expected = [&before[..], &[(kind, INVALID, at as u32 + 1)]].concat();
            assert_eq!(counted(&mut core, pipe as u32), expected, "{value} at {time}");
        }
    }
    // What has nothing to say is no mistake.
    let strings = write(&mut core, &["", "a", ""]);
    core.numbers.copy_from_slice(&[-1.0, 0.0]);
    assert_eq!(core.send(pipe, data::DELTA, strings, 2), 0);
    let expected = [(Kind::Metric, INVALID, 5), (Kind::Delta, INVALID, 5), (Kind::Delta, SKIPPED, 1)];
    assert_eq!(counted(&mut core, pipe as u32), expected);
}

/// What JavaScript is told of a record that is lost: whose lines, how many and why; the ledger says the same.
#[cfg(feature = "store")]
#[test]
fn a_lost_record_is_told_of_with_its_kind_and_why() {
    const NOW: f64 = 1.7e12;
    const OLD: f64 = 1.6e12;
    let mut core = border::Core::NEW;
    let strings = write(&mut core, &["s"]);
    let pipe = core.open(strings, 100, 10, 1_000.0, 1_000.0, false) as u32;
    core.store_attach(pipe, true, 200.0, 1e9);
    // Of each kind one record stands there: three are too old, three are damaged, and one is as it was put.
    let lines = |kind: Kind| kind as u32 + 1;
    let text = |lines: u32| b"\"a\" 1.0 source=\"s\"\n".repeat(lines as usize);
    let is_old = |kind: Kind| (kind as usize).is_multiple_of(2) && kind != Kind::SourceTag;
    let mut told = Vec::new();
    while core.store_due(pipe, NOW) == -2.0 {
        let [what, kind, key, ..] = *core.words.first_chunk::<6>().unwrap();
        let kind = Kind::ALL[kind as usize];
        let reply = match (what, key) {
            (1, 0..=1) => {
                core.words[..3].copy_from_slice(&[1, lines(kind), text(lines(kind)).len() as u32]);
                core.numbers[0] = if is_old(kind) { OLD } else { NOW };
                2
            }
            (1, _) => 1,
            (2, _) if kind == Kind::SourceTag => 0,
            (2, _) => 4,
            _ => 0,
        };
        let lost = core.store_reply(pipe, reply, NOW);
        if lost > 0 {
            told.push((Kind::ALL[core.words[0] as usize], core.words[1], lost));
        }
    }
    told.sort_unstable_by_key(|(kind, ..)| *kind as usize);
    let of = Kind::ALL.into_iter().filter(|kind| *kind != Kind::SourceTag);
    let expected: Vec<_> = of.map(|kind| (kind, if is_old(kind) { 0 } else { 2 }, lines(kind))).collect();
    assert_eq!(told, expected);
    let counts = counted(&mut core, pipe);
    for (kind, why, lines) in told {
        let lost: Vec<_> = counts.iter().filter(|cell| cell.0 == kind && (4..=10).contains(&cell.1)).collect();
        assert_eq!(lost, [&(kind, if why == 0 { 7 } else { 9 }, lines)], "{counts:?}");
    }
}
