//! The suite that every store has to pass.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use sequential_storage::cache::Cache;
use sequential_storage::map::{MapConfig, MapStorage};
use wavefront_sdk::Kind;
use wavefront_sdk::store::conformance::{Rig, Size, check};
use wavefront_sdk::store::{Blocking, FlashError, Head, Store};

use super::{Chip, OnChip, lines, open, put};

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

#[test]
fn an_item_that_can_be_no_record_is_passed_over() {
    const SIZE: u32 = 4 * 1024;
    let chip = Chip::<4, 1024>::new(4);
    let mut store = open(&chip);
    let record = put(&mut store, Kind::Span, 9, 50, 1).unwrap();
    // Somebody else's, under names of records: too short for a head, without lines, and with more lines than bytes.
    let config = MapConfig::new(1024..SIZE);
    let cache = Cache::new_uncached();
    let mut items = MapStorage::<[u8; 5], _, Cache<_, _, _, _>>::new(Blocking(chip.clone()), config, cache);
    let heads: [&[u8]; 5] = [
        b"",
        b"not a head",
        &[0; 20],
        &[9, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[9, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    for (key, head) in (1..).zip(heads) {
        let name = [Kind::Span.index() as u8, key, 0, 0, 0];
        let mut buffer = [0; 1024];
        let stored = pin!(items.store_item(&mut buffer, &name, &head));
        assert_eq!(stored.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(())));
    }
    let mut store = open(&chip);
    assert_eq!(store.next(Kind::Span, 0), Ok(Some(record)));
    assert_eq!(store.next(Kind::Span, 10), Ok(None));
    // Nor is one put.
    for (key, lines, bytes) in [(0, 1, 2), (1, 0, 2), (1, 3, 2), (1, 1, 3)] {
        let head = Head::new(Kind::Span, key, lines, bytes, 0);
        assert_eq!(store.put(head, b"a\n"), Err(FlashError::OtherHead), "{head:?}");
    }
    assert_eq!(store.next(Kind::Span, 0), Ok(Some(record)));
}
