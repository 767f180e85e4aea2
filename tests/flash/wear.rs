//! How often each page is erased, and what happens where there is no room.

use wavefront_sdk::Kind;
use wavefront_sdk::store::{
    Blocking, Flash, FlashError, FlashRangeError, Footprint, Head, Store, StoreError, StoreFailure,
};

use super::chip::Chance;
use super::{Chip, lines, open, put, records};

/// The pages of the records were erased as often as each other, within 2, and the journal far more seldom.
fn is_even(erases: &[u32]) -> bool {
    let (journal, pages) = erases.split_first().unwrap();
    let (least, most) = (pages.iter().min().unwrap(), pages.iter().max().unwrap());
    println!("erases {erases:?}");
    most - least <= 2 && *journal <= most / 10 + 1
}

#[test]
fn a_long_outage_and_its_end_wear_all_pages_alike() {
    let chip = Chip::<4, 4096>::new(8);
    let mut store = open(&chip);
    let mut chance = Chance(3);
    let (mut first, mut last, mut bytes) = (1, 0, 0_u64);
    while last < 3_000 {
        last += 1;
        let len = 100 + chance.below(900) as u32;
        put(&mut store, Kind::Metric, last, len, last.into()).unwrap();
        bytes += u64::from(len);
        // As many wait as there is room for, or one.
        let most = if last % 500 < 250 { 12 } else { 1 };
        while last - first >= most {
            store.remove(Kind::Metric, first).unwrap();
            first += 1;
        }
    }
    let cells = chip.0.borrow();
    assert!(is_even(&cells.erases) && cells.erases[1] > 50);
    let (words, erased) = (4 * cells.words as u64, cells.erases.iter().sum::<u32>());
    println!("{last} records of {bytes} bytes: {words} bytes in {} writes, {erased} erases", cells.writes);
    // A fifth for what stands beside the lines, the ends of pages and what is copied.
    assert!(words < bytes * 12 / 10 && u64::from(erased) < bytes * 14 / 10 / 4096);
}

#[test]
fn records_that_stay_are_carried_along() {
    let chip = Chip::<4, 1024>::new(10);
    let mut store = open(&chip);
    for key in 1..=4 {
        put(&mut store, Kind::Span, key, 200, key.into()).unwrap();
    }
    for key in 1..=1_000 {
        put(&mut store, Kind::Metric, key, 150, key.into()).unwrap();
        store.remove(Kind::Metric, key).unwrap();
    }
    let kept = records(&mut store, &[Kind::Metric, Kind::Span]);
    assert!(kept.len() == 4 && kept.iter().all(|((_, key), (_, kept))| *kept == lines(200, (*key).into()).0));
    assert!(is_even(&chip.0.borrow().erases));
}

#[test]
fn room_that_is_promised_is_there_whatever_is_where() {
    let chip = Chip::<8, 2048>::new(9);
    let mut store = open(&chip);
    let (longest, mut chance) = (500, Chance(4));
    let room = store.room(longest);
    let footprint = store.footprint();
    let mut kept: Vec<Head> = Vec::new();
    for key in 1..=1_500 {
        let bytes = 1 + chance.below(longest as usize) as u32;
        let mut taken: u64 = kept.iter().map(|head| footprint.of(head.bytes)).sum();
        while taken + footprint.of(bytes) > room {
            let gone = kept.swap_remove(chance.below(kept.len()));
            store.remove(gone.kind, gone.key).unwrap();
            taken -= footprint.of(gone.bytes);
        }
        kept.push(put(&mut store, Kind::Delta, key, bytes, key.into()).unwrap());
    }
    assert_eq!(records(&mut open(&chip), &[Kind::Delta]).len(), kept.len());
    assert!(is_even(&chip.0.borrow().erases));
}

#[test]
fn what_finds_no_room_does_so_at_once_until_something_is_removed() {
    let chip = Chip::<4, 1024>::new(6);
    let mut store = open(&chip);
    let mut last = 0;
    while put(&mut store, Kind::Event, last + 1, 300, 1).is_ok() {
        last += 1;
    }
    assert!(last >= 8, "{last} records");
    let used = || {
        let cells = chip.0.borrow();
        (cells.erases.clone(), cells.writes, cells.read)
    };
    let before = used();
    for bytes in (300..400).chain([u16::MAX.into()]) {
        assert_eq!(put(&mut store, Kind::Event, 100, bytes, 1), Err(StoreFailure::Full));
    }
    assert_eq!(used(), before, "a flash that is full is neither worn out nor looked through again");
    // Something shorter may have room, and is tried.
    assert_eq!(put(&mut store, Kind::Span, 1, 299, 1), Err(StoreFailure::Full));
    assert_ne!(used(), before);
    put(&mut store, Kind::Span, 1, 20, 1).unwrap();
    store.remove(Kind::Span, 1).unwrap();
    assert_eq!(records(&mut open(&chip), &[Kind::Event]).len(), last as usize, "and lost nothing");
    for key in 1..=3 {
        store.remove(Kind::Event, key).unwrap();
    }
    put(&mut store, Kind::Event, 100, 300, 1).unwrap();
    assert_eq!(records(&mut open(&chip), &[Kind::Event]).len(), last as usize - 2);
}

