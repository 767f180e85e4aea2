//! The suite that every store has to pass.

use wavefront_sdk::Kind;
use wavefront_sdk::store::conformance::{Rig, Size, check};
use wavefront_sdk::store::{FlashError, Head, Store};

use super::{Chip, OnChip, lines, open};

struct Board<const WORD: usize, const PAGE: usize> {
    chip: Chip<WORD, PAGE>,
    cut_in: Option<u32>,
    /// Whether it is damaged too, bit by bit, which takes a while.
    damaged: bool,
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
        if !self.damaged {
            return false;
        }
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

fn board<const WORD: usize, const PAGE: usize>(pages: usize, damaged: bool) -> Board<WORD, PAGE> {
    Board { chip: Chip::new(pages), cut_in: None, damaged }
}

#[test]
fn words_of_4_bytes_in_pages_of_4_kib() {
    let report = check(&mut board::<4, 4096>(9, true)).unwrap();
    assert_eq!((report.kept.len(), report.skipped), (8, vec![]));
}

#[test]
fn long_words_in_short_pages() {
    let report = check(&mut board::<32, 2048>(20, false)).unwrap();
    assert_eq!((report.kept.len(), report.skipped.len()), (7, 1));
}

#[test]
fn a_damaged_record_is_not_the_one_it_replaced() {
    let mut board = board::<4, 1024>(4, true);
    for bit in 0..8 * (8 + 25 + 64) {
        let mut store = board.open();
        let mut head = None;
        for seed in [1, 2] {
            let (lines, count) = lines(64, bit + seed);
            head = Some(Head::new(Kind::Span, 5, count, 64, 0));
            store.put(head.unwrap(), &lines).unwrap();
        }
        let (head, mut into) = (head.unwrap(), [0; 64]);
        assert!(board.damage(head.kind, head.key, bit));
        let mut store = board.open();
        assert_eq!(store.next(head.kind, 0), Ok(Some(head)), "bit {bit}");
        assert_eq!(store.read(head, &mut into), Err(FlashError::Damaged), "bit {bit}");
        assert_eq!(store.next(head.kind, 0), Ok(None), "bit {bit}");
    }
}
