//! The suite that every store has to pass.

use wavefront_sdk::Kind;
use wavefront_sdk::store::conformance::{Rig, Size, check};

use super::{Chip, OnChip, open};

struct Board<const WORD: usize, const PAGE: usize> {
    chip: Chip<WORD, PAGE>,
    cut_in: Option<u32>,
}

impl<const WORD: usize, const PAGE: usize> Board<WORD, PAGE> {
    /// Where the item of a record stands that was written last, and how long it is.
    fn item(&self, what: u8, key: u32) -> Option<(usize, usize)> {
        let cells = self.chip.0.borrow();
        let data = 8_usize.next_multiple_of(WORD);
        let [a, b, c, d] = key.to_le_bytes();
        let items = cells.log.iter().rev().filter_map(|&at| {
            let item = cells.bytes.get(at..)?;
            let is_it = item.get(data..data + 5)? == [what, a, b, c, d] && item[..4] != [0; 4];
            is_it.then(|| (at, data + usize::from(u16::from_le_bytes([item[4], item[5]]))))
        });
        items.into_iter().next()
    }
}

impl<const WORD: usize, const PAGE: usize> Rig for Board<WORD, PAGE> {
    type Store = OnChip<WORD, PAGE>;

    fn open(&mut self) -> Self::Store {
        let mut cells = self.chip.0.borrow_mut();
        (cells.dead, cells.cut_in) = (false, self.cut_in.take());
        drop(cells);
        open(&self.chip)
    }

    fn size(&self) -> Size {
        Size { longest: 1024, records: 16 }
    }

    /// Of the lines and what stands before them, then of the receipt.
    fn damage(&mut self, kind: Kind, key: u32, bit: u64) -> bool {
        let what = kind.index() as u8;
        let (lines, receipt) = (self.item(what, key).unwrap(), self.item(what | 0x80, key).unwrap());
        let mut bits = [lines, receipt].into_iter().flat_map(|(at, len)| 8 * at..8 * (at + len));
        let Some(bit) = bits.nth(bit as usize) else { return false };
        self.chip.0.borrow_mut().bytes[bit / 8] ^= 1 << (bit % 8);
        true
    }

    fn crash_at(&mut self, n: u32) -> bool {
        self.cut_in = Some(n);
        true
    }
}

fn passes<const WORD: usize, const PAGE: usize>(pages: usize) {
    let report = check(&mut Board { chip: Chip::<WORD, PAGE>::new(pages), cut_in: None }).unwrap();
    assert_eq!((report.kept.len(), report.skipped), (8, vec![]));
}

#[test]
fn words_of_4_bytes_in_pages_of_4_kib() {
    passes::<4, 4096>(9);
}

#[test]
fn long_words_in_short_pages() {
    passes::<32, 2048>(20);
}
