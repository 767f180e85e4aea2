//! The laws as data, for runners in other languages: stores whose medium only these reach.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wavefront_sdk::store::Head;
use wavefront_sdk::store::conformance::{Answer, Op, Script, Size, lines, scripts};

/// What such a store has to hold: no batch of the npm package's is longer.
const SIZE: Size = Size { longest: 30_000, records: 16 };

/// As JSON: the laws with their steps, and the texts that these speak of by their number. A byte of a text is a character
/// up to U+00FF. Times are doubles there, as they are where JavaScript hears of them.
fn as_json(scripts: &[Script]) -> Value {
    let mut numbers = BTreeMap::new();
    let mut texts = Vec::new();
    let mut text_of = |head: Head, seed: u64| {
        *numbers.entry((head.bytes, head.lines, seed)).or_insert_with(|| {
            texts.push(lines(head, seed).into_iter().map(char::from).collect::<String>());
            texts.len() - 1
        })
    };
    let record = |head: Head| {
        let kind = head.kind.index();
        json!({ "kind": kind, "key": head.key, "lines": head.lines, "bytes": head.bytes, "born": head.born as f64 })
    };
    let mut step = |(op, answer): (Op, Answer)| match (op, answer) {
        (Op::Put(head, seed), _) => json!({ "op": "put", "head": record(head), "text": text_of(head, seed) }),
        (Op::Next(kind, from), Answer::Found(found)) => {
            json!({ "op": "next", "kind": kind.index(), "key": from, "found": found.map(record) })
        }
        (Op::Read(head), Answer::Lines(seed)) => {
            json!({ "op": "read", "head": record(head), "text": text_of(head, seed) })
        }
        (Op::Read(head), _) => json!({ "op": "read", "head": record(head), "text": null }),
        (Op::Remove(kind, key), _) => json!({ "op": "remove", "kind": kind.index(), "key": key }),
        (op, _) => {
            assert_eq!(op, Op::Reopen);
            json!({ "op": "reopen" })
        }
    };
    let laws: Vec<_> = scripts
        .iter()
        .map(
            |script| json!({ "law": script.law, "steps": script.steps.iter().map(|it| step(*it)).collect::<Vec<_>>() }),
        )
        .collect();
    json!({ "laws": laws, "texts": texts })
}

#[test]
fn a_runner_of_another_language_reads_the_same_laws() {
    let scripts = scripts(SIZE);
    let json = as_json(&scripts).to_string();
    let read: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["laws"].as_array().unwrap().len(), scripts.len());
    for (law, script) in read["laws"].as_array().unwrap().iter().zip(&scripts) {
        assert_eq!(law["law"], script.law);
        assert_eq!(law["steps"].as_array().unwrap().len(), script.steps.len());
        for (step, (op, _)) in law["steps"].as_array().unwrap().iter().zip(&script.steps) {
            let Op::Put(head, seed) = *op else { continue };
            let text = text_in(&read, &step["text"]);
            assert_eq!(text, lines(head, seed));
        }
    }
    if let Some(path) = std::env::var_os("STORE_SCRIPTS") {
        std::fs::write(path, json).unwrap();
    }
}

/// The bytes of a text that is spoken of by its number.
fn text_in(read: &Value, number: &Value) -> Vec<u8> {
    let text = read["texts"][number.as_u64().unwrap() as usize].as_str().unwrap();
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}