#[test]
fn the_limits_are_as_they_are_said_to_be() {
    let chip = Chip::<4, 1024>::new(4);
    let range = |from, to| Flash::blocking(chip.clone(), from..to, [0; 300]).map(|_| ());
    assert_eq!(range(0, 4096), Ok(()));
    assert_eq!(range(1024, 4096), Ok(()));
    for (from, to) in [(0, 2048), (0, 1024), (0, 0), (4096, 0), (u32::MAX, 0)] {
        assert_eq!(range(from, to), Err(FlashRangeError::TooSmall), "{from}..{to}");
    }
    assert_eq!(range(0, 5120), Err(FlashRangeError::OutOfBounds));
    assert_eq!(
        (range(512, 3584), range(0, 4000)),
        (Err(FlashRangeError::NotAligned), Err(FlashRangeError::NotAligned))
    );
    assert_eq!(Flash::blocking(chip.clone(), 0..4096, [0; 27]).map(|_| ()), Err(FlashRangeError::SmallBuffer));

    // By the buffer, in whole words, and by the page.
    let mut store = Flash::blocking(chip.clone(), 0..4096, [0; 303]).unwrap();
    assert_eq!(store.longest(), 300 - 25);
    let (longest, count) = lines(275, 1);
    store.put(Head::new(Kind::Metric, 1, count, 275, 0), &longest).unwrap();
    let error = store.put(Head::new(Kind::Metric, 2, 1, 276, 0), &[b'\n'; 276]).unwrap_err();
    assert_eq!((error, error.kind()), (FlashError::TooLong { bytes: 276, longest: 275 }, StoreFailure::Full));
    let mut store = Flash::blocking(chip.clone(), 0..4096, [0; 2000]).unwrap();
    assert_eq!(store.longest(), 1024 - 8 - 8 - 25);
    let (longest, count) = lines(983, 1);
    store.put(Head::new(Kind::Metric, 2, count, 983, 0), &longest).unwrap();
    let Footprint { overhead, block } = Store::footprint(&store);
    assert_eq!((overhead, block), (8 + 25 + 8 + 28, 4));

    // What a longer buffer has put, a shorter one cannot read, and says so; nothing is lost.
    let mut short = Flash::blocking(chip.clone(), 0..4096, [0; 100]).unwrap();
    let error = short.next(Kind::Metric, 0).unwrap_err();
    assert_eq!((error, error.kind()), (FlashError::SmallBuffer { needed: 1008 }, StoreFailure::Unavailable));
    assert_eq!(records(&mut store, &[Kind::Metric]).len(), 2);
    let (Blocking(_), buffer) = store.into_parts();
    assert_eq!(buffer.len(), 2000);

    let error = short.put(Head::new(Kind::Metric, 0, 1, 2, 0), b"a\n").unwrap_err();
    assert_eq!((error, error.kind()), (FlashError::OtherHead, StoreFailure::Unavailable));
}

#[test]
fn a_chip_that_does_not_answer_is_an_error_and_loses_nothing() {
    let chip = Chip::<4, 1024>::new(6);
    let mut store = open(&chip);
    put(&mut store, Kind::Metric, 1, 100, 1).unwrap();
    chip.0.borrow_mut().dead = true;
    let head = Head::new(Kind::Metric, 1, 2, 100, 1);
    let failures = [
        put(&mut store, Kind::Metric, 2, 100, 1).unwrap_err(),
        store.next(Kind::Metric, 0).unwrap_err().kind(),
        store.read(head, &mut [0; 100]).unwrap_err().kind(),
        store.remove(Kind::Metric, 1).unwrap_err().kind(),
    ];
    assert_eq!(failures, [StoreFailure::Unavailable; 4]);
    chip.0.borrow_mut().dead = false;
    assert_eq!(records(&mut store, &[Kind::Metric]).len(), 1);
}
