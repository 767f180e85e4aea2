//! A NOR flash as the contract of `embedded-storage` has it: bits go from 1 to 0 in words, and back by pages only. Power
//! may go in the middle of a word, where any of its bits may have changed, and in the middle of an erase, where the page
//! may hold anything.

use std::cell::RefCell;
use std::rc::Rc;

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// Clones are the same chip.
#[derive(Clone)]
pub(crate) struct Chip<const WORD: usize, const PAGE: usize>(pub(crate) Rc<RefCell<Cells>>);

/// What a chip holds and has been through.
pub(crate) struct Cells {
    pub(crate) bytes: Vec<u8>,
    /// How often each page was erased.
    pub(crate) erases: Vec<u32>,
    /// Calls that write, the words they wrote, and bytes that were read.
    pub(crate) writes: usize,
    pub(crate) words: usize,
    pub(crate) read: usize,
    /// The power goes in the call that writes or erases after so many.
    pub(crate) cut_in: Option<u32>,
    pub(crate) dead: bool,
    /// What the chip would be if power went in each of the calls since.
    pub(crate) torn: Option<Vec<Vec<u8>>>,
    /// Where was written, the last at the end.
    pub(crate) log: Vec<usize>,
    chance: Chance,
}

/// In how many ways an erase can be interrupted.
const WAYS: usize = 8;

/// The same series on every machine.
#[derive(Clone)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

impl<const WORD: usize, const PAGE: usize> Chip<WORD, PAGE> {
    pub(crate) fn new(pages: usize) -> Self {
        Self::of(vec![0xff; pages * PAGE])
    }

    /// A chip as another one was left.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        let chance = Chance(bytes.iter().fold(0, |seed, byte| seed * 31 % 0xffff_fffb + u64::from(*byte)));
        let erases = vec![0; bytes.len() / PAGE];
        let cells = Cells {
            bytes,
            erases,
            writes: 0,
            words: 0,
            read: 0,
            cut_in: None,
            dead: false,
            torn: None,
            log: Vec::new(),
            chance,
        };
        Self(Rc::new(RefCell::new(cells)))
    }
}

impl Cells {
    /// Whether power goes now; from then on nothing works.
    fn is_cut(&mut self) -> bool {
        match &mut self.cut_in {
            Some(0) => self.dead = true,
            Some(left) => *left -= 1,
            None => {}
        }
        self.dead
    }

    /// Writes a part of `bytes`: whole words, and of the next one any of its bits.
    fn write_torn(&mut self, offset: usize, bytes: &[u8], word: usize) -> Vec<u8> {
        let mut left = self.bytes.clone();
        let whole = self.chance.below(bytes.len() / word + 1) * word;
        for (at, byte) in bytes.iter().enumerate().take(whole + word) {
            let spared = if at < whole { 0 } else { self.chance.next() as u8 };
            left[offset + at] &= byte | spared;
        }
        left
    }

    /// Leaves a page as an interrupted erase may leave it.
    fn erase_torn(&mut self, page: std::ops::Range<usize>, pattern: usize) -> Vec<u8> {
        let mut left = self.bytes.clone();
        let size = page.len();
        let cells = &mut left[page];
        let cut = self.chance.below(size + 1);
        for (at, cell) in cells.iter_mut().enumerate() {
            let any = self.chance.next();
            *cell = match pattern {
                // Not begun, or done and nobody heard of it.
                0 => *cell,
                1 => 0xff,
                // From one end, or from the other.
                2 if at < cut => 0xff,
                3 if at >= cut => 0xff,
                2 | 3 => *cell,
                // All is written first.
                4 => 0,
                // Bit by bit, from what was there or from zeros.
                5 => *cell | any as u8,
                6 => any as u8,
                // A few bits are late.
                _ => any as u8 | (any >> 8) as u8 | (any >> 16) as u8 | (any >> 24) as u8,
            };
        }
        left
    }
}

impl<const WORD: usize, const PAGE: usize> ErrorType for Chip<WORD, PAGE> {
    type Error = NorFlashErrorKind;
}

impl<const WORD: usize, const PAGE: usize> ReadNorFlash for Chip<WORD, PAGE> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        let mut cells = self.0.borrow_mut();
        if cells.dead {
            return Err(NorFlashErrorKind::Other);
        }
        cells.read += bytes.len();
        bytes.copy_from_slice(&cells.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.borrow().bytes.len()
    }
}

impl<const WORD: usize, const PAGE: usize> NorFlash for Chip<WORD, PAGE> {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        let cells = &mut *self.0.borrow_mut();
        if cells.dead {
            return Err(NorFlashErrorKind::Other);
        }
        for from in (from as usize..to as usize).step_by(PAGE) {
            let page = from..from + PAGE;
            if cells.is_cut() {
                let pattern = cells.chance.below(WAYS);
                cells.bytes = cells.erase_torn(page, pattern);
                return Err(NorFlashErrorKind::Other);
            }
            if cells.torn.is_some() {
                for pattern in 0..WAYS {
                    let torn = cells.erase_torn(page.clone(), pattern);
                    cells.torn.as_mut().unwrap().push(torn);
                }
            }
            cells.bytes[page].fill(0xff);
            cells.erases[from / PAGE] += 1;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        let cells = &mut *self.0.borrow_mut();
        if cells.dead {
            return Err(NorFlashErrorKind::Other);
        }
        let offset = offset as usize;
        if cells.is_cut() {
            cells.bytes = cells.write_torn(offset, bytes, WORD);
            return Err(NorFlashErrorKind::Other);
        }
        if cells.torn.is_some() {
            let torn = cells.write_torn(offset, bytes, WORD);
            cells.torn.as_mut().unwrap().push(torn);
        }
        cells.log.push(offset);
        cells.writes += 1;
        cells.words += bytes.len() / WORD;
        for (cell, byte) in cells.bytes[offset..].iter_mut().zip(bytes) {
            *cell &= byte;
        }
        Ok(())
    }
}

impl<const WORD: usize, const PAGE: usize> MultiwriteNorFlash for Chip<WORD, PAGE> {}
