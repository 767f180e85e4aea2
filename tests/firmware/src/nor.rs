//! NOR flash that is RAM: it outlives a reset, and its power can go in the middle of a write.

use core::mem::MaybeUninit;

use embedded_storage::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// What an erase takes, at least.
pub const PAGE: usize = 4096;
/// How large the flash is.
pub const SIZE: usize = 16 * PAGE;

/// Where it is: memory that no start-up code touches.
#[unsafe(link_section = ".uninit.flash")]
static mut CELLS: MaybeUninit<[u8; SIZE]> = MaybeUninit::uninit();

/// The flash.
pub struct Chip {
    /// How many words are written before the power goes; none: it stays.
    pub words: Option<u32>,
}

impl Chip {
    /// The one flash there is, as the last power cut has left it.
    ///
    /// # Safety
    /// There must be no other `Chip`.
    pub const unsafe fn new() -> Self {
        Self { words: None }
    }

    fn cells(at: u32, len: usize) -> Result<core::ops::Range<*mut u8>, NorFlashErrorKind> {
        let from = at as usize;
        let to = from.checked_add(len).filter(|to| *to <= SIZE).ok_or(NorFlashErrorKind::OutOfBounds)?;
        let base = (&raw mut CELLS).cast::<u8>();
        Ok(base.wrapping_add(from)..base.wrapping_add(to))
    }
}

impl ErrorType for Chip {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 1;

    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let mut cell = Self::cells(at, bytes.len())?.start;
        for byte in bytes {
            // SAFETY: within the flash, as was looked; nobody else has it.
            *byte = unsafe { cell.read_volatile() };
            cell = cell.wrapping_add(1);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        SIZE
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        let cells = Self::cells(from, to.saturating_sub(from) as usize)?;
        let mut cell = cells.start;
        while cell != cells.end {
            // SAFETY: as above.
            unsafe { cell.write_volatile(0xff) };
            cell = cell.wrapping_add(1);
        }
        Ok(())
    }

    fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        let mut cell = Self::cells(at, bytes.len())?.start;
        for word in bytes.chunks(Self::WRITE_SIZE) {
            match &mut self.words {
                Some(0) => cortex_m::peripheral::SCB::sys_reset(),
                Some(left) => *left -= 1,
                None => {}
            }
            for byte in word {
                // SAFETY: as above. A bit that is 0 stays 0.
                unsafe { cell.write_volatile(cell.read_volatile() & byte) };
                cell = cell.wrapping_add(1);
            }
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Chip {}
