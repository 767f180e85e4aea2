//! The store in flash, on a simulated chip: the contract, the power that goes at any write and any erase, wear and room.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chip;
mod conformance;

use chip::Chip;
use wavefront_sdk::store::{Blocking, Flash};

type OnChip<const WORD: usize, const PAGE: usize> = Flash<Blocking<Chip<WORD, PAGE>>, Vec<u8>>;

/// A store on the whole of a chip.
fn open<const WORD: usize, const PAGE: usize>(chip: &Chip<WORD, PAGE>) -> OnChip<WORD, PAGE> {
    let size = chip.0.borrow().bytes.len() as u32;
    Flash::blocking(chip.clone(), 0..size, vec![0; PAGE]).unwrap()
}
