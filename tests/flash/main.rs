//! The store in flash, on a simulated chip: the contract, the power that goes at any write and any erase, wear and room.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chip;
mod conformance;
mod power;
mod waits;
mod wear;

use std::collections::BTreeMap;

use chip::Chip;
use wavefront_sdk::Kind;
use wavefront_sdk::store::{Blocking, Flash, Head, Store, StoreError, StoreFailure};

type OnChip<const WORD: usize, const PAGE: usize> = Flash<Blocking<Chip<WORD, PAGE>>, Vec<u8>>;

/// A store on the whole of a chip.
fn open<const WORD: usize, const PAGE: usize>(chip: &Chip<WORD, PAGE>) -> OnChip<WORD, PAGE> {
    let size = chip.0.borrow().bytes.len() as u32;
    Flash::blocking(chip.clone(), 0..size, vec![0; PAGE]).unwrap()
}
type Records = BTreeMap<(Kind, u32), (Head, Vec<u8>)>;

/// Everything in a store, read back.
fn records(store: &mut impl Store, kinds: &[Kind]) -> Records {
    let mut records = Records::new();
    for &kind in kinds {
        let mut from = 0;
        while let Some(head) = store.next(kind, from).unwrap() {
            let mut lines = vec![0; head.bytes as usize];
            store.read(head, &mut lines).expect("what is found is whole");
            records.insert((kind, head.key), (head, lines));
            let Some(after) = head.key.checked_add(1) else { break };
            from = after;
        }
    }
    records
}

/// `bytes` bytes of lines.
fn lines(bytes: u32, seed: u64) -> (Vec<u8>, u32) {
    let mut lines: Vec<u8> = (0..u64::from(bytes)).map(|at| b'a' + ((at * 7 + seed) % 26) as u8).collect();
    lines.iter_mut().skip(59).step_by(60).for_each(|byte| *byte = b'\n');
    *lines.last_mut().unwrap() = b'\n';
    let count = lines.iter().filter(|byte| **byte == b'\n').count();
    (lines, count as u32)
}

fn put(store: &mut impl Store, kind: Kind, key: u32, bytes: u32, seed: u64) -> Result<Head, StoreFailure> {
    let (lines, count) = lines(bytes, seed);
    let head = Head::new(kind, key, count, bytes, seed);
    store.put(head, &lines).map(|()| head).map_err(|error| error.kind())
}
